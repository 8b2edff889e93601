#ifndef FOOTFALL_ENGINES_DECISION_H
#define FOOTFALL_ENGINES_DECISION_H

#include <Python.h>

/* Ask Python's `decide(filename)` which path a file is measured under. Owned: a str or None; NULL with an exception,
 * which is then ours. It is asked in the middle of the program: where that has nearly used up its recursion limit
 * there is room enough all the same, and an exception of the program that comes up meanwhile (a signal handler's) is
 * raised in the program soon afterwards, as if the signal had come a little later. */
PyObject *decision_ask(PyObject *decide, PyObject *filename);

/* Raise the program's own exception in this thread, once it goes on. Takes the reference. */
void raise_later(PyObject *error);

#endif
