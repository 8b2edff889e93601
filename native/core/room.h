#ifndef FOOTFALL_CORE_ROOM_H
#define FOOTFALL_CORE_ROOM_H

#include <Python.h>

/* Let the running thread recurse this many levels beyond the program's limit; a negative number takes the levels
 * back. */
void room_change(int levels);

int room_exec(PyObject *module);

#endif
