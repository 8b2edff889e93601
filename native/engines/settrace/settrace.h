/* The engine on the interpreter's trace function. */
#ifndef FOOTFALL_ENGINES_SETTRACE_SETTRACE_H
#define FOOTFALL_ENGINES_SETTRACE_SETTRACE_H

#include <Python.h>

#include "core/state.h"

/* What the engine does with a code object. */
enum settrace_answer {
    SETTRACE_IS_OFF,       /* it was stopped, or has failed */
    SETTRACE_PASSES_OVER,  /* the code is not measured, or has probes */
    SETTRACE_SHOULD_WATCH, /* it needs all events of the code */
    SETTRACE_WATCHES,      /* it gets them */
};

/* Add the engine, and its functions, to the module. */
int settrace_exec(PyObject *module);

/* Handle an event of sys.monitoring in the running frame, if that runs `code`, as one of the trace function: PyTrace_CALL,
 * PyTrace_LINE or PyTrace_RETURN. Sets no exception. */
enum settrace_answer settrace_tell(module_state *state, PyObject *code, int what);

/* Find out about the code of a frame that runs already. May set an exception with SETTRACE_IS_OFF. */
enum settrace_answer settrace_look_up(module_state *state, PyObject *code);

/* The code's events are enabled from now on. */
void settrace_note_watched(module_state *state, PyObject *code);

#endif
