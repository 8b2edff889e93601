/* The frames of plugins' files that run now: an engine tells of each that it begins, comes to a line, ends. */
#ifndef FOOTFALL_ENGINES_FILE_TRACERS_FRAMES_H
#define FOOTFALL_ENGINES_FILE_TRACERS_FRAMES_H

#include "core/state.h"

#include "engines/file_tracers/sources.h"

/* A `footfall._core.TracedFrames`. Its functions may call Python code, and with it anything, but what plugins raise stays
 * with them: an exception that they set is the program's, of a signal handler. */
typedef struct traced_frames {
    PyObject_HEAD
    module_state *state; /* of the module that `module` keeps */
    PyObject *module; /* owned */
    PyObject *files; /* owned: observe/file_tracers/files.py, FileTracers */
    PyObject *known; /* owned: dict co_filename -> address of a traced_file, 0 where it is no plugin's */
    PyObject *undecided; /* owned: what look_up gives for a file of which nothing can be said yet */
    traced_file *first; /* owned list */
    frame_lines running; /* each with its traced_source */
    int with_arcs;
    /* file_tracers/monitoring.c */
    PyObject *disable; /* owned; NULL where sys.monitoring is not used */
    PyObject *arming; /* owned: (tool id, code, events) -> None */
    PyObject *tool_id; /* owned */
    PyObject *local_events; /* owned: of the code of which a frame counted */
    PyObject *global_events; /* owned: once there is such code; NULL afterwards */
    PyObject *set_events; /* owned */
    Py_ssize_t armed_slot;
    uint32_t start; /* module_state.n_starts */
} traced_frames;

/* The file that a TracedFile says of; NULL with an exception. */
traced_file *traced_frames_file(traced_frames *frames, PyObject *traced);

/* A frame begins or goes on: `last` is the line that its first one will have come from. 1 when it counts, 0 when it does not,
 * -1 with an exception. */
int traced_frames_begin(traced_frames *frames, traced_file *file, PyFrameObject *frame, int32_t last);

/* A frame comes to a line. 0, or -1 with an exception. */
int traced_frames_line(traced_frames *frames, PyFrameObject *frame);

/* A frame ends; or, when it is not `is_left`, waits at a yield. */
void traced_frames_end(traced_frames *frames, PyFrameObject *frame, int is_left);

int traced_frames_exec(PyObject *module);

#endif
