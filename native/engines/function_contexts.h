/* Contexts that functions begin: coverage.py's `dynamic_context = test_function`. */
#ifndef FOOTFALL_ENGINES_FUNCTION_CONTEXTS_H
#define FOOTFALL_ENGINES_FUNCTION_CONTEXTS_H

#include "core/state.h"

/* What evaluates this interpreter's frames where nobody else wants to: ours while functions begin contexts, else the
 * interpreter's own. */
_PyFrameEvalFunction function_contexts_evaluator(PyInterpreterState *interpreter);

/* For an engine that traces: a frame begins or goes on; it returns, yields or is left by an exception. An exception that is set
 * stays. Do nothing where contexts are begun otherwise, or not at all. */
void function_contexts_call(module_state *state, PyFrameObject *frame);
void function_contexts_return(module_state *state, const PyFrameObject *frame);

int function_contexts_exec(PyObject *module);
int function_contexts_traverse(module_state *state, visitproc visit, void *arg);
void function_contexts_clear(module_state *state);

#endif
