/* positions.c reads the location table of a code object (CPython: Objects/locations.md). If the table is damaged, the
 * result ends early. */
#include "decode/positions.h"

#define ONE_LINE_0 10 /* 11 and 12 are one and two lines further */
#define NO_COLUMNS 13
#define LONG 14
#define NO_LOCATION 15
#define MAX_SHIFT 30 /* lines are C ints */

static int
next_byte(position_cursor *self)
{
    if (self->at >= self->size) {
        self->is_past = 1;
        return 0;
    }
    return self->table[self->at++];
}

/* 6 bits a byte, low bits first; bit 6 says that more bytes follow. */
static int64_t
next_varint(position_cursor *self)
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
next_signed(position_cursor *self)
{
    int64_t value = next_varint(self);
    return value & 1 ? -(value >> 1) : value >> 1;
}

position_cursor
positions_begin(const uint8_t *table, Py_ssize_t size, int64_t first_line)
{
    return (position_cursor){.table = table, .size = size, .line = first_line};
}

int
positions_next(position_cursor *self)
{
    if (self->at >= self->size || self->is_past) {
        return 0;
    }
    int head = next_byte(self);
    int kind = head >> 3 & 15;
    code_position found = {.line = self->line, .column = -1, .end_column = -1, .is_known = kind != NO_LOCATION};
    if (kind == LONG) {
        found.line += next_signed(self);
        found.end_line = found.line + next_varint(self);
        found.column = next_varint(self) - 1; /* stored plus one; 0 means that there is none */
        found.end_column = next_varint(self) - 1;
    }
    else if (kind == NO_COLUMNS) {
        found.line += next_signed(self);
        found.end_line = found.line;
    }
    else if (kind >= ONE_LINE_0 && kind < NO_COLUMNS) {
        found.line += kind - ONE_LINE_0;
        found.end_line = found.line;
        found.column = next_byte(self);
        found.end_column = next_byte(self);
    }
    else if (kind < ONE_LINE_0) {
        int second = next_byte(self);
        found.end_line = found.line;
        found.column = kind << 3 | second >> 4;
        found.end_column = found.column + (second & 15);
    }
    if (self->is_past) {
        return 0;
    }
    self->line = found.line;
    self->position = found;
    self->end_unit += (head & 7) + 1;
    return 1;
}

const code_position *
positions_at(position_cursor *self, Py_ssize_t unit)
{
    while (unit >= self->end_unit) {
        if (!positions_next(self)) {
            return NULL;
        }
    }
    return &self->position;
}

/* Return a number, None if it is less than 0 or nothing is known: a new reference. */
static PyObject *
number_or_none(int64_t value, int is_there)
{
    return is_there ? PyLong_FromLongLong(value) : Py_NewRef(Py_None);
}

/* Return a new tuple of four numbers, None where they are not known. NULL without memory. */
static PyObject *
new_position(const code_position *from)
{
    PyObject *position = PyTuple_New(4); /* owned */
    PyObject *items[4] = {
        /* owned, until the tuple takes them */
        number_or_none(from->line, from->is_known),
        number_or_none(from->end_line, from->is_known),
        number_or_none(from->column, from->is_known && from->column >= 0),
        number_or_none(from->end_column, from->is_known && from->end_column >= 0),
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

PyObject *
positions_of_table(const uint8_t *table, Py_ssize_t size, int64_t first_line)
{
    position_cursor cursor = positions_begin(table, size, first_line);
    PyObject *found = PyList_New(0);
    Py_ssize_t unit = 0;
    while (found != NULL && positions_next(&cursor)) {
        PyObject *position = new_position(&cursor.position);
        for (; found != NULL && unit < cursor.end_unit; unit++) {
            if (position == NULL || PyList_Append(found, position) < 0) {
                Py_CLEAR(found);
            }
        }
        Py_XDECREF(position);
    }
    return found;
}

PyObject *
position_in_table(const uint8_t *table, Py_ssize_t size, int64_t first_line, Py_ssize_t unit)
{
    position_cursor cursor = positions_begin(table, size, first_line);
    const code_position *found = positions_at(&cursor, unit);
    return found != NULL ? new_position(found) : Py_NewRef(Py_None);
}
