/* What Python calls to capture by probes. */
#ifndef FOOTFALL_ENGINES_PROBES_CAPTURE_FUNCTIONS_H
#define FOOTFALL_ENGINES_PROBES_CAPTURE_FUNCTIONS_H

#include <Python.h>

int capture_functions_exec(PyObject *module);

#endif
