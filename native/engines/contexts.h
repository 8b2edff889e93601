/* The context of what runs: events and samples belong to it. All need the GIL. */
#ifndef FOOTFALL_ENGINES_CONTEXTS_H
#define FOOTFALL_ENGINES_CONTEXTS_H

#include "core/state.h"

/* Let samples belong to what runs: after a switch, and for a sampler or a record file that is new. Sets no exception. */
void contexts_publish(module_state *state);

/* Let the process be in the context `label` (str, "" is none): what was executed until now is recorded under the one before. The
 * running thread goes on to belong to what it belonged to. 1, 0 when no record file is open, -1 with an exception. */
int contexts_switch(module_state *state, PyObject *label);

/* The running thread or task belongs to what the process runs. -1 with an exception. */
int contexts_unbind(module_state *state);

/* Samples from now on belong to the context `label`. Sets no exception. */
void contexts_label_samples(module_state *state, PyObject *label);

int contexts_exec(PyObject *module);
int contexts_traverse(module_state *state, visitproc visit, void *arg);
void contexts_clear(module_state *state);

#endif
