/* engines/greenlets.c finds out whether the program can have greenlets. */
#include "engines/greenlets.h"

int
has_greenlets(void)
{
    PyObject *modules = PyImport_GetModuleDict(); // borrowed
    PyObject *greenlet = modules == NULL ? NULL : PyDict_GetItemString(modules, "greenlet"); // borrowed
    return greenlet != NULL;
}
