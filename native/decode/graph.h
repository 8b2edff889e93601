/* One code object's bytecode as a graph of instructions: the same as analyze/bytecode/instructions.py builds, but
 * faster.
 *
 * It is read from recorded data, which may be damaged: every number is checked before it is used as an index. All
 * positions are in code units (2 bytes). Versions differ only in the numbers of instructions, which the caller
 * passes. */
#ifndef FOOTFALL_DECODE_GRAPH_H
#define FOOTFALL_DECODE_GRAPH_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdint.h>

/* In the order of analyze/bytecode/opcodes.py: Opcodes. */
typedef enum opcode_name {
    OP_CLEANUP_THROW,
    OP_END_ASYNC_FOR,
    OP_END_FOR,
    OP_END_SEND,
    OP_EXTENDED_ARG,
    OP_FOR_ITER,
    OP_JUMP_BACKWARD,
    OP_JUMP_BACKWARD_NO_INTERRUPT,
    OP_JUMP_FORWARD,
    OP_NOT_TAKEN,
    OP_POP_ITER,
    OP_POP_JUMP_IF_FALSE,
    OP_POP_JUMP_IF_NONE,
    OP_POP_JUMP_IF_NOT_NONE,
    OP_POP_JUMP_IF_TRUE,
    OP_RAISE_VARARGS,
    OP_RERAISE,
    OP_RESUME,
    OP_RETURN_VALUE,
    OP_SEND,
    OP_YIELD_VALUE,
    N_OPCODE_NAMES,
    OP_OTHER = N_OPCODE_NAMES, /* it does not steer control */
} opcode_name;

typedef struct opcode_table {
    uint8_t names[256]; /* opcode_name by number */
    uint8_t extended_arg; /* its number */
} opcode_table;

/* Read the numbers of a version's instructions. 0, or -1 with TypeError or ValueError. */
int opcodes_read(opcode_table *table, PyObject *ops);

/* The argument of an instruction with what EXTENDED_ARG, of number `extended`, adds to it; there are at most three. */
int64_t graph_argument(const uint8_t *code, Py_ssize_t unit, uint8_t extended);

typedef struct branch_ways {
    int32_t left, right; /* where the instruction leads */
    int32_t left_event, right_event; /* the units at which its events are recorded */
    int32_t late_left, late_right; /* the same while INSTRUCTION events are on */
} branch_ways;

typedef struct code_unit {
    int32_t line; /* -1: none */
    int32_t next; /* the unit after this instruction and its caches; n_units at the end */
    int32_t jump_to; /* where an unconditional jump, or SEND, goes; -1 */
    int32_t handler; /* the unit that handles an exception from this unit; -1: it leaves the frame */
    int32_t loop_end; /* for a handler that starts with END_ASYNC_FOR, that unit; -1 */
    int32_t branch; /* index of its branch_ways; -1 */
    uint8_t op; /* opcode_name */
    uint8_t starts_line; /* the interpreter can send a LINE event here */
    uint8_t restores; /* a RERAISE that moves the frame back to where its exception was first raised */
} code_unit;

typedef struct code_graph {
    int32_t n_units;
    int32_t first_unit; /* the RESUME that starts the code */
    int32_t first_line;
    int32_t n_branches;
    uint8_t extended_arg; /* its number */
    branch_ways *branches;
    code_unit *units;
} code_graph;

/* The recorded data of a code object; `branches` is a tuple of (source, left, right) in bytes, `ops` of opcodes. */
typedef struct code_tables {
    Py_buffer code, line_table, exception_table;
    PyObject *branches, *ops;
    int32_t first_line;
} code_tables;

/* 0, or -1 with ValueError (the tables are inconsistent), TypeError or MemoryError. */
int graph_build(code_graph *graph, const code_tables *tables);

void graph_clear(code_graph *graph);

/* Return a new list of (unit, argument) of each instruction that steers control, without EXTENDED_ARG and NOT_TAKEN;
 * the same as instructions.steering_instructions. NULL with an exception. */
PyObject *steering_of_code(const uint8_t *code, Py_ssize_t n_bytes, PyObject *ops);

/* Return a new sorted tuple of (source, left, right) in bytes: what co_branches() lists. NULL with an exception. */
PyObject *branches_of_code(const uint8_t *code, Py_ssize_t n_bytes, PyObject *ops);

#endif
