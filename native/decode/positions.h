/* The location table of a code object, as analyze/bytecode/linetable.py reads it. */
#ifndef FOOTFALL_DECODE_POSITIONS_H
#define FOOTFALL_DECODE_POSITIONS_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdint.h>

/* A range of source. Columns are less than 0 if not known; without `is_known` nothing is. */
typedef struct code_position {
    int64_t line, end_line, column, end_column;
    int is_known;
} code_position;

/* Reads the entries of a table in order. */
typedef struct position_cursor {
    const uint8_t *table; /* borrowed */
    Py_ssize_t at, size;
    int is_past; /* a read went past the end */
    int64_t line;
    code_position position; /* of the entry that was read last */
    Py_ssize_t end_unit; /* where its code units end */
} position_cursor;

position_cursor positions_begin(const uint8_t *table, Py_ssize_t size, int64_t first_line);

/* Read an entry. 0 at the end, or if the table ends within it. */
int positions_next(position_cursor *self);

/* Return the position of a code unit, borrowed: that of an earlier call, or one after it. NULL past the table's end. */
const code_position *positions_at(position_cursor *self, Py_ssize_t unit);

/* Return a new list of (line, end line, column, end column) for each code unit, None where unknown; a table that ends
 * within an entry gives the entries before it. NULL without memory. */
PyObject *positions_of_table(const uint8_t *table, Py_ssize_t size, int64_t first_line);

/* Return what that list has for one code unit, None past its end: a new reference. NULL without memory. */
PyObject *position_in_table(const uint8_t *table, Py_ssize_t size, int64_t first_line, Py_ssize_t unit);

#endif
