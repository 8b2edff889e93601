/* settrace/state.c owns the engine itself: its life while calls of it wait for Python code, its failure, its list of code
 * objects with something to record, and what was decided about files. */
#include "core/state.h" /* first: Python.h must come before the system headers */

#include "engines/settrace/state.h"

#include "engines/decision.h"
#include "record/recorder.h"

void
traced_code_free(void *extra)
{
    traced_code *traced = extra;
    if (!traced_code_is_measured(traced)) {
        return;
    }
    Py_CLEAR(traced->bytecode);
    other_context_pairs_free(&traced->other_pairs);
    if (traced->is_dirty) {
        traced->is_orphan = 1; /* its pairs still have to be recorded when the context ends */
        return;
    }
    Py_XDECREF(traced->filename);
    PyMem_RawFree(traced);
}

void
traced_code_mark_dirty(struct settrace *engine, traced_code *traced)
{
    if (!traced->is_dirty) {
        traced->is_dirty = 1;
        traced->next_dirty = engine->dirty;
        engine->dirty = traced;
    }
}

traced_code *
traced_code_pop_dirty(struct settrace *engine)
{
    traced_code *first = engine->dirty;
    if (first != NULL) {
        engine->dirty = first->next_dirty;
        first->is_dirty = 0;
    }
    return first;
}

void
settrace_free(struct settrace *engine)
{
    Py_CLEAR(engine->decide);
    Py_CLEAR(engine->traced_frames);
    Py_CLEAR(engine->decisions);
    Py_CLEAR(engine->function);
    Py_CLEAR(engine->f_trace);
    for (traced_code *traced = traced_code_pop_dirty(engine); traced != NULL; traced = traced_code_pop_dirty(engine)) {
        if (traced->is_orphan) {
            traced_code_free(traced);
        }
    }
    frame_lines_free(&engine->running);
    PyMem_Free(engine);
}

void
settrace_enter(module_state *state)
{
    state->settrace->n_callers++;
}

int
settrace_leave(module_state *state, struct settrace *engine)
{
    engine->n_callers--;
    if (state->settrace == engine) {
        return 0;
    }
    PyErr_Clear(); /* nobody needs it any more */
    if (engine->is_stopped && engine->n_callers == 0) {
        settrace_free(engine);
    }
    return -1;
}

void
settrace_fail(module_state *state)
{
    struct settrace *engine = state->settrace;
    PyObject *type = NULL, *value = NULL, *traceback = NULL; // owned
    PyErr_Fetch(&type, &value, &traceback);
    if (!engine->is_off) {
        engine->is_off = 1;
        recorder_add_message(state->recorder, "engine-failed", "coverage stopped by an internal error");
        PySys_FormatStderr("footfall: coverage stopped by an internal error: %R. What ran before "
                           "is kept; please report it. [engine-failed]\n",
                           value == NULL ? Py_None : value);
    }
    Py_XDECREF(type);
    Py_XDECREF(value);
    Py_XDECREF(traceback);
    PyErr_Clear();
}

PyObject *
settrace_decision(module_state *state, PyObject *filename)
{
    struct settrace *engine = state->settrace;
    PyObject *known = PyDict_GetItemWithError(engine->decisions, filename); // borrowed
    if (known != NULL || PyErr_Occurred()) {
        return known;
    }
    settrace_enter(state);
    PyObject *path = decision_ask(engine->decide, filename); // owned
    if (settrace_leave(state, engine) < 0) {
        Py_XDECREF(path);
        return NULL;
    }
    if (path == NULL) {
        return NULL;
    }
    int stored = PyDict_SetItem(engine->decisions, filename, path);
    Py_DECREF(path);
    return stored < 0 ? NULL : PyDict_GetItemWithError(engine->decisions, filename); /* the dict keeps it alive */
}
