/* monitoring.c is the engine on sys.monitoring (PEP 669, CPython 3.12+) as a whole: it starts, fails and stops.
 * engines/monitoring/events.c has what its events do, engines/monitoring/codes.c which code objects have them,
 * engines/monitoring/contexts.c which context an event counts for. Offsets become lines and arcs after the run; nothing
 * is computed here. */
#include "engines/monitoring/monitoring.h"
#include "compat/versions.h"

#if HAS_MONITORING

#include "engines/code_extra.h"
#include "engines/engine.h"
#include "engines/greenlets.h"
#include "engines/monitoring/codes.h"
#include "engines/monitoring/contexts.h"
#include "engines/monitoring/events.h"
#include "engines/monitoring/places/silent_lines.h"

static int
start_events(PyObject *module, PyObject *monitoring, int with_branches)
{
    struct monitoring *mon = get_state(module)->monitoring;
    event_sets sets = {0, 0, 0};
    if (monitoring_register_callbacks(module, monitoring, with_branches, &sets) < 0) {
        return -1;
    }
    mon->local_events = PyLong_FromLong(sets.local);
    mon->watch_events = with_branches ? PyLong_FromLong(sets.local | sets.watch) : NULL;
    if (mon->local_events == NULL || (with_branches && mon->watch_events == NULL)) {
        return -1;
    }
    mon->global_events = sets.global;
    mon->with_branches = with_branches;
    PyObject *set = PyObject_CallFunction(mon->set_events, "Ol", mon->tool_id, sets.global); // owned
    Py_XDECREF(set);
    if (set == NULL) {
        return -1;
    }
    /* Code objects instrumented before this moment are instrumented anew when they are called:
     * engines/monitoring/contexts.c makes some look like these. */
    PyObject *restarted = PyObject_CallMethod(monitoring, "restart_events", NULL); // owned
    Py_XDECREF(restarted);
    return restarted == NULL ? -1 : 0;
}

PyDoc_STRVAR(monitoring_start_doc,
             "monitoring_start($module, tool_id, decide, with_branches, only_new, /)\n--\n\n"
             "Measure every code object whose file `decide(co_filename)` gives a path for.\n\n"
             "The record file must be open and the tool id taken. Branches need CPython 3.14. If `only_new`, generators\n"
             "that began before are seen as well; else the caller finds them.");

