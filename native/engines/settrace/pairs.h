/* The pairs of lines that the settrace engine records. Binding C; everything runs under the GIL. */
#ifndef FOOTFALL_ENGINES_SETTRACE_PAIRS_H
#define FOOTFALL_ENGINES_SETTRACE_PAIRS_H

#include "engines/settrace/state.h"

#define NO_LINE 0 /* `from` of a pair of which only the line is known */

/* Give the code object a new set with room for `n_expected` pairs; its older sets stay in the file. 0, or -1 with an
 * exception, or without one if the engine was stopped meanwhile. */
int traced_pairs_begin(module_state *state, PyCodeObject *code, traced_code *traced, uint32_t n_expected);

/* Record a pair in the present context. As traced_pairs_begin. */
int traced_pairs_add(module_state *state, PyCodeObject *code, traced_code *traced, int32_t from, int32_t to);

/* Record and clear the pairs of all code objects, as the context ends. 0. */
int traced_pairs_flush(module_state *state);

#endif
