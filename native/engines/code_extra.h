/* co_extra slots of code objects. */
#ifndef FOOTFALL_ENGINES_CODE_EXTRA_H
#define FOOTFALL_ENGINES_CODE_EXTRA_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "compat/versions.h"

#if !HAS_UNSTABLE_NAMES
#define PyUnstable_Code_GetExtra _PyCode_GetExtra
#define PyUnstable_Code_SetExtra _PyCode_SetExtra
#define PyUnstable_Eval_RequestCodeExtraIndex _PyEval_RequestCodeExtraIndex
#endif

/* Return the slot for data that `free_extra` frees, or -1. It is requested once, however often measuring starts: an
 * interpreter has 255, and takes none back. `kept` is where the module state keeps it, 0 at first. */
Py_ssize_t code_extra_slot(Py_ssize_t *kept, freefunc free_extra);

/* PyUnstable_Code_SetExtra, without creating the slots of tools that registered after us. `extra` is not NULL. -1 with
 * an exception. */
int code_extra_set(PyObject *code, Py_ssize_t index, void *extra);

#endif
