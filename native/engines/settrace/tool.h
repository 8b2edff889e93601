/* A tool of sys.monitoring that gives the settrace engine its events, of single code objects. */
#ifndef FOOTFALL_ENGINES_SETTRACE_TOOL_H
#define FOOTFALL_ENGINES_SETTRACE_TOOL_H

#include <Python.h>

/* Add the type of tools, and the function that makes one, to the module. */
int settrace_tool_exec(PyObject *module);

#endif
