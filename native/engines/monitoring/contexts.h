/* Which context an event counts for, and the engine at a switch of contexts. */
#ifndef FOOTFALL_ENGINES_MONITORING_CONTEXTS_H
#define FOOTFALL_ENGINES_MONITORING_CONTEXTS_H

#include "compat/versions.h"
#include "engines/monitoring/state.h"

#if HAS_MONITORING

/* Set a flag in the context of the running thread or task. Return whether that is the process's own. */
int monitoring_set_flag_in_context(module_state *state, code_events *extra, Py_ssize_t byte_offset, unsigned char flag);

/* A frame of this code is at `unit` (INT_MAX: in a handler). If it may be in a handler, watch how it leaves. A watched
 * jump is marked with EVENT_RIGHT, and gets EVENT_LEFT once it was executed. -1 with an exception. */
int monitoring_watch_cold_jumps(module_state *state, code_events *extra, int unit);

/* See struct engine_functions. */
int monitoring_flush(module_state *state);
void monitoring_begin(module_state *state);

#endif

#endif
