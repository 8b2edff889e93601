/* The engine of probes, as its hooks and settrace beside it use it. All need the GIL; pointers returned are borrowed. */
#ifndef FOOTFALL_ENGINES_PROBES_PROBES_H
#define FOOTFALL_ENGINES_PROBES_PROBES_H

#include "core/state.h"

/* How the mark of a module's first probe begins (probes/forms.py). */
#define MODULE_MARK "\0footfall module "

enum probes_callback {
    PROBES_PLAIN_COMPILE,
    PROBES_ON_COMPILE,
    PROBES_PLAIN_EXEC,
    PROBES_PLAIN_EVAL,
    PROBES_PLAIN_LOADS,
    PROBES_PLAIN_LOAD,
    PROBES_ON_UNARMED, /* code with probes that do not record yet */
    PROBES_ON_PLAIN, /* a module's code without probes */
    N_PROBES_CALLBACKS,
};

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

/* Let probes record in the code of a value that marshal made of `data`, or of a file (NULL). Raises nothing. */
void probes_arm_copies(module_state *state, PyObject *value, PyObject *data);

/* Take new references: bytes that tell what numbers probes here, and the scope's decision. */
void probes_expect_copies(module_state *state, PyObject *token, PyObject *decide);

/* What captures see; NULL once the module is torn down. */
struct captures *probes_captures(module_state *state);

int probes_exec(PyObject *module);

#endif
