/* except_star_ends.c finds the ends of `except*` statements in bytecode, and keeps the last line of
 * each frame that handles an exception group. It does not record: engines/monitoring/events.c does. Every function
 * needs the GIL. */
#include "engines/monitoring/places/except_star_ends.h"

#include "compat/versions.h"

#include <opcode.h>
#include <string.h>

#if HAS_BRANCH_EVENTS

#define MAX_PLACES (1u << 22) /* above this, in generated code of that size, the ends are ignored */

static unsigned char
opcode_at(const unsigned char *bytecode, Py_ssize_t unit)
{
    return bytecode[2 * unit];
}

/* Return whether PREP_RERAISE_STAR, COPY and the jump are there; the jump has no line. */
static int
is_end(PyCodeObject *code, const unsigned char *bytecode, Py_ssize_t unit)
{
    if (opcode_at(bytecode, unit) != POP_JUMP_IF_NOT_NONE) {
        return 0;
    }
    Py_ssize_t before = unit - 1;
    while (before > 0 && opcode_at(bytecode, before) == EXTENDED_ARG) {
        before--;
    }
    return before > 0 && opcode_at(bytecode, before) == COPY && opcode_at(bytecode, before - 1) == CALL_INTRINSIC_2
           && PyCode_Addr2Line(code, (int)(2 * unit)) < 0;
}

except_star_ends *
except_star_ends_find(PyCodeObject *code, PyObject *bytecode)
{
    const unsigned char *bytes = (const unsigned char *)PyBytes_AS_STRING(bytecode);
    Py_ssize_t n_units = PyBytes_GET_SIZE(bytecode) / 2;
    if (PyBytes_GET_SIZE(code->co_exceptiontable) == 0
        || memchr(bytes, CALL_INTRINSIC_2, (size_t)n_units * 2) == NULL) {
        return NULL; /* nearly always */
    }
    Py_ssize_t first_unit = -1;
    uint32_t n_ends = 0;
    for (Py_ssize_t unit = 0; unit < n_units; unit++) {
        if (first_unit < 0 && opcode_at(bytes, unit) == PUSH_EXC_INFO) {
            first_unit = unit;
        }
        n_ends += is_end(code, bytes, unit);
    }
    if (n_ends == 0 || first_unit < 0 || (uint64_t)n_units * n_ends > MAX_PLACES) {
        return NULL;
    }
    except_star_ends *found = PyMem_RawMalloc(sizeof *found + n_ends * sizeof found->ends[0]);
    if (found == NULL) {
        return NULL;
    }
    found->n_units = (uint32_t)n_units;
    found->first_unit = (uint32_t)first_unit;
    found->n_ends = 0;
    for (Py_ssize_t unit = first_unit; unit < n_units && found->n_ends < n_ends; unit++) {
        if (is_end(code, bytes, unit)) {
            found->ends[found->n_ends++] = (uint32_t)unit;
        }
    }
    return found;
}

#else /* no branch events, so nothing to tell apart */

except_star_ends *
except_star_ends_find(PyCodeObject *Py_UNUSED(code), PyObject *Py_UNUSED(bytecode))
{
    return NULL;
}

#endif

void
except_star_ends_free(except_star_ends *ends)
{
    PyMem_RawFree(ends);
}

uint32_t
except_star_ends_places(const except_star_ends *ends)
{
    return ends == NULL ? 0 : ends->n_units * ends->n_ends;
}

/* While INSTRUCTION events are on, BRANCH_LEFT names the NOT_TAKEN that follows the jump and its cache. */
#define TO_NOT_TAKEN 2

static uint32_t
number_of_end(const except_star_ends *ends, uint32_t unit)
{
    uint32_t number = 0;
    while (number < ends->n_ends && ends->ends[number] != unit && ends->ends[number] + TO_NOT_TAKEN != unit) {
        number++;
    }
    return number;
}

int
except_star_ends_watch(const except_star_ends *ends, uint32_t unit, int is_line)
{
    if (unit < ends->first_unit || unit > ends->ends[ends->n_ends - 1] + TO_NOT_TAKEN) {
        return 0;
    }
    return is_line || number_of_end(ends, unit) < ends->n_ends;
}

/* There is no event when frames end. An entry that an end has read is only needed until the next line or, in nested
 * `except*` statements, the next end, which follows at once: such entries are removed when there is no room. */
#define AFTER_END(unit) (-1 - (int32_t)(unit))

static void
forget_left_frames(frame_lines *last_lines)
{
    frame_lines kept = {NULL, 0, 0};
    for (uint32_t i = 0; i < last_lines->n_slots; i++) {
        const frame_line *at = &last_lines->slots[i];
        if (at->frame != NULL && at->last_line >= 0 && frame_lines_put(&kept, at->frame, at->last_line) < 0) {
            frame_lines_free(&kept);
            return; /* no memory: all stay */
        }
    }
    if (kept.n_used > last_lines->n_used / 2) {
        frame_lines_free(&kept); /* not worth it: let the table grow */
        return;
    }
    frame_lines_free(last_lines);
    *last_lines = kept;
}

void
except_star_ends_note_line(frame_lines *last_lines, const void *frame, uint32_t unit)
{
    if (last_lines->n_used >= last_lines->n_slots / 2) {
        forget_left_frames(last_lines);
    }
    (void)frame_lines_put(last_lines, frame, (int32_t)unit); /* without memory the line before the end is unknown */
}

uint32_t
except_star_ends_place(frame_lines *last_lines, const except_star_ends *ends, const void *frame, uint32_t unit)
{
    uint32_t line_unit = unit; /* without a line: unknown */
    frame_line *last = frame_lines_find(last_lines, frame);
    if (last != NULL) {
        line_unit = (uint32_t)(last->last_line >= 0 ? last->last_line : AFTER_END(last->last_line));
        last->last_line = AFTER_END(line_unit);
    }
    if (line_unit >= ends->n_units) {
        line_unit = unit;
    }
    return (1 + number_of_end(ends, unit)) * ends->n_units + line_unit;
}
