/* positions.c reads the location table of a code object (CPython: Objects/locations.md). If the table is damaged, the
 * result ends early. */
#include "decode/positions.h"

#define ONE_LINE_0 10 /* 11 and 12 are one and two lines further */
#define NO_COLUMNS 13
#define LONG 14
#define NO_LOCATION 15
#define MAX_SHIFT 30 /* lines are C ints */

typedef struct cursor {
    const uint8_t *table;
    Py_ssize_t at, size;
    int is_past; /* a read went past the end */
} cursor;

static int
next_byte(cursor *self)
{
    if (self->at >= self->size) {
        self->is_past = 1;
        return 0;
    }
    return self->table[self->at++];
}

/* 6 bits a byte, low bits first; bit 6 says that more bytes follow. */
static int64_t
next_varint(cursor *self)
{
    int byte = next_byte(self);
    int64_t value = byte & 63;
    for (int shift = 6; byte & 64 && !self->is_past; shift += 6) {
        byte = next_byte(self);
        self->is_past |= shift > MAX_SHIFT;
        value |= self->is_past ? 0 : (int64_t)(byte & 63) << shift;
    }
    return value;
}

/* A varint whose lowest bit is the sign. */
static int64_t
next_signed(cursor *self)
{
    int64_t value = next_varint(self);
    return value & 1 ? -(value >> 1) : value >> 1;
}

/* Return a new tuple of four numbers, None where they are less than 0 and not lines. NULL without memory. */
static PyObject *
new_position(int64_t line, int64_t end_line, int64_t column, int64_t end_column)
{
    PyObject *position = PyTuple_New(4); /* owned */
    PyObject *items[4] = {
        /* owned, until the tuple takes them */
        PyLong_FromLongLong(line),
        PyLong_FromLongLong(end_line),
        column < 0 ? Py_NewRef(Py_None) : PyLong_FromLongLong(column),
        end_column < 0 ? Py_NewRef(Py_None) : PyLong_FromLongLong(end_column),
    };
    int is_whole = position != NULL && items[0] != NULL && items[1] != NULL && items[2] != NULL && items[3] != NULL;
    for (int at = 0; at < 4; at++) {
        if (is_whole) {
            PyTuple_SET_ITEM(position, at, items[at]);
        }
        else {
            Py_XDECREF(items[at]);
        }
    }
    if (!is_whole) {
        Py_CLEAR(position);
    }
    return position;
}

/* Read one entry after its head; `line` is advanced to its line. NULL without an exception if it ends too early. */
static PyObject *
next_position(cursor *self, int kind, int64_t *line)
{
    int64_t end_line, column = -1, end_column = -1;
    if (kind == NO_LOCATION) {
        return Py_BuildValue("(OOOO)", Py_None, Py_None, Py_None, Py_None);
    }
    if (kind == LONG) {
        *line += next_signed(self);
        end_line = *line + next_varint(self);
        column = next_varint(self) - 1; /* stored plus one; 0 means that there is none */
        end_column = next_varint(self) - 1;
    }
    else if (kind == NO_COLUMNS) {
        *line += next_signed(self);
        end_line = *line;
    }
    else if (kind >= ONE_LINE_0) {
        *line += kind - ONE_LINE_0;
        end_line = *line;
        column = next_byte(self);
        end_column = next_byte(self);
    }
    else {
        int second = next_byte(self);
        end_line = *line;
        column = kind << 3 | second >> 4;
        end_column = column + (second & 15);
    }
    if (self->is_past) {
        return NULL;
    }
    return new_position(*line, end_line, column, end_column);
}

PyObject *
positions_of_table(const uint8_t *table, Py_ssize_t size, int64_t first_line)
{
    cursor self = {.table = table, .size = size};
    int64_t line = first_line;
    PyObject *found = PyList_New(0);
    while (found != NULL && self.at < self.size) {
        int head = next_byte(&self);
        PyObject *position = next_position(&self, head >> 3 & 15, &line);
        if (position == NULL) {
            if (PyErr_Occurred()) {
                Py_CLEAR(found);
            }
            break;
        }
        for (int units = (head & 7) + 1; units > 0; units--) {
            if (PyList_Append(found, position) < 0) {
                Py_CLEAR(found);
                break;
            }
        }
        Py_DECREF(position);
    }
    return found;
}
