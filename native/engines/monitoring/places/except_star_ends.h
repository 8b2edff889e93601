/* Which line each end of an `except*` statement was reached from.
 *
 * After all its clauses, one conditional jump decides whether something is raised again. The clauses meet before it in
 * instructions without a line, so events that fire once can't tell which of their lines went which way. It is the only
 * such jump that CPython 3.14 and 3.15 compile; in code that has one, the lines of the clauses fire every time. They
 * run only while an exception group is handled. */
#ifndef FOOTFALL_ENGINES_MONITORING_EXCEPT_STAR_ENDS_H
#define FOOTFALL_ENGINES_MONITORING_EXCEPT_STAR_ENDS_H

#include "core/state.h"

#include "engines/trace_sets.h"

typedef struct except_star_ends {
    uint32_t n_units;
    uint32_t first_unit; /* of the handlers: LINE events from here to the last end are watched */
    uint32_t n_ends;
    uint32_t ends[]; /* the units of those jumps, in order */
} except_star_ends;

/* Return the ends in a code object; NULL if there are none. `bytecode` is without instrumentation. */
except_star_ends *except_star_ends_find(PyCodeObject *code, PyObject *bytecode);

void except_star_ends_free(except_star_ends *ends);

/* How many places they need after the code's own: for each end, one for each unit at which a line may begin. */
uint32_t except_star_ends_places(const except_star_ends *ends);

/* Return whether an event at this unit must keep firing. */
int except_star_ends_watch(const except_star_ends *ends, uint32_t unit, int is_line);

/* A line began at `unit` of this frame. */
void except_star_ends_note_line(frame_lines *last_lines, const void *frame, uint32_t unit);

/* Return the place for the end at `unit` and the line at which this frame was last. */
uint32_t except_star_ends_place(frame_lines *last_lines, const except_star_ends *ends, const void *frame,
                                uint32_t unit);

#endif
