/* The addresses of asyncio's tables as an argument of Python functions. Include Python.h before this. */
#ifndef FOOTFALL_SAMPLER_TASK_TABLES_H
#define FOOTFALL_SAMPLER_TASK_TABLES_H

#include "walk/tasks.h"

/* Read them from a tuple of five addresses. -1 with an exception. */
int task_tables_parse(PyObject *given, task_tables *tables);

#endif
