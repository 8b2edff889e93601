/* The engine of probes, as its hooks and settrace beside it use it. All need the GIL; pointers returned are borrowed. */
#ifndef FOOTFALL_ENGINES_PROBES_PROBES_H
#define FOOTFALL_ENGINES_PROBES_PROBES_H

#include "core/state.h"
#include "engines/probes/callbacks.h"

/* NULL without an exception when there is none. */
PyObject *probes_callback(module_state *state, enum probes_callback which);

/* Take a new reference. */
void probes_set_callback(module_state *state, enum probes_callback which, PyObject *callback);

/* Whether the code is an instrumented module's, not armed. */
int probes_has_header(PyObject *code);

/* Whether probes among the code's own constants record. */
int probes_is_armed(module_state *state, PyObject *code);

/* Whether code of the file needs no more asking. 1 or 0, -1 with an exception. */
int probes_is_settled(module_state *state, PyObject *filename);

/* Make that so. 0, or -1 with an exception. */
int probes_settle(module_state *state, PyObject *filename);

/* What captures see; NULL once the module is torn down. */
struct captures *probes_captures(module_state *state);

int probes_exec(PyObject *module);

#endif
