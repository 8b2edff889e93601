/* The sampler of this process, as functions of the module. */
#ifndef FOOTFALL_INSIDE_INSIDE_H
#define FOOTFALL_INSIDE_INSIDE_H

#include "core/state.h"

int sampler_exec(PyObject *module);
/* Stop it, and free everything. */
void sampler_free(module_state *state);

#endif
