/* Events of one code object to lines and arcs: the walk that analyze/bytecode/arcs.py describes. */
#ifndef FOOTFALL_DECODE_ARCS_H
#define FOOTFALL_DECODE_ARCS_H

#include "decode/graph.h"

/* Return a new tuple of two sets: lines, and arcs as tuples. `events` has a byte of EVENT_ flags for each unit, and as
 * many more for each end of an `except*`. NULL with ValueError if their number is different, or with MemoryError. */
PyObject *arcs_of_events(const code_graph *graph, const uint8_t *events, Py_ssize_t n_events, int has_exits,
                         int is_partial);

#endif
