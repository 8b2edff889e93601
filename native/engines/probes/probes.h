/* The engine of probes, as used by its hooks and by settrace when both run. All need the GIL; pointers returned are
 * borrowed. */
#ifndef FOOTFALL_ENGINES_PROBES_PROBES_H
#define FOOTFALL_ENGINES_PROBES_PROBES_H

#include "core/state.h"
#include "engines/probes/callbacks.h"

/* NULL without an exception if there is none. */
PyObject *probes_callback(module_state *state, enum probes_callback which);

/* Take a new reference. */
void probes_set_callback(module_state *state, enum probes_callback which, PyObject *callback);

/* Return whether the code is an instrumented module's, not armed. */
int probes_has_header(PyObject *code);

/* Return whether there are probes that record among the code's own constants. */
int probes_is_armed(module_state *state, PyObject *code);

/* Return whether code of the file needs no more decision. 1 or 0, -1 with an exception. */
int probes_is_settled(module_state *state, PyObject *filename);

/* Note that it needs no more. 0, or -1 with an exception. */
int probes_settle(module_state *state, PyObject *filename);

/* What captures see; NULL once the module is torn down. */
struct captures *probes_captures(module_state *state);

int probes_exec(PyObject *module);

#endif
