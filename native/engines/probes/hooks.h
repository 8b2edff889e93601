/* Adds the module's functions that get probes into code. */
#ifndef FOOTFALL_ENGINES_PROBES_HOOKS_H
#define FOOTFALL_ENGINES_PROBES_HOOKS_H

#include <Python.h>

int probes_hooks_exec(PyObject *module);

#endif
