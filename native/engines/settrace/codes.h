/* What the settrace engine has in the co_extra slots of code objects. Binding C; everything runs under the GIL. */
#ifndef FOOTFALL_ENGINES_SETTRACE_CODES_H
#define FOOTFALL_ENGINES_SETTRACE_CODES_H

#include "engines/settrace/state.h"

/* What this engine has put into a slot; NULL if nothing, whatever an earlier engine has put there. */
traced_code *traced_code_known(const struct settrace *engine, void *extra);

/* What the code of an event's frame has in its slot (`what` is the event), which may be that it is not measured. NULL after
 * a failure, and if the engine was stopped meanwhile. */
traced_code *traced_code_find(module_state *state, PyCodeObject *code, int what);

/* Pass over code without probes from now on, also within other code. 0, or -1 with an exception. */
int traced_code_pass_over(module_state *state, PyObject *code, Py_ssize_t slot);

#endif
