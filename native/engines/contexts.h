/* The context of the running code, to which events and samples belong. All need the GIL. */
#ifndef FOOTFALL_ENGINES_CONTEXTS_H
#define FOOTFALL_ENGINES_CONTEXTS_H

#include "core/state.h"

/* Set the contexts of samples according to what runs: after a switch, and for a new sampler or record file. Sets no
 * exception. */
void contexts_publish(module_state *state);

/* Switch the process to the context `label` (str, "" is none): what was executed until now is recorded under the
 * previous one. The running thread still belongs to the context that it belonged to. 1, 0 if no record file is open, -1
 * with an exception. */
int contexts_switch(module_state *state, PyObject *label);

/* Make the running thread or task belong to the process's current context. -1 with an exception. */
int contexts_unbind(module_state *state);

/* Put samples from now on into the context `label`. Sets no exception. */
void contexts_label_samples(module_state *state, PyObject *label);

int contexts_exec(PyObject *module);
int contexts_traverse(module_state *state, visitproc visit, void *arg);
void contexts_clear(module_state *state);

#endif
