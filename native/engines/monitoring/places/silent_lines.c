/* silent_lines.c finds the places that CPython watches for LINE events and that never send one. It watches the target
 * of each jump, but sends an event there only if the instruction before, as executed, has another line
 * (_Py_call_instrumentation_line in Python/instrumentation.c). Where a jump and its target share a line, as in
 * `a if b else c` and comprehensions, there is nothing to send, so nothing that could be disabled: the place would be
 * slow for ever. This holds for each tool and for sys.settrace, so the interpreter need not know of the place. Every
 * function needs the GIL. */
#include "engines/monitoring/places/silent_lines.h"

#include "compat/versions.h"

#if HAS_MONITORING

#define Py_BUILD_CORE
#if HAS_PACKED_LINE_PLACES
#include <internal/pycore_instruments.h>
#endif
#undef Py_BUILD_CORE
#include <opcode.h>
#include <string.h>

/* What is known of how control comes to a code unit without being next. */
#define FROM_OWN_LINE 1  /* by a jump on the same line */
#define FROM_ELSEWHERE 2 /* from another line, or by an exception */

#define N_UNITS_ON_STACK 1024

typedef _PyCoLineInstrumentationData line_places;

#if HAS_PACKED_LINE_PLACES

static unsigned char *
watched_opcode(line_places *places, Py_ssize_t unit)
{
    return &places->data[unit * places->bytes_per_entry];
}

static int
are_on_one_line(PyCodeObject *Py_UNUSED(code), line_places *places, Py_ssize_t one, Py_ssize_t other)
{
    const unsigned char *line = watched_opcode(places, one);
    const unsigned char *other_line = watched_opcode(places, other);
    int at = 1;
    while (at < places->bytes_per_entry && line[at] == other_line[at]) {
        at++;
    }
    return at == places->bytes_per_entry;
}

#else

static unsigned char *
watched_opcode(line_places *places, Py_ssize_t unit)
{
    return &places[unit].original_opcode;
}

static int
are_on_one_line(PyCodeObject *code, line_places *Py_UNUSED(places), Py_ssize_t one, Py_ssize_t other)
{
    return PyCode_Addr2Line(code, (int)(2 * one)) == PyCode_Addr2Line(code, (int)(2 * other));
}

#endif

typedef enum jump_kind { NO_JUMP, FORWARD, TO_END, BACKWARD } jump_kind;

/* At the end of a loop stand END_FOR, POP_TOP or POP_ITER, or END_SEND. Which of them are passed over depends on the
 * version and on what is iterated (a generator's end runs END_FOR on CPython 3.12), so each may be the target, and what
 * follows them. To take more places for targets is safe: only places that no other line leads to are removed. */
#define N_AT_END 3

static const unsigned char jump_kinds[256] = {
    [POP_JUMP_IF_FALSE] = FORWARD,
    [POP_JUMP_IF_TRUE] = FORWARD,
    [POP_JUMP_IF_NONE] = FORWARD,
    [POP_JUMP_IF_NOT_NONE] = FORWARD,
    [JUMP_FORWARD] = FORWARD,
    [FOR_ITER] = TO_END, /* of the loop: see N_AT_END */
    [SEND] = TO_END,
    [JUMP_BACKWARD] = BACKWARD,
    [JUMP_BACKWARD_NO_INTERRUPT] = BACKWARD,
};

/* Return the unit that the jump at `unit` goes to. */
static Py_ssize_t
jump_target(const unsigned char *bytes, Py_ssize_t n_units, Py_ssize_t unit)
{
    Py_ssize_t argument = bytes[2 * unit + 1];
    for (int shift = 8; shift <= 24 && unit * 8 >= shift && bytes[2 * (unit - shift / 8)] == EXTENDED_ARG; shift += 8) {
        argument |= (Py_ssize_t)bytes[2 * (unit - shift / 8) + 1] << shift;
    }
    Py_ssize_t next = unit + 1;
    while (next < n_units && bytes[2 * next] == CACHE) {
        next++;
    }
    return jump_kinds[bytes[2 * unit]] == BACKWARD ? next - argument : next + argument;
}

/* Return the first unit from `unit` on that jumps, `n_units` if there is none. Four at a time: this is the part of the
 * work that all code is subject to. */
static Py_ssize_t
next_jump(const unsigned char *bytes, Py_ssize_t n_units, Py_ssize_t unit)
{
    for (; unit + 4 <= n_units; unit += 4) {
        const unsigned char *at = bytes + 2 * unit;
        if (jump_kinds[at[0]] | jump_kinds[at[2]] | jump_kinds[at[4]] | jump_kinds[at[6]]) {
            break;
        }
    }
    while (unit < n_units && jump_kinds[bytes[2 * unit]] == NO_JUMP) {
        unit++;
    }
    return unit;
}

