/* Wrappers of the functions that start programs or threads. */
#ifndef FOOTFALL_CORE_PROGRAM_STARTS_H
#define FOOTFALL_CORE_PROGRAM_STARTS_H

#include "core/state.h"

/* Return an object that looks like `plain` and calls `runner`: a new reference, or NULL with an exception. Code that
 * starts a thread may inspect the function that the thread will run (eventlet does). */
PyObject *program_starts_dress(module_state *state, PyObject *runner, PyObject *plain);

int children_exec(PyObject *module);
int children_traverse(module_state *state, visitproc visit, void *arg);
void children_clear(module_state *state);

#endif
