/* The addresses of asyncio's tables as an argument of Python functions. Python.h comes before this. */
#ifndef FOOTFALL_SAMPLER_TASK_TABLES_H
#define FOOTFALL_SAMPLER_TASK_TABLES_H

#include "walk/tasks.h"

/* Take them from a tuple of five addresses. -1 with an exception. */
int task_tables_parse(PyObject *given, task_tables *tables);

#endif
