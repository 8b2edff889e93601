/* Code with probes that marshal has copied. All need the GIL and raise nothing. */
#ifndef FOOTFALL_ENGINES_PROBES_COPIES_H
#define FOOTFALL_ENGINES_PROBES_COPIES_H

#include "core/state.h"

/* Make the probes record in the code inside a value that marshal made of `data`, or of a file (NULL). */
void copies_arm(module_state *state, PyObject *value, PyObject *data);

/* Take new references: bytes that identify what numbers probes here, and the scope's decision. */
void copies_expect(module_state *state, PyObject *token, PyObject *decide);

#endif
