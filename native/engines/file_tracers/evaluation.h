/* Frames of plugins' files, found by a frame evaluation function (PEP 523) and traced: on CPython 3.11, which has no
 * sys.monitoring. */
#ifndef FOOTFALL_ENGINES_FILE_TRACERS_EVALUATION_H
#define FOOTFALL_ENGINES_FILE_TRACERS_EVALUATION_H

#include "core/state.h"

/* Return whether that function is in use. */
int traced_frames_are_evaluated(void);

/* What evaluated frames until the main script began gives way. Return whether our function was called before it, and
 * stays. */
int traced_frames_main_has_come(void);

/* The running thread begins: if the function is not in use at the moment, because another thread has used half of its
 * stack, trace all of it. */
void traced_frames_thread_begins(void);

/* The engine `settrace` has started, and threads have this trace function (its argument is borrowed); NULL: it has
 * stopped. */
void traced_frames_note_tracer(Py_tracefunc function, PyObject *argument);

/* Return whether a thread has the trace function of plugins' frames at present, which tells that of other frames. */
int traced_frames_trace(const PyThreadState *thread);

int traced_frames_evaluation_exec(PyObject *module);

#endif
