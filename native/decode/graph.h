/* One code object's bytecode as a graph of instructions: the same as analyze/bytecode/instructions.py builds, for speed.
 *
 * Read from what was recorded, which may be damaged: every number is checked before it is an index. All positions are
 * code units (2 bytes). Versions differ in the numbers of instructions only, which the caller gives. */
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
    OP_OTHER = N_OPCODE_NAMES, /* it steers nothing */
} opcode_name;

typedef struct branch_ways {
    int32_t left, right; /* where the instruction goes */
    int32_t left_event, right_event; /* the units that its events are recorded at */
    int32_t late_left, late_right; /* the same while INSTRUCTION events are on */
} branch_ways;

typedef struct code_unit {
    int32_t line; /* -1: none */
    int32_t next; /* the unit behind this instruction and its caches; n_units at the end */
    int32_t jump_to; /* where an unconditional jump, or SEND, goes; -1 */
    int32_t handler; /* the unit that handles an exception which leaves this unit; -1: it leaves the frame */
    int32_t loop_end; /* of a handler that starts with END_ASYNC_FOR, that unit; -1 */
    int32_t branch; /* index of its branch_ways; -1 */
    uint8_t op; /* opcode_name */
    uint8_t starts_line; /* the interpreter can send a LINE event here */
    uint8_t restores; /* a RERAISE that puts the frame back to where its exception was raised first */
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

/* What a code object was recorded with; `branches` is a tuple of (source, left, right) in bytes, `ops` of opcodes. */
typedef struct code_tables {
    Py_buffer code, line_table, exception_table;
    PyObject *branches, *ops;
    int32_t first_line;
} code_tables;

/* 0, or -1 with ValueError (the tables do not fit together), TypeError or MemoryError. */
int graph_build(code_graph *graph, const code_tables *tables);

void graph_clear(code_graph *graph);

/* A new list of (unit, argument) of each instruction that steers, EXTENDED_ARG and NOT_TAKEN left out; as
 * instructions.steering_instructions. NULL with an exception. */
PyObject *steering_of_code(const uint8_t *code, Py_ssize_t n_bytes, PyObject *ops);

/* A new sorted tuple of (source, left, right) in bytes: what co_branches() lists. NULL with an exception. */
PyObject *branches_of_code(const uint8_t *code, Py_ssize_t n_bytes, PyObject *ops);

#endif
