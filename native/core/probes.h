/* Between probes.c and probes_hooks.c. All need the GIL; pointers returned are borrowed. */
#ifndef FOOTFALL_PROBES_H
#define FOOTFALL_PROBES_H

#include "core/state.h"

enum probes_callback {
    PROBES_PLAIN_COMPILE,
    PROBES_ON_COMPILE,
    PROBES_PLAIN_EXEC,
    PROBES_PLAIN_EVAL,
    PROBES_ON_UNARMED, /* code with probes that do not record yet */
    PROBES_ON_PLAIN,   /* a module's code without probes */
    N_PROBES_CALLBACKS,
};

/* NULL without an exception when there is none. */
PyObject *probes_callback(module_state *state, enum probes_callback which);

/* Take new references to N_PROBES_CALLBACKS objects. */
void probes_set_callbacks(module_state *state, PyObject *const *callbacks);

/* Whether the code is an instrumented module's, not armed. */
int probes_has_header(PyObject *code);

/* Whether probes among the code's own constants record. */
int probes_is_armed(module_state *state, PyObject *code);

/* Whether code of the file needs no more asking. 1 or 0, -1 with an exception. */
int probes_is_settled(module_state *state, PyObject *filename);

/* Make that so. 0, or -1 with an exception. */
int probes_settle(module_state *state, PyObject *filename);

int probes_hooks_exec(PyObject *module);

#endif
