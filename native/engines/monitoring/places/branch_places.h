/* Where a BRANCH event is recorded.
 *
 * LEFT of a conditional jump is sent by the NOT_TAKEN that follows it, RIGHT of a loop by the POP_ITER after its end.
 * Both name as their source the instruction at which the frame was last; that is another one while INSTRUCTION events
 * are on, and when CPython's JIT has left its compiled code. Their destination is always right. */
#ifndef FOOTFALL_ENGINES_MONITORING_BRANCH_PLACES_H
#define FOOTFALL_ENGINES_MONITORING_BRANCH_PLACES_H

#include "core/state.h"

/* The byte offset for an event from `source` to `destination` (byte offsets): its source, or the instruction that sent
 * it if the source does not tell. `code` is borrowed. -1 with an exception. */
Py_ssize_t branch_place(PyCodeObject *code, Py_ssize_t source, Py_ssize_t destination, int is_left);

#endif
