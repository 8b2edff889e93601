/* jumps.c finds the conditional jumps whose outcomes count: not those of `with` exits, nor those that test a constant. */
#include "decode/jumps.h"

#include "decode/positions.h"

#include <stdio.h>
#include <string.h>

#define MAX_POSITION_TEXT 84 /* four numbers of 64 bits, each with a comma */

/* In the order of analyze/bytecode/opcodes.py: ConstantTest. */
enum { LOAD_COMMON_CONSTANT, LOAD_CONST, LOAD_SMALL_INT, COPY, TO_BOOL, N_TESTS };

typedef struct jump_finder {
    const uint8_t *code; /* borrowed */
    Py_ssize_t n_units;
    opcode_table ops;
    uint8_t reraise;
    uint8_t test[N_TESTS]; /* numbers */
    uint8_t *is_target; /* owned: of forward jumps */
} jump_finder;

/* Text that grows. */
typedef struct text_buffer {
    char *bytes; /* owned */
    size_t used, room;
} text_buffer;

static int
read_tests(jump_finder *self, PyObject *ops, PyObject *test)
{
    if (!PyTuple_Check(test) || PyTuple_GET_SIZE(test) != N_TESTS) {
        PyErr_SetString(PyExc_TypeError, "the numbers of the instructions that test a constant are needed");
        return -1;
    }
    for (int at = 0; at < N_TESTS; at++) {
        long number = PyLong_AsLong(PyTuple_GET_ITEM(test, at));
        if (number == -1 && PyErr_Occurred()) {
            return -1;
        }
        self->test[at] = (uint8_t)number;
    }
    if (opcodes_read(&self->ops, ops) < 0) {
        return -1;
    }
    self->reraise = (uint8_t)PyLong_AsLong(PyTuple_GET_ITEM(ops, OP_RERAISE));
    return 0;
}

static int
is_conditional(uint8_t op)
{
    return op == OP_POP_JUMP_IF_FALSE || op == OP_POP_JUMP_IF_TRUE || op == OP_POP_JUMP_IF_NONE
           || op == OP_POP_JUMP_IF_NOT_NONE;
}

static uint8_t
opcode_at(const jump_finder *self, Py_ssize_t unit)
{
    return self->code[2 * unit];
}

static uint8_t
op_at(const jump_finder *self, Py_ssize_t unit)
{
    return self->ops.names[opcode_at(self, unit)];
}

/* Mark where forward jumps lead: one cache unit follows each conditional jump, none an unconditional one. Returns the
 * number of conditional jumps. */
static Py_ssize_t
mark_targets(jump_finder *self)
{
    Py_ssize_t n_jumps = 0;
    for (Py_ssize_t unit = 0; unit < self->n_units; unit++) {
        uint8_t op = op_at(self, unit);
        int is_jump = is_conditional(op);
        n_jumps += is_jump;
        if (is_jump || op == OP_JUMP_FORWARD) {
            int64_t target = unit + graph_argument(self->code, unit, self->ops.extended_arg) + (is_jump ? 2 : 1);
            if (target < self->n_units) {
                self->is_target[target] = 1;
            }
        }
    }
    return n_jumps;
}

/* Return the instruction before a unit: caches read as opcode 0. */
static Py_ssize_t
unit_before(const jump_finder *self, Py_ssize_t unit)
{
    unit--;
    while (unit > 0 && (opcode_at(self, unit) == 0 || op_at(self, unit) == OP_EXTENDED_ARG)) {
        unit--;
    }
    return unit < 0 ? 0 : unit;
}

/* Whether a jump tests only a constant loaded right before it: the compiler leaves some such tests. */
static int
tests_constant(const jump_finder *self, Py_ssize_t tester)
{
    if (opcode_at(self, tester) != self->test[TO_BOOL]) {
        return 0;
    }
    Py_ssize_t copy = unit_before(self, tester);
    if (opcode_at(self, copy) != self->test[COPY] || self->is_target[copy]) {
        return 0;
    }
    uint8_t load = opcode_at(self, unit_before(self, copy));
    return load == self->test[LOAD_COMMON_CONSTANT] || load == self->test[LOAD_CONST]
           || load == self->test[LOAD_SMALL_INT];
}

/* Whether it is the jump of a `with` exit, which has the place of the context manager: a RERAISE with 2 follows only
 * there. */
static int
is_exit(const jump_finder *self, Py_ssize_t unit)
{
    return unit + 3 < self->n_units && opcode_at(self, unit + 3) == self->reraise && self->code[2 * unit + 7] == 2;
}

static int
add_position(text_buffer *text, position_cursor *cursor, Py_ssize_t unit)
{
    if (text->room - text->used < MAX_POSITION_TEXT + 1) {
        size_t room = text->room * 2 + 1024;
        char *bytes = PyMem_Realloc(text->bytes, room);
        if (bytes == NULL) {
            PyErr_NoMemory();
            return -1;
        }
        text->bytes = bytes;
        text->room = room;
    }
    code_position none = {0};
    const code_position *found = positions_at(cursor, unit);
    if (found == NULL || !found->is_known || found->column < 0 || found->end_column < 0) {
        found = &none;
    }
    int n = snprintf(text->bytes + text->used, text->room - text->used, "%s%lld,%lld,%lld,%lld",
                     text->used != 0 ? "," : "", (long long)found->line, (long long)found->column,
                     (long long)found->end_line, (long long)found->end_column);
    text->used += n > 0 ? (size_t)n : 0;
    return 0;
}

/* Append the jumps that count to `jumps`, and their positions to `text`. -1 with an exception. */
static int
add_jumps(const jump_finder *self, position_cursor *cursor, text_buffer *text, PyObject *jumps)
{
    for (Py_ssize_t unit = 0; unit < self->n_units; unit++) {
        if (!is_conditional(op_at(self, unit)) || is_exit(self, unit)) {
            continue;
        }
        Py_ssize_t tester = unit_before(self, unit);
        if (tests_constant(self, tester)) {
            continue;
        }
        PyObject *jump = Py_BuildValue("(ni)", unit, (int)opcode_at(self, unit)); /* owned */
        int status = jump == NULL ? -1 : PyList_Append(jumps, jump);
        Py_XDECREF(jump);
        if (status < 0 || add_position(text, cursor, tester) < 0 || add_position(text, cursor, unit) < 0) {
            return -1;
        }
    }
    return 0;
}

PyObject *
jumps_of_code(const uint8_t *code, Py_ssize_t n_bytes, const uint8_t *line_table, Py_ssize_t table_bytes,
              int64_t first_line, PyObject *ops, PyObject *test)
{
    jump_finder self = {.code = code, .n_units = n_bytes / 2};
    if (read_tests(&self, ops, test) < 0) {
        return NULL;
    }
    text_buffer text = {0};
    position_cursor cursor = positions_begin(line_table, table_bytes, first_line);
    PyObject *jumps = PyList_New(0), *found = NULL; /* owned */
    self.is_target = PyMem_Calloc((size_t)self.n_units + 1, 1);
    if (self.is_target == NULL) {
        PyErr_NoMemory();
    }
    else if (jumps != NULL && (mark_targets(&self) == 0 || add_jumps(&self, &cursor, &text, jumps) == 0)) {
        found = Py_BuildValue("(y#O)", text.bytes != NULL ? text.bytes : "", (Py_ssize_t)text.used, jumps);
    }
    Py_XDECREF(jumps);
    PyMem_Free(self.is_target);
    PyMem_Free(text.bytes);
    return found;
}
