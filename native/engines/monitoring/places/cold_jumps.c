/* cold_jumps.c finds jumps that have no event in bytecode. It does not watch them: engines/monitoring/events.c does. */
#include "engines/monitoring/places/cold_jumps.h"

#include "compat/versions.h"

#include <opcode.h>

#if HAS_BRANCH_EVENTS

/* The instruction before `unit`, skipping caches (which read as CACHE here) and EXTENDED_ARG; -1 at the start. */
static Py_ssize_t
unit_before(const unsigned char *bytes, Py_ssize_t unit)
{
    do {
        unit--;
    } while (unit >= 0 && (bytes[2 * unit] == CACHE || bytes[2 * unit] == EXTENDED_ARG));
    return unit;
}

/* Return whether it is a conditional jump that the program wrote, not one that matches an `except` or leaves a
 * `with`. */
static int
is_branch(const unsigned char *bytes, Py_ssize_t unit)
{
    switch (bytes[2 * unit]) {
    case FOR_ITER:
    case POP_JUMP_IF_NONE:
    case POP_JUMP_IF_NOT_NONE:
        return 1;
    case POP_JUMP_IF_FALSE:
    case POP_JUMP_IF_TRUE: {
        Py_ssize_t tester = unit_before(bytes, unit);
        if (tester >= 0 && bytes[2 * tester] == TO_BOOL) {
            tester = unit_before(bytes, tester);
        }
        return tester < 0 || (bytes[2 * tester] != CHECK_EXC_MATCH && bytes[2 * tester] != WITH_EXCEPT_START);
    }
    default:
        return 0;
    }
}

/* A loop around SEND also ends with such a jump, after a RESUME. */
static int
is_cold_jump(const unsigned char *bytes, Py_ssize_t unit)
{
    if (bytes[2 * unit] != JUMP_BACKWARD_NO_INTERRUPT) {
        return 0;
    }
    Py_ssize_t before = unit_before(bytes, unit);
    return before >= 0 && bytes[2 * before] != RESUME;
}

/* Count the jumps that come after a branch, starting at the unit `first`, and write them to `units` if that is not
 * NULL. */
static uint32_t
collect(const unsigned char *bytes, Py_ssize_t first, Py_ssize_t n_units, uint32_t *units)
{
    uint32_t n = 0;
    int branches = 0;
    for (Py_ssize_t unit = first; unit < n_units; unit++) {
        branches = branches || is_branch(bytes, unit);
        if (branches && is_cold_jump(bytes, unit)) {
            if (units != NULL) {
                units[n] = (uint32_t)unit;
            }
            n++;
        }
    }
    return n;
}

cold_jumps *
cold_jumps_find(PyObject *bytecode)
{
    const unsigned char *bytes = (const unsigned char *)PyBytes_AS_STRING(bytecode);
    Py_ssize_t n_units = PyBytes_GET_SIZE(bytecode) / 2;
    Py_ssize_t first = 0;
    while (first < n_units && bytes[2 * first] != PUSH_EXC_INFO) {
        first++;
    }
    uint32_t n = collect(bytes, first, n_units, NULL);
    cold_jumps *found = n == 0 ? NULL : PyMem_RawMalloc(sizeof *found + n * sizeof found->units[0]);
    if (found != NULL) {
        found->first_handler = (uint32_t)first;
        found->n = collect(bytes, first, n_units, found->units);
    }
    return found;
}

#else /* no branch events */

cold_jumps *
cold_jumps_find(PyObject *Py_UNUSED(bytecode))
{
    return NULL;
}

#endif

int
cold_jumps_has(const cold_jumps *jumps, uint32_t unit)
{
    for (uint32_t i = 0; i < jumps->n; i++) {
        if (jumps->units[i] == unit) {
            return 1;
        }
    }
    return 0;
}