static PyObject *
monitoring_start(PyObject *module, PyObject *args)
{
    module_state *state = get_state(module);
    PyObject *tool_id;
    PyObject *decide;
    int with_branches;
    int only_new;
    if (!PyArg_ParseTuple(args, "O!Opp:monitoring_start", &PyLong_Type, &tool_id, &decide, &with_branches, &only_new)) {
        return NULL;
    }
    if (state->recorder == NULL || state->monitoring != NULL) {
        PyErr_SetString(PyExc_RuntimeError, "no record file is open, or the engine runs already");
        return NULL;
    }
    PyObject *monitoring = PySys_GetObject("monitoring"); // borrowed
    if (monitoring == NULL) {
        PyErr_SetString(PyExc_RuntimeError, "this interpreter has no sys.monitoring");
        return NULL;
    }
    struct monitoring *mon = PyMem_Calloc(1, sizeof *mon);
    if (mon == NULL) {
        return PyErr_NoMemory();
    }
    state->monitoring = mon;
    mon->only_new = only_new;
    mon->tool_id = Py_NewRef(tool_id);
    mon->decide = Py_NewRef(decide);
    mon->decisions = PyDict_New();
    mon->disable = PyObject_GetAttrString(monitoring, "DISABLE");
    mon->set_local_events = PyObject_GetAttrString(monitoring, "set_local_events");
    mon->set_events = PyObject_GetAttrString(monitoring, "set_events");
    mon->no_events = PyLong_FromLong(0);
    mon->extra_index = code_extra_slot(&state->code_events_slot, monitoring_free_code_events);
    mon->start = ++state->n_starts;
    if (mon->decisions == NULL || mon->disable == NULL || mon->set_local_events == NULL || mon->set_events == NULL
        || mon->no_events == NULL) {
        return NULL;
    }
    if (mon->extra_index < 0) {
        PyErr_SetString(PyExc_RuntimeError, "no co_extra slot is free");
        return NULL;
    }
    if (frame_layout_find(&mon->frames) < 0) {
        return NULL;
    }
    if (start_events(module, monitoring, with_branches) < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

static int
monitoring_traverse(module_state *state, visitproc visit, void *arg)
{
    struct monitoring *mon = state->monitoring;
    if (mon != NULL) {
        Py_VISIT(mon->decide);
        Py_VISIT(mon->decisions);
        Py_VISIT(mon->set_local_events);
        Py_VISIT(mon->set_events);
    }
    return 0;
}

static void
monitoring_clear(module_state *state)
{
    struct monitoring *mon = state->monitoring;
    if (mon == NULL) {
        return;
    }
    state->monitoring = NULL;
    for (code_events *at = monitoring_pop_dirty(mon); at != NULL; at = monitoring_pop_dirty(mon)) {
        if (at->code == NULL) {
            PyMem_RawFree(at);
        }
    }
    mon->is_stopped = 1;
    if (mon->n_callers == 0) {
        monitoring_free(mon);
    }
}

PyDoc_STRVAR(monitoring_stop_doc,
             "monitoring_stop($module, /)\n--\n\n"
             "Record no more. The caller takes the tool's callbacks away first.");

static PyObject *
monitoring_stop(PyObject *module, PyObject *Py_UNUSED(ignored))
{
    monitoring_clear(get_state(module));
    Py_RETURN_NONE;
}

/* Return whether code that is measured runs in a thread: whose frames began before a pause, or while it lasted. */
static int
has_running_frames(struct monitoring *mon)
{
    PyThreadState *thread = PyInterpreterState_ThreadHead(PyInterpreterState_Get());
    for (; thread != NULL; thread = PyThreadState_Next(thread)) {
        struct _PyInterpreterFrame *frame = frame_with_code(&mon->frames, frame_of_thread(thread));
        while (frame != NULL) {
            PyObject *code = PyUnstable_InterpreterFrame_GetCode(frame); // owned
            int is_measured = PyCode_Check(code) && code_events_of(mon, code) != NULL;
            Py_DECREF(code);
            if (is_measured) {
                return 1;
            }
            frame = frame_with_code(&mon->frames, frame_caller(&mon->frames, frame));
        }
    }
    return 0;
}

PyDoc_STRVAR(monitoring_pause_doc,
             "monitoring_pause($module, /)\n--\n\n"
             "Record nothing until `monitoring_resume`. False if that can't be: measured code is running.");

static PyObject *
monitoring_pause(PyObject *module, PyObject *Py_UNUSED(ignored))
{
    struct monitoring *mon = get_state(module)->monitoring;
    if (mon == NULL || mon->is_off || has_greenlets() || has_running_frames(mon)) {
        Py_RETURN_FALSE;
    }
    mon->is_paused = 1;
    Py_RETURN_TRUE;
}

PyDoc_STRVAR(monitoring_resume_doc,
             "monitoring_resume($module, /)\n--\n\n"
             "Go on after a pause, with what begins from now on. False if that can't be: measured code is running.");

static PyObject *
monitoring_resume(PyObject *module, PyObject *Py_UNUSED(ignored))
{
    struct monitoring *mon = get_state(module)->monitoring;
    if (mon == NULL || mon->is_off || !mon->is_paused || has_greenlets() || has_running_frames(mon)) {
        Py_RETURN_FALSE;
    }
    mon->is_paused = 0;
    if (mon->has_missed) {
        mon->has_missed = 0;
        PyObject *monitoring = PySys_GetObject("monitoring"); // borrowed
        PyObject *restarted =
            monitoring == NULL ? NULL : PyObject_CallMethod(monitoring, "restart_events", NULL); // owned
        if (restarted == NULL) {
            return NULL;
        }
        Py_DECREF(restarted);
    }
    Py_RETURN_TRUE;
}

PyDoc_STRVAR(monitoring_remove_silent_doc,
             "monitoring_remove_silent($module, code, /)\n--\n\n"
             "Take places that never send a LINE event from code whose LINE events have just been enabled.\n\n"
             "It must not have executed its first line yet.");

static PyObject *
monitoring_remove_silent(PyObject *Py_UNUSED(module), PyObject *code)
{
    if (!PyCode_Check(code)) {
        PyErr_SetString(PyExc_TypeError, "monitoring_remove_silent() needs a code object");
        return NULL;
    }
    silent_lines_remove((PyCodeObject *)code);
    Py_RETURN_NONE;
}

static PyMethodDef monitoring_methods[] = {
    {"monitoring_remove_silent", monitoring_remove_silent, METH_O, monitoring_remove_silent_doc},
    {"monitoring_pause", monitoring_pause, METH_NOARGS, monitoring_pause_doc},
    {"monitoring_resume", monitoring_resume, METH_NOARGS, monitoring_resume_doc},
    {"monitoring_start", monitoring_start, METH_VARARGS, monitoring_start_doc},
    {"monitoring_stop", monitoring_stop, METH_NOARGS, monitoring_stop_doc},
    {NULL, NULL, 0, NULL},
};

static const engine_functions monitoring_engine = {monitoring_flush, monitoring_begin, monitoring_traverse,
                                                   monitoring_clear};

int
monitoring_exec(PyObject *module)
{
    engine_register(get_state(module), &monitoring_engine);
    return PyModule_AddFunctions(module, monitoring_methods);
}

#else /* CPython 3.11 has no sys.monitoring: the engine is not offered. */

int
monitoring_exec(PyObject *Py_UNUSED(module))
{
    return 0;
}

#endif
