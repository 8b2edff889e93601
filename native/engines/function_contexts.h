/* Contexts that functions begin: coverage.py's `dynamic_context = test_function`. */
#ifndef FOOTFALL_ENGINES_FUNCTION_CONTEXTS_H
#define FOOTFALL_ENGINES_FUNCTION_CONTEXTS_H

#include "core/state.h"

/* Return the function that evaluates this interpreter's frames if nobody else does: ours while functions begin
 * contexts, else the interpreter's own. */
_PyFrameEvalFunction function_contexts_evaluator(PyInterpreterState *interpreter);

/* For an engine that traces: a frame begins or continues; it returns, yields or is left by an exception. A set
 * exception stays set. Do nothing if contexts begin in another way, or not at all. */
void function_contexts_call(module_state *state, PyFrameObject *frame);
void function_contexts_return(module_state *state, const PyFrameObject *frame);

int function_contexts_exec(PyObject *module);
int function_contexts_traverse(module_state *state, visitproc visit, void *arg);
void function_contexts_clear(module_state *state);

#endif
