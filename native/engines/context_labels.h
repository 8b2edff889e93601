/* Labels of contexts: a test, a phase of one, a request. */
#ifndef FOOTFALL_ENGINES_CONTEXT_LABELS_H
#define FOOTFALL_ENGINES_CONTEXT_LABELS_H

#include "core/state.h"

/* Return whether the running thread or task belongs to a context other than the process's; then also its id. Sets no
 * exception. */
int context_is_other(module_state *state, uint32_t *id);

/* Return whether two labels are the same, or differ only in their phase. */
int context_has_same_owner(PyObject *one, PyObject *other);

#endif
