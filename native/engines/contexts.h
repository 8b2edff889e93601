/* What each engine does when the context changes. All need the GIL. Record first and clear later, so that a
 * killed process has lost nothing. */
#ifndef FOOTFALL_ENGINES_CONTEXTS_H
#define FOOTFALL_ENGINES_CONTEXTS_H

#include "core/state.h"

/* Record what was hit since the last switch under the recorder's context, clear it, and let it be hit again.
 * 0 (also when the engine does not run or recording is off), or -1 with an exception. */
int monitoring_flush(module_state *state);
int probes_flush(module_state *state);
int settrace_flush(module_state *state);

/* The new context has begun: let what is running be seen in it, and note where the measured frames of all threads
 * are, so that their next lines have a line to come from. Sets no exception. */
void monitoring_begin(module_state *state);

/* Whether the running thread or task belongs to another context than the process is in; then its id. Sets no
 * exception. */
int context_is_foreign(module_state *state, uint32_t *id);

/* Tell the sampler what its samples belong to: after a switch, and a sampler or a record file that is new. Sets no
 * exception. */
void contexts_tell_sampler(module_state *state);

/* Whether two labels are the same, or differ in their phase only. */
int context_has_same_owner(PyObject *one, PyObject *other);

#endif
