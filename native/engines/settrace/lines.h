/* What the settrace engine does at the events of a measured frame. Binding C; everything runs under the GIL. Each function
 * returns 0, or -1 with an exception, or without one if the engine was stopped meanwhile. */
#ifndef FOOTFALL_ENGINES_SETTRACE_LINES_H
#define FOOTFALL_ENGINES_SETTRACE_LINES_H

#include "engines/settrace/state.h"

int traced_frame_begins(module_state *state, PyFrameObject *frame, PyCodeObject *code, traced_code *traced);
int traced_frame_line(module_state *state, PyFrameObject *frame, PyCodeObject *code, traced_code *traced);
int traced_frame_ends(module_state *state, PyFrameObject *frame, PyCodeObject *code, traced_code *traced);

/* Handle an event in a frame of a plugin's file. Exceptions of the plugin are caught; another exception is the
 * program's (a signal handler's), and is raised there. */
int traced_frame_tell_plugin(module_state *state, PyFrameObject *frame, traced_code *traced, int what);

#endif
