/* engines/probes/probes.c is the engine: it arms the code of instrumented modules, which puts an Events object
 * (events.c) in place of the mark in the compiled code, and has the functions that contexts, hooks and the module's
 * teardown call. Threads: all under the GIL. */
#include "engines/probes/probes.h"

#include "engines/engine.h"
#include "engines/probes/captures/captures.h"
#include "engines/probes/events.h"
#include "engines/probes/marks.h"
#include "engines/probes/removed.h"
#include "record/recorder.h"

#include <string.h>

PyObject *
probes_callback(module_state *state, enum probes_callback which)
{
    return state->probes == NULL ? NULL : state->probes->callbacks[which];
}

void
probes_set_callback(module_state *state, enum probes_callback which, PyObject *callback)
{
    if (state->probes != NULL) {
        Py_XSETREF(state->probes->callbacks[which], Py_NewRef(callback));
    }
}

struct captures *
probes_captures(module_state *state)
{
    return state->probes == NULL ? NULL : &state->probes->captures;
}

int
probes_has_header(PyObject *code)
{
    return marks_find_header((PyCodeObject *)code) != NULL;
}

int
probes_is_armed(module_state *state, PyObject *code)
{
    PyObject *constants = ((PyCodeObject *)code)->co_consts; // borrowed
    Py_ssize_t size = state->probes == NULL ? 0 : PyTuple_GET_SIZE(constants);
    for (Py_ssize_t i = 0; i < size; i++) {
        if (Py_TYPE(PyTuple_GET_ITEM(constants, i)) == state->probes->events_type) {
            return 1;
        }
    }
    return 0;
}

int
probes_is_settled(module_state *state, PyObject *filename)
{
    return state->probes == NULL ? 1 : PySet_Contains(state->probes->settled, filename);
}

int
probes_settle(module_state *state, PyObject *filename)
{
    return state->probes == NULL ? 0 : PySet_Add(state->probes->settled, filename);
}

PyDoc_STRVAR(probes_arm_doc,
             "probes_arm($module, code, where, /)\n--\n\n"
             "Let the probes in a module's code record. True when it has some and they do now.\n\n"
             "`where` is the file's absolute path, or what the first probe to be reached asks for it by co_filename;\n"
             "that gives None for a module that is not measured.");

static PyObject *
probes_arm(PyObject *module, PyObject *args)
{
    module_state *state = get_state(module);
    PyCodeObject *code; // borrowed
    PyObject *where; // borrowed
    if (!PyArg_ParseTuple(args, "O!O:probes_arm", &PyCode_Type, &code, &where)) {
        return NULL;
    }
    PyObject *header = marks_find_header(code); // borrowed
    if (header == NULL || state->probes == NULL || state->recorder == NULL) {
        Py_RETURN_FALSE;
    }
    removed_list_open(&state->probes->removed);
    PyObject *events = events_of(state, header, code->co_filename, where); // owned
    if (events == NULL) {
        if (PyErr_Occurred()) {
            return NULL;
        }
        Py_RETURN_FALSE;
    }
    marks_replace(code, events, 0);
    Py_DECREF(events);
    Py_RETURN_TRUE;
}

PyDoc_STRVAR(probes_rearm_doc,
             "probes_rearm($module, /)\n--\n\n"
             "Put all probes that were taken out back in. Return how many.");

static PyObject *
probes_rearm(PyObject *module, PyObject *Py_UNUSED(ignored))
{
    struct probes *probes = get_state(module)->probes;
    return PyLong_FromSize_t(probes == NULL ? 0 : removed_list_put_back(&probes->removed));
}

PyDoc_STRVAR(probes_record_doc,
             "probes_record($module, decide, /)\n--\n\n"
             "Let all probes that there are, those of captures too, record in the record that has just been opened.\n\n"
             "`decide(co_filename)` gives the path of a measured file. With None, they record no more.");

static PyObject *
probes_record(PyObject *module, PyObject *decide)
{
    struct probes *probes = get_state(module)->probes;
    if (probes == NULL) {
        Py_RETURN_NONE;
    }
    Py_XSETREF(probes->decide_late, decide == Py_None ? NULL : Py_NewRef(decide));
    PyObject *events; // borrowed
    Py_ssize_t at = 0;
    while (PyDict_Next(probes->armed, &at, NULL, &events)) {
        events_decide_anew((events_object *)events, probes->decide_late);
    }
    probes->has_other_contexts = 0;
    removed_list_put_back(&probes->removed);
    Py_RETURN_NONE;
}

static int
probes_flush(module_state *state)
{
    struct probes *probes = state->probes;
    recorder *rec = state->recorder;
    if (probes == NULL) {
        return 0;
    }
    probes->has_contexts = 1;
    probes->has_other_contexts = 0;
    for (events_object *events = events_pop_dirty(probes); events != NULL; events = events_pop_dirty(probes)) {
        /* Of another generation: a forked child records none of it; the bytes are the parent's. */
        if (events->events != NULL && events->generation == rec->generation
            && recorder_add_events(rec, RECORD_PROBE_EVENTS, events->probes_id, rec->context_id, events->events,
                                   events->n_probes)
                   == 0) {
            memset(events->events, 0, events->n_probes);
        }
        Py_DECREF(events);
    }
    removed_list_put_back(&probes->removed);
    return 0;
}

static int
probes_traverse(module_state *state, visitproc visit, void *arg)
{
    if (state->probes != NULL) {
        Py_VISIT(state->probes->events_type);
        Py_VISIT(state->probes->armed);
        Py_VISIT(state->probes->decide);
        Py_VISIT(state->probes->decide_late);
        Py_VISIT(state->probes->settled);
        for (int i = 0; i < N_PROBES_CALLBACKS; i++) {
            Py_VISIT(state->probes->callbacks[i]);
        }
        return captures_traverse(&state->probes->captures, visit, arg);
    }
    return 0;
}

static void
probes_clear(module_state *state)
{
    struct probes *probes = state->probes;
    if (probes == NULL) {
        return;
    }
    state->probes = NULL;
    for (events_object *events = events_pop_dirty(probes); events != NULL; events = events_pop_dirty(probes)) {
        Py_DECREF(events);
    }
    removed_list_close(&probes->removed);
    Py_CLEAR(probes->armed);
    Py_CLEAR(probes->token);
    Py_CLEAR(probes->decide);
    Py_CLEAR(probes->decide_late);
    Py_CLEAR(probes->settled);
    Py_CLEAR(probes->events_type);
    for (int i = 0; i < N_PROBES_CALLBACKS; i++) {
        Py_CLEAR(probes->callbacks[i]);
    }
    captures_clear(&probes->captures);
    PyMem_Free(probes);
}

static PyMethodDef probes_methods[] = {
    {"probes_arm", probes_arm, METH_VARARGS, probes_arm_doc},
    {"probes_record", probes_record, METH_O, probes_record_doc},
    {"probes_rearm", probes_rearm, METH_NOARGS, probes_rearm_doc},
    {NULL, NULL, 0, NULL},
};

static const engine_functions probes_engine = {probes_flush, NULL, probes_traverse, probes_clear};

int
probes_exec(PyObject *module)
{
    struct probes *probes = PyMem_Calloc(1, sizeof *probes);
    if (probes == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    get_state(module)->probes = probes;
    engine_register(get_state(module), &probes_engine);
    probes->armed = PyDict_New();
    probes->settled = PySet_New(NULL);
    probes->events_type = events_make_type(module);
    if (probes->armed == NULL || probes->settled == NULL || probes->events_type == NULL) {
        return -1;
    }
    return PyModule_AddFunctions(module, probes_methods);
}
