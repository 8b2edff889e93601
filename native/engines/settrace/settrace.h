/* The engine on the interpreter's trace function. */
#ifndef FOOTFALL_ENGINES_SETTRACE_SETTRACE_H
#define FOOTFALL_ENGINES_SETTRACE_SETTRACE_H

#include <Python.h>

/* Add the engine, and its functions, to the module. */
int settrace_exec(PyObject *module);

#endif
