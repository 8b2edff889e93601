/* The jumps with which exception handlers continue in the code behind them.
 *
 * CPython moves handlers to the end of the code; the jump back from there (JUMP_BACKWARD_NO_INTERRUPT) has no event of
 * its own. If a handler branches, and an exception left one of the ways through it, only an INSTRUCTION event tells
 * whether that way ever reached its end. The jumps are searched for when a code object first handles an exception. */
#ifndef FOOTFALL_ENGINES_MONITORING_COLD_JUMPS_H
#define FOOTFALL_ENGINES_MONITORING_COLD_JUMPS_H

#include "core/state.h"

typedef struct cold_jumps {
    uint32_t first_handler; /* the unit where handlers begin; nothing before it is in one */
    uint32_t n;
    uint32_t units[];
} cold_jumps;

/* Return the jumps of a code object in whose handlers something branches; NULL if there are none, or no memory.
 * `bytecode` is without instrumentation. */
cold_jumps *cold_jumps_find(PyObject *bytecode);

int cold_jumps_has(const cold_jumps *jumps, uint32_t unit);

#endif
