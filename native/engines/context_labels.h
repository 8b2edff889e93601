/* Labels of contexts: a test, a phase of one, a request. */
#ifndef FOOTFALL_ENGINES_CONTEXT_LABELS_H
#define FOOTFALL_ENGINES_CONTEXT_LABELS_H

#include "core/state.h"

/* Whether the running thread or task belongs to another context than the process is in; then its id. Sets no
 * exception. */
int context_is_other(module_state *state, uint32_t *id);

/* Whether two labels are the same, or differ in their phase only. */
int context_has_same_owner(PyObject *one, PyObject *other);

#endif
