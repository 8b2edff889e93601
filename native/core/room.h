#ifndef FOOTFALL_CORE_ROOM_H
#define FOOTFALL_CORE_ROOM_H

#include <Python.h>

/* Let the running thread recurse so many levels further than the program's limit, or, negative, no longer. */
void room_change(int levels);

int room_exec(PyObject *module);

#endif
