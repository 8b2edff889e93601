/* The context of what runs: events and samples belong to it. All need the GIL. */
#ifndef FOOTFALL_ENGINES_CONTEXTS_H
#define FOOTFALL_ENGINES_CONTEXTS_H

#include "core/state.h"

/* Let samples belong to what runs: after a switch, and for a sampler or a record file that is new. Sets no exception. */
void contexts_publish(module_state *state);

int contexts_exec(PyObject *module);
int contexts_traverse(module_state *state, visitproc visit, void *arg);
void contexts_clear(module_state *state);

#endif
