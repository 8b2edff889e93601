#ifndef FOOTFALL_CORE_UNSEEN_H
#define FOOTFALL_CORE_UNSEEN_H

#include <Python.h>

/* Call a Python function of ours, with positional arguments; returns the same as PyObject_Vectorcall. The program's
 * trace and profile functions see none of its frames, and signals to this thread are held back meanwhile. */
PyObject *call_unseen(PyObject *function, PyObject *const *arguments, size_t n_arguments);

int unseen_exec(PyObject *module);

#endif
