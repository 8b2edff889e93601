/* The conditional jumps of a code object, for condition coverage: as analyze/conditions/branch_outcomes.py finds them. */
#ifndef FOOTFALL_DECODE_JUMPS_H
#define FOOTFALL_DECODE_JUMPS_H

#include "decode/graph.h"

/* Return a new (places, jumps). `places` are the positions of each jump as text: those of its tester and its own, four
 * numbers each, with commas between all; `jumps` is a list of (unit, opcode). `ops` is an analyze.opcodes.Opcodes, `test`
 * a ConstantTest. NULL with an exception. */
PyObject *jumps_of_code(const uint8_t *code, Py_ssize_t n_bytes, const uint8_t *line_table, Py_ssize_t table_bytes,
                        int64_t first_line, PyObject *ops, PyObject *test);

#endif
