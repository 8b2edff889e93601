/* The location table of a code object, as analyze/bytecode/linetable.py reads it. */
#ifndef FOOTFALL_DECODE_POSITIONS_H
#define FOOTFALL_DECODE_POSITIONS_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdint.h>

/* Return a new list of (line, end line, column, end column) for each code unit, None where unknown; a table that ends
 * within an entry gives the entries before it. NULL without memory. */
PyObject *positions_of_table(const uint8_t *table, Py_ssize_t size, int64_t first_line);

#endif
