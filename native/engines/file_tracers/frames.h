/* The running frames of plugins' files: an engine reports when each begins, comes to a line, ends. */
#ifndef FOOTFALL_ENGINES_FILE_TRACERS_FRAMES_H
#define FOOTFALL_ENGINES_FILE_TRACERS_FRAMES_H

#include "core/state.h"

#include "engines/file_tracers/sources.h"

/* A `footfall._core.TracedFrames`. Its functions may call Python code, which may do anything, but exceptions of plugins
 * are caught: an exception that the functions set is the program's, from a signal handler. */
typedef struct traced_frames {
    PyObject_HEAD
    module_state *state; /* of the module in `module` */
    PyObject *module; /* owned */
    PyObject *files; /* owned: observe/file_tracers/files.py, FileTracers */
    PyObject *known; /* owned: dict co_filename -> address of a traced_file, 0 if it is not a plugin's */
    PyObject *undecided; /* owned: what look_up returns for a file that can't be decided about yet */
    traced_file *first; /* owned list */
    frame_lines running; /* each with its traced_source */
    int with_arcs;
    /* file_tracers/monitoring.c */
    PyObject *disable; /* owned; NULL if sys.monitoring is not used */
    PyObject *arming; /* owned: (tool id, code, events) -> None */
    PyObject *tool_id; /* owned */
    PyObject *local_events; /* owned: for code of which a measured frame was seen */
    PyObject *global_events; /* owned: added once there is such code; NULL afterwards */
    PyObject *set_events; /* owned */
    Py_ssize_t armed_slot;
    uint32_t start; /* module_state.n_starts */
} traced_frames;

/* Return the file that a TracedFile describes; NULL with an exception. */
traced_file *traced_frames_file(traced_frames *frames, PyObject *traced);

/* A frame begins or continues: its first pair starts from the line `last`. 1 if it is measured, 0 if not, -1 with an
 * exception. */
int traced_frames_begin(traced_frames *frames, traced_file *file, PyFrameObject *frame, int32_t last);

/* Return whether a frame has begun that is measured. */
int traced_frames_counts(const traced_frames *frames, const PyFrameObject *frame);

/* A frame comes to a line. 0, or -1 with an exception. */
int traced_frames_line(traced_frames *frames, PyFrameObject *frame);

/* A frame ends; or, if not `is_left`, waits at a yield. */
void traced_frames_end(traced_frames *frames, PyFrameObject *frame, int is_left);

int traced_frames_exec(PyObject *module);

#endif
