/* task_tables.c parses the form in which Python code passes the addresses of asyncio's tables. Binding C. */
#include "core/state.h" /* first: Python.h must come before the system headers */

#include "sampler/tasks/task_tables.h"

#define FORMAT "KKKKK;tasks must be a tuple of five addresses"

int
task_tables_parse(PyObject *given, task_tables *tables)
{
    unsigned long long at[5];
    if (!PyTuple_Check(given)) {
        PyErr_SetString(PyExc_TypeError, "tasks must be a tuple of five addresses");
        return -1;
    }
    if (!PyArg_ParseTuple(given, FORMAT, &at[0], &at[1], &at[2], &at[3], &at[4])) {
        return -1;
    }
    *tables = (task_tables){at[0], at[1], at[2], at[3], at[4]};
    return 0;
}