/* Note where each jump goes. Return whether any has a target on its own line. */
static int
note_jumps(PyCodeObject *code, line_places *places, const unsigned char *bytes, Py_ssize_t n_units,
           unsigned char *known)
{
    int has_own = 0;
    for (Py_ssize_t unit = next_jump(bytes, n_units, 0); unit < n_units; unit = next_jump(bytes, n_units, unit + 1)) {
        Py_ssize_t target = jump_target(bytes, n_units, unit);
        Py_ssize_t end = target + (jump_kinds[bytes[2 * unit]] == TO_END ? N_AT_END : 1);
        for (; target >= 0 && target < n_units && target < end; target++) {
            int is_own = are_on_one_line(code, places, unit, target);
            known[target] |= is_own ? FROM_OWN_LINE : FROM_ELSEWHERE;
            has_own |= is_own;
        }
    }
    return has_own;
}

/* 6 bits a byte, high bits first; bit 6 says that more bytes follow (CPython: InternalDocs/exception_handling.md). */
static Py_ssize_t
next_varint(const unsigned char **at, const unsigned char *end)
{
    Py_ssize_t value = 0;
    int is_more = 1;
    while (is_more && *at < end) {
        value = value << 6 | (**at & 63);
        is_more = **at & 64;
        (*at)++;
    }
    return value;
}

/* Note the handlers of exceptions: these come from any line. */
static void
note_handlers(PyCodeObject *code, Py_ssize_t n_units, unsigned char *known)
{
    const unsigned char *at = (const unsigned char *)PyBytes_AS_STRING(code->co_exceptiontable);
    const unsigned char *end = at + PyBytes_GET_SIZE(code->co_exceptiontable);
    while (at < end) {
        (void)next_varint(&at, end); /* start */
        (void)next_varint(&at, end); /* length */
        Py_ssize_t handler = next_varint(&at, end);
        (void)next_varint(&at, end); /* depth */
        if (handler < n_units) {
            known[handler] |= FROM_ELSEWHERE;
        }
    }
}

/* Return whether control that does not jump comes to `unit` from the same line. After RESUME, CPython sends an event
 * all the same. */
static int
follows_own_line(PyCodeObject *code, line_places *places, const unsigned char *bytes, Py_ssize_t unit)
{
    Py_ssize_t before = unit - 1;
    if (SENDS_LINES_BEHIND_CALLS && before >= 0 && bytes[2 * before] == CACHE) {
        return 0;
    }
    while (before > 0 && bytes[2 * before] == CACHE) {
        before--;
    }
    return before >= 0 && bytes[2 * before] != RESUME && are_on_one_line(code, places, before, unit);
}

static void
stop_watching(PyCodeObject *code, line_places *places, Py_ssize_t unit)
{
    unsigned char *watched = watched_opcode(places, unit);
    unsigned char *live = (unsigned char *)code->co_code_adaptive + 2 * unit;
    if (*live != INSTRUMENTED_LINE || *watched == 0 || *watched == INSTRUMENTED_INSTRUCTION) {
        return;
    }
    __atomic_store_n(live, *watched, __ATOMIC_RELAXED); /* the sampler may read it */
    *watched = 0;
}

static void
stop_watching_silent(PyCodeObject *code, line_places *places, const unsigned char *bytes, Py_ssize_t n_units,
                     const unsigned char *known)
{
    const unsigned char *end = known + n_units;
    const unsigned char *at = known + code->_co_firsttraceable;
    while (at < end && (at = memchr(at, FROM_OWN_LINE, (size_t)(end - at))) != NULL) {
        if (follows_own_line(code, places, bytes, at - known)) {
            stop_watching(code, places, at - known);
        }
        at++;
    }
}

void
silent_lines_remove(PyCodeObject *code)
{
    line_places *places = code->_co_monitoring == NULL ? NULL : code->_co_monitoring->lines;
    PyObject *bytecode = places == NULL ? NULL : PyCode_GetCode(code); // owned
    if (bytecode == NULL) {
        PyErr_Clear(); /* no memory: the code stays as it is */
        return;
    }
    const unsigned char *bytes = (const unsigned char *)PyBytes_AS_STRING(bytecode);
    Py_ssize_t n_units = PyBytes_GET_SIZE(bytecode) / 2;
    unsigned char on_stack[N_UNITS_ON_STACK];
    unsigned char *known = n_units <= N_UNITS_ON_STACK ? on_stack : PyMem_RawMalloc((size_t)n_units); // owned
    if (known != NULL) {
        memset(known, 0, (size_t)n_units);
    }
    if (known != NULL && note_jumps(code, places, bytes, n_units, known)) {
        note_handlers(code, n_units, known);
        stop_watching_silent(code, places, bytes, n_units, known);
    }
    if (known != on_stack) {
        PyMem_RawFree(known);
    }
    Py_DECREF(bytecode);
}

#endif
