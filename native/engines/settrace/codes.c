/* settrace/codes.c owns what code objects have in their co_extra slots for the settrace engine: which are measured. */
#include "core/state.h" /* first: Python.h must come before the system headers */

#include "engines/settrace/codes.h"

#include "engines/code_extra.h"
#include "engines/probes/probes.h"
#include "engines/settrace/pairs.h"

#define UNITS_PER_PAIR 4 /* a guess: code units for each pair of lines that will run */

/* Marks the slot of a code object that the engine does not measure: not an address, since these are even. */
static traced_code *
not_measured(const struct settrace *engine)
{
    return (traced_code *)(((uintptr_t)engine->start << 1) | 1);
}

/* Marks the slot of a code object without probes whose module has some, for all engines. */
static void *
needs_no_probes(void)
{
    return (void *)(uintptr_t)1; /* no engine starts as number 0 */
}

/* Whether a slot has this mark, or what replaced it. */
static int
is_marked(void *extra)
{
    return extra == needs_no_probes() || (traced_code_is_measured(extra) && ((traced_code *)extra)->needs_none);
}

/* An engine that is `only_new` measures modules with probes too: probes don't see all pairs of lines. */
traced_code *
traced_code_known(const struct settrace *engine, void *extra)
{
    traced_code *traced = extra;
    int is_ours = traced_code_is_measured(traced) ? traced->start == engine->start : traced == not_measured(engine);
    if (is_ours) {
        return traced;
    }
    return !engine->only_new && is_marked(extra) ? not_measured(engine) : NULL;
}

/* As traced_code_find. */
static traced_code *
register_code(module_state *state, PyCodeObject *code)
{
    PyObject *path = settrace_decision(state, code->co_filename); // borrowed
    void *extra = NULL;
    if (path == NULL || PyUnstable_Code_GetExtra((PyObject *)code, state->settrace->extra_index, &extra) < 0) {
        return NULL;
    }
    traced_code *traced = traced_code_known(state->settrace, extra);
    if (traced != NULL) {
        return traced; /* another thread was faster while this one decided */
    }
    int needs_none = is_marked(extra);
    traced = not_measured(state->settrace);
    if (path == Py_None && needs_none) {
        return traced; /* the mark stays */
    }
    /* When both engines run, probes measure code that has some. */
    if (path != Py_None && (state->settrace->only_new || !probes_is_armed(state, (PyObject *)code))) {
        traced = PyMem_RawCalloc(1, sizeof *traced);
        if (traced == NULL) {
            PyErr_NoMemory();
            return NULL;
        }
        traced->start = state->settrace->start;
        traced->needs_none = needs_none;
        traced->filename = Py_NewRef(code->co_filename);
        traced->bytecode = PyCode_GetCode(code);
        int is_plugins = state->settrace->traced_frames != NULL && !PyUnicode_Check(path);
        if (is_plugins) {
            traced->plugin_file = traced_frames_file(state->settrace->traced_frames, path);
        }
        if (traced->bytecode == NULL || (is_plugins && traced->plugin_file == NULL)) {
            traced_code_free(traced);
            return NULL;
        }
        if (!is_plugins
            && traced_pairs_begin(state, code, traced,
                                  (uint32_t)PyBytes_GET_SIZE(traced->bytecode) / 2 / UNITS_PER_PAIR)
                   < 0) {
            traced_code_free(traced);
            return NULL;
        }
    }
    if (code_extra_set((PyObject *)code, state->settrace->extra_index, traced) < 0) {
        traced_code_free(traced);
        return NULL;
    }
    return traced;
}

traced_code *
traced_code_find(module_state *state, PyCodeObject *code, int what)
{
    void *extra = NULL;
    if (PyUnstable_Code_GetExtra((PyObject *)code, state->settrace->extra_index, &extra) < 0) {
        return NULL;
    }
    traced_code *traced = traced_code_known(state->settrace, extra);
    if (traced == NULL && state->settrace->only_new && what != PyTrace_CALL) {
        return not_measured(state->settrace); /* of a frame that began earlier: its file must not count */
    }
    return traced != NULL ? traced : register_code(state, code);
}

int
traced_code_pass_over(module_state *state, PyObject *code, Py_ssize_t slot)
{
    if (Py_EnterRecursiveCall("")) {
        return -1;
    }
    int status = probes_is_armed(state, code) ? 0 : code_extra_set(code, slot, needs_no_probes());
    PyObject *constants = ((PyCodeObject *)code)->co_consts; // borrowed
    for (Py_ssize_t i = 0; status == 0 && i < PyTuple_GET_SIZE(constants); i++) {
        PyObject *constant = PyTuple_GET_ITEM(constants, i); // borrowed
        status = PyCode_Check(constant) ? traced_code_pass_over(state, constant, slot) : 0;
    }
    Py_LeaveRecursiveCall();
    return status;
}
