/* Look-alikes of the functions that start programs or threads. */
#ifndef FOOTFALL_CORE_PROGRAM_STARTS_H
#define FOOTFALL_CORE_PROGRAM_STARTS_H

#include "core/state.h"

int children_exec(PyObject *module);
int children_traverse(module_state *state, visitproc visit, void *arg);
void children_clear(module_state *state);

#endif
