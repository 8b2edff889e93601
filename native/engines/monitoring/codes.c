/* engines/monitoring/codes.c: which code objects the engine on sys.monitoring measures, and what each has in its
 * co_extra slot: where its flags are in the record file, and whether it has an event in this context. */
#include "compat/versions.h"
#include "engines/decision.h"
#include "engines/monitoring/codes.h"

#if HAS_MONITORING

#include "engines/code_extra.h"
#include "record/recorder.h"

#include <opcode.h>

void
monitoring_free_code_events(void *extra)
{
    code_events *gone = extra;
    if (gone != NULL) {
        other_context_events_free(&gone->other_events);
        except_star_ends_free(gone->ends);
        PyMem_RawFree(gone->jumps);
        gone->ends = NULL;
        gone->jumps = NULL;
    }
    if (gone != NULL && gone->is_dirty) {
        gone->code = NULL; /* its events still have to be recorded when the context ends */
        return;
    }
    PyMem_RawFree(gone);
}

static void
mark_dirty(struct monitoring *mon, code_events *extra)
{
    if (!extra->is_dirty) {
        extra->is_dirty = 1;
        extra->next_dirty = mon->dirty;
        mon->dirty = extra;
    }
}

/* Create what a code object has in its slot from now on; it then owns `ends`. NULL with an exception. */
static code_events *
new_code_events(struct monitoring *mon, PyObject *code, except_star_ends *ends)
{
    code_events *extra = PyMem_RawCalloc(1, sizeof *extra);
    if (extra == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    if (code_extra_set(code, mon->extra_index, extra) < 0) {
        PyMem_RawFree(extra);
        return NULL;
    }
    extra->start = mon->start;
    extra->code = (PyCodeObject *)code;
    extra->ends = ends;
    return extra;
}

/* Return whether PyCode_NewEmpty made it: such code raises an AssertionError, at one place without columns. Code from
 * the compiler has a constant. */
static int
is_empty_code(const PyCodeObject *code, PyObject *bytecode)
{
    Py_ssize_t size = PyBytes_GET_SIZE(bytecode);
    return size <= 8 && (unsigned char)PyBytes_AS_STRING(bytecode)[size - 2] == RAISE_VARARGS
           && PyBytes_GET_SIZE(code->co_linetable) == 2 && PyTuple_GET_SIZE(code->co_consts) == 0;
}

/* Return whether there is no RESUME, with which all compiled code begins. `_co_firsttraceable` does not tell: Cython
 * sets it to 0 in code objects that have none. */
static int
has_no_resume(PyObject *bytecode)
{
    const char *bytes = PyBytes_AS_STRING(bytecode);
    for (Py_ssize_t at = 0; at < PyBytes_GET_SIZE(bytecode); at += 2) {
        if ((unsigned char)bytes[at] == RESUME) {
            return 0;
        }
    }
    return 1;
}

/* Return whether a code object was not made by the Python compiler: extensions make some to report their own events
 * under file names, as Cython's line tracing does. */
static int
is_stand_in(const PyCodeObject *code, PyObject *bytecode)
{
    return has_no_resume(bytecode) || is_empty_code(code, bytecode);
}

int
monitoring_register(module_state *state, PyObject *code, PyObject *path)
{
    struct monitoring *mon = state->monitoring;
    PyObject *bytecode = PyCode_GetCode((PyCodeObject *)code); // owned
    if (bytecode == NULL) {
        return -1;
    }
    if (is_stand_in((PyCodeObject *)code, bytecode)) {
        Py_DECREF(bytecode);
        return 0;
    }
    code_events *extra = code_events_of(mon, code);
    except_star_ends *found = NULL; // owned
    if (extra == NULL && mon->with_branches) {
        found = except_star_ends_find((PyCodeObject *)code, bytecode);
    }
    uint32_t n_more = except_star_ends_places(extra != NULL ? extra->ends : found);
    uint32_t n_units = (uint32_t)(PyBytes_GET_SIZE(bytecode) / 2);
    uint32_t code_id = 0;
    unsigned char *events = recorder_add_code(state->recorder, (PyCodeObject *)code, bytecode, n_more, path, &code_id);
    Py_DECREF(bytecode);
    if (events != NULL && extra == NULL) {
        extra = new_code_events(mon, code, found);
    }
    if (events == NULL || extra == NULL) {
        except_star_ends_free(found);
        return PyErr_Occurred() ? -1 : 0;
    }
    extra->events = events;
    extra->n_places = n_units + n_more;
    extra->code_id = code_id;
    extra->generation = state->recorder->generation;
    return 1;
}

int
monitoring_set_local_events(struct monitoring *mon, PyObject *code, PyObject *events)
{
    PyObject *args[] = {NULL, mon->tool_id, code, events};
    PyObject *set = PyObject_Vectorcall(mon->set_local_events, args + 1, 3 | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL);
    Py_XDECREF(set);
    return set == NULL ? -1 : 0;
}

PyObject *
monitoring_decision(module_state *state, PyObject *filename)
{
    struct monitoring *mon = state->monitoring;
    PyObject *known = PyDict_GetItemWithError(mon->decisions, filename); // borrowed
    if (known != NULL || PyErr_Occurred()) {
        return known;
    }
    mon->n_callers++;
    PyObject *path = decision_ask(mon->decide, filename); // owned
    mon->n_callers--;
    if (state->monitoring != mon) {
        Py_XDECREF(path);
        PyErr_Clear(); /* nobody needs it any more */
        if (mon->is_stopped && mon->n_callers == 0) {
            monitoring_free(mon);
        }
        return NULL;
    }
    if (path == NULL) {
        return NULL;
    }
    int stored = PyDict_SetItem(mon->decisions, filename, path);
    Py_DECREF(path);
    return stored < 0 ? NULL : PyDict_GetItemWithError(mon->decisions, filename); /* the dict keeps it alive */
}

void
monitoring_set_flag(module_state *state, code_events *extra, Py_ssize_t byte_offset, unsigned char flag)
{
    struct monitoring *mon = state->monitoring;
    if (byte_offset < 0 || (size_t)byte_offset / 2 >= extra->n_places) {
        return;
    }
    if (extra->generation != state->recorder->generation && !mon->is_off) {
        PyObject *code = (PyObject *)extra->code; // borrowed
        PyObject *path = monitoring_decision(state, ((PyCodeObject *)code)->co_filename);
        if (path == NULL && !PyErr_Occurred()) {
            return; /* stopped */
        }
        if (path == NULL || (path != Py_None && monitoring_register(state, code, path) < 0)) {
            monitoring_fail(state);
            return;
        }
    }
    __atomic_fetch_or(&extra->events[byte_offset / 2], flag, __ATOMIC_RELAXED);
    mark_dirty(mon, extra);
}

#endif
