#ifndef FOOTFALL_ENGINES_DECISION_H
#define FOOTFALL_ENGINES_DECISION_H

#include <Python.h>

/* Call Python's `decide(filename)`, which returns the path that a file is measured under. Owned: a str or None; NULL
 * with an exception, which is then ours. It is called in the middle of the program: it gets enough room even if the
 * program has nearly used up its recursion limit, and an exception of the program raised meanwhile (by a signal
 * handler) is raised in the program soon afterwards, as if the signal had come a little later. */
PyObject *decision_ask(PyObject *decide, PyObject *filename);

/* Raise the program's own exception in this thread, once it continues. Takes the reference. */
void raise_later(PyObject *error);

#endif
