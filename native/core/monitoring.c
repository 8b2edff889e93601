/* monitoring.c is the engine on sys.monitoring (PEP 669, CPython 3.12+): PY_START is seen once for
 * each code object of the process and decides whether it is measured; then its own LINE and, from
 * 3.14, BRANCH_LEFT, BRANCH_RIGHT, JUMP and PY_RETURN events each set one byte's flag at an
 * instruction's offset and are disabled. Exceptions that are handled or leave a frame say where they
 * came from; these events cannot be disabled (and are global in 3.14), but cost little beside the
 * exception itself. Offsets become lines and arcs after the run; nothing is computed here.
 * Threads: callbacks run under the GIL. */
#include "core/monitoring.h"

#include "core/code_extra.h"
#include "core/cold_jumps.h"
#include "core/contexts.h"
#include "core/frames.h"
#include "core/recorder.h"

#include <string.h>

#if PY_VERSION_HEX >= 0x030C0000

static void
free_code_hits(void *extra)
{
    code_hits *gone = extra;
    if (gone != NULL) {
        foreign_hits_free(&gone->foreign);
        star_ends_free(gone->ends);
        PyMem_RawFree(gone->jumps);
        gone->ends = NULL;
        gone->jumps = NULL;
    }
    if (gone != NULL && gone->is_dirty) {
        gone->code = NULL; /* its hits are still to be recorded when the context ends */
        return;
    }
    PyMem_RawFree(gone);
}

static void
free_monitoring(struct monitoring *mon)
{
    Py_CLEAR(mon->decide);
    Py_CLEAR(mon->decisions);
    Py_CLEAR(mon->set_local_events);
    Py_CLEAR(mon->set_events);
    Py_CLEAR(mon->no_events);
    Py_CLEAR(mon->disable);
    Py_CLEAR(mon->tool_id);
    Py_CLEAR(mon->local_events);
    Py_CLEAR(mon->watch_events);
    frame_lines_free(&mon->last_lines);
    PyMem_Free(mon);
}

static void
mark_dirty(struct monitoring *mon, code_hits *extra)
{
    if (!extra->is_dirty) {
        extra->is_dirty = 1;
        extra->next_dirty = mon->dirty;
        mon->dirty = extra;
    }
}

code_hits *
code_hits_of(struct monitoring *mon, PyObject *code)
{
    void *extra = NULL;
    if (PyUnstable_Code_GetExtra(code, mon->extra_index, &extra) < 0) {
        PyErr_Clear(); /* only for a bad index, which ours is not */
    }
    return extra;
}

/* What a code object carries from now on; it owns `ends` then. NULL with an exception. */
static code_hits *
new_code_hits(struct monitoring *mon, PyObject *code, star_ends *ends)
{
    code_hits *extra = PyMem_RawCalloc(1, sizeof *extra);
    if (extra == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    if (code_extra_set(code, mon->extra_index, extra) < 0) {
        PyMem_RawFree(extra);
        return NULL;
    }
    extra->code = (PyCodeObject *)code;
    extra->ends = ends;
    return extra;
}

/* Record the code object in the current file. 1 done, 0 not recorded, -1 with an exception. */
static int
register_code(module_state *state, PyObject *code, PyObject *path)
{
    struct monitoring *mon = state->monitoring;
    PyObject *bytecode = PyCode_GetCode((PyCodeObject *)code); // owned
    if (bytecode == NULL) {
        return -1;
    }
    code_hits *extra = code_hits_of(mon, code);
    star_ends *found = NULL; // owned
    if (extra == NULL && mon->with_branches) {
        found = star_ends_find((PyCodeObject *)code, bytecode);
    }
    uint32_t n_more = star_ends_places(extra != NULL ? extra->ends : found);
    uint32_t n_units = (uint32_t)(PyBytes_GET_SIZE(bytecode) / 2);
    uint32_t code_id = 0;
    unsigned char *hits =
        recorder_add_code(state->recorder, (PyCodeObject *)code, bytecode, n_more, path, &code_id);
    Py_DECREF(bytecode);
    if (hits != NULL && extra == NULL) {
        extra = new_code_hits(mon, code, found);
    }
    if (hits == NULL || extra == NULL) {
        star_ends_free(found);
        return PyErr_Occurred() ? -1 : 0;
    }
    extra->hits = hits;
    extra->n_places = n_units + n_more;
    extra->code_id = code_id;
    extra->generation = state->recorder->generation;
    return 1;
}

int
monitoring_set_local_events(struct monitoring *mon, PyObject *code, PyObject *events)
{
    PyObject *args[] = {NULL, mon->tool_id, code, events};
    PyObject *set = PyObject_Vectorcall(mon->set_local_events, args + 1,
                                        3 | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL);
    Py_XDECREF(set);
    return set == NULL ? -1 : 0;
}

/* The absolute path when this file is measured, else None. Borrowed; NULL with an exception, and without one when
 * the engine was stopped meanwhile by another thread: `decide` is Python code, in which threads take turns. */
static PyObject *
decision_for(module_state *state, PyObject *filename)
{
    struct monitoring *mon = state->monitoring;
    PyObject *known = PyDict_GetItemWithError(mon->decisions, filename); // borrowed
    if (known != NULL || PyErr_Occurred()) {
        return known;
    }
    mon->n_callers++;
    PyObject *path = PyObject_CallOneArg(mon->decide, filename); // owned
    mon->n_callers--;
    if (state->monitoring != mon) {
        Py_XDECREF(path);
        PyErr_Clear(); /* of no interest to anyone now */
        if (mon->is_stopped && mon->n_callers == 0) {
            free_monitoring(mon);
        }
        return NULL;
    }
    if (path == NULL) {
        return NULL;
    }
    int stored = PyDict_SetItem(mon->decisions, filename, path);
    Py_DECREF(path);
    return stored < 0 ? NULL : PyDict_GetItemWithError(mon->decisions, filename); /* the dict holds it */
}

/* Whether another thread is stopping the engine: it gives the tool id back first. */
static int
is_tool_gone(struct monitoring *mon)
{
    PyObject *monitoring = PySys_GetObject("monitoring"); // borrowed
    PyObject *name = monitoring == NULL ? NULL : PyObject_CallMethod(monitoring, "get_tool", "O", mon->tool_id); // owned
    int is_gone = name == Py_None;
    Py_XDECREF(name);
    PyErr_Clear();
    return is_gone;
}

void
monitoring_fail(module_state *state)
{
    struct monitoring *mon = state->monitoring;
    PyObject *error = PyErr_GetRaisedException(); // owned
    if (!mon->is_off && !is_tool_gone(mon)) {
        mon->is_off = 1;
        if (state->recorder != NULL) {
            recorder_add_message(state->recorder, "engine-failed", "coverage stopped by an internal error");
        }
        /* Last: it runs Python code, in which threads take turns, and one may stop the engine. */
        PySys_FormatStderr("footfall: coverage stopped by an internal error: %R. What ran before "
                           "is kept; please report it. [engine-failed]\n",
                           error == NULL ? Py_None : error);
    }
    Py_XDECREF(error);
    PyErr_Clear();
}

static PyObject *
fail(module_state *state)
{
    PyObject *answer = Py_NewRef(state->monitoring->disable); // owned
    monitoring_fail(state);
    return answer;
}

static PyObject *
on_py_start(PyObject *module, PyObject *const *args, Py_ssize_t n_args)
{
    module_state *state = get_state(module);
    struct monitoring *mon = state->monitoring;
    PyObject *code = args[0];
    if (mon == NULL) {
        Py_RETURN_NONE; /* the module is being torn down */
    }
    if (n_args < 1 || mon->is_off || !PyCode_Check(code)) {
        return Py_NewRef(mon->disable);
    }
    PyObject *path = decision_for(state, ((PyCodeObject *)code)->co_filename);
    if (path == NULL && !PyErr_Occurred()) {
        Py_RETURN_NONE; /* stopped; DISABLE might be taken for a later engine's answer */
    }
    if (path == NULL) {
        return fail(state);
    }
    if (path == Py_None) {
        return Py_NewRef(mon->disable);
    }
    code_hits *known = code_hits_of(mon, code);
    if (known == NULL) {
        int registered = register_code(state, code, path);
        if (registered < 0) {
            return fail(state);
        }
        if (registered == 0) {
            return Py_NewRef(mon->disable);
        }
        if (monitoring_set_local_events(mon, code, mon->local_events) < 0) {
            return fail(state);
        }
    }
    return Py_NewRef(mon->disable);
}

void
monitoring_set_flag(module_state *state, code_hits *extra, Py_ssize_t byte_offset, unsigned char flag)
{
    struct monitoring *mon = state->monitoring;
    if (byte_offset < 0 || (size_t)byte_offset / 2 >= extra->n_places) {
        return;
    }
    if (extra->generation != state->recorder->generation && !mon->is_off) {
        PyObject *code = (PyObject *)extra->code; // borrowed
        PyObject *path = decision_for(state, ((PyCodeObject *)code)->co_filename);
        if (path == NULL && !PyErr_Occurred()) {
            return; /* stopped */
        }
        if (path == NULL || (path != Py_None && register_code(state, code, path) < 0)) {
            monitoring_fail(state);
            return;
        }
    }
    __atomic_fetch_or(&extra->hits[byte_offset / 2], flag, __ATOMIC_RELAXED);
    mark_dirty(mon, extra);
}

/* Set a flag, of the running thread's context. Whether it is the process's own. */
static int
set_flag_in_context(module_state *state, code_hits *extra, Py_ssize_t byte_offset, unsigned char flag)
{
    uint32_t context_id;
    if (context_is_foreign(state, &context_id)) {
        monitoring_set_foreign_flag(state, extra, byte_offset, flag, context_id);
        return 0;
    }
    monitoring_set_flag(state, extra, byte_offset, flag);
    return 1;
}

/* A line that may lead to the end of an `except*`, or such an end: its event stays. */
static void
note_star_event(module_state *state, code_hits *extra, uint32_t unit, unsigned char flag)
{
    frame_lines *last_lines = &state->monitoring->last_lines;
    if (flag == HIT_LINE) {
        star_ends_note_line(last_lines, frame_running(), unit);
    }
    else {
        uint32_t place = star_ends_place(last_lines, extra->ends, frame_running(), unit);
        set_flag_in_context(state, extra, 2 * (Py_ssize_t)place, flag);
    }
}

/* The end of a callback whose event has done its work at this place. */
static PyObject *
hit_once(module_state *state, PyObject *code, Py_ssize_t byte_offset, unsigned char flag)
{
    code_hits *extra = code_hits_of(state->monitoring, code);
    if (extra == NULL) {
        Py_RETURN_NONE; /* of a measurement that ended: this one sees the place when the code starts anew */
    }
    int is_own = set_flag_in_context(state, extra, byte_offset, flag);
    if (state->monitoring == NULL) {
        Py_RETURN_NONE; /* stopped */
    }
    uint32_t unit = (uint32_t)(byte_offset / 2);
    if (extra->ends != NULL && star_ends_watch(extra->ends, unit, flag == HIT_LINE)) {
        note_star_event(state, extra, unit, flag);
        Py_RETURN_NONE;
    }
    if (!is_own || state->monitoring->has_foreign) {
        Py_RETURN_NONE;
    }
    return Py_NewRef(state->monitoring->disable);
}

static PyObject *
on_line(PyObject *module, PyObject *const *args, Py_ssize_t n_args)
{
    module_state *state = get_state(module);
    if (state->monitoring == NULL) {
        Py_RETURN_NONE;
    }
    if (n_args < 1 || !PyCode_Check(args[0])) {
        return Py_NewRef(state->monitoring->disable);
    }
    /* The callback is native, so the running frame is the one that the event is about. Its offset
     * says which copy of the line it is (a finally body is compiled more than once). */
    return hit_once(state, args[0], PyUnstable_InterpreterFrame_GetLasti(frame_running()), HIT_LINE);
}

static PyObject *
on_branch(PyObject *module, PyObject *const *args, Py_ssize_t n_args, unsigned char flag)
{
    module_state *state = get_state(module);
    if (state->monitoring == NULL) {
        Py_RETURN_NONE;
    }
    if (n_args < 2 || !PyCode_Check(args[0])) {
        return Py_NewRef(state->monitoring->disable);
    }
    return hit_once(state, args[0], PyLong_AsSsize_t(args[1]), flag);
}

static PyObject *
on_branch_left(PyObject *module, PyObject *const *args, Py_ssize_t n_args)
{
    return on_branch(module, args, n_args, HIT_LEFT);
}

static PyObject *
on_branch_right(PyObject *module, PyObject *const *args, Py_ssize_t n_args)
{
    return on_branch(module, args, n_args, HIT_RIGHT);
}

/* What the code object that an exception's event is about carries; NULL when it is not measured. These events are
 * of the whole process in 3.14, so most end here. */
static code_hits *
excepting_code(module_state *state, PyObject *const *args, Py_ssize_t n_args)
{
    if (state->monitoring == NULL || n_args < 1 || !PyCode_Check(args[0])) {
        return NULL;
    }
    return code_hits_of(state->monitoring, args[0]);
}

/* Set a flag where the running frame is. The event's own offset is the handler's or a RERAISE's; the
 * frame still knows where the exception came from. */
static void
set_flag_at_frame(module_state *state, code_hits *extra, unsigned char flag)
{
    set_flag_in_context(state, extra, PyUnstable_InterpreterFrame_GetLasti(frame_running()), flag);
}

static PyObject *
on_exception(PyObject *module, PyObject *const *args, Py_ssize_t n_args, unsigned char flag)
{
    module_state *state = get_state(module);
    code_hits *extra = excepting_code(state, args, n_args);
    if (extra != NULL) {
        set_flag_at_frame(state, extra, flag);
    }
    Py_RETURN_NONE;
}

int
monitoring_watch_cold_jumps(module_state *state, code_hits *extra)
{
    PyObject *code = (PyObject *)extra->code; // borrowed
    if (state->monitoring->watch_events == NULL) {
        return 0;
    }
    if (!extra->has_handled) {
        PyObject *bytecode = PyCode_GetCode(extra->code); // owned
        if (bytecode == NULL) {
            return -1;
        }
        extra->jumps = cold_jumps_find(bytecode);
        extra->has_handled = 1;
        Py_DECREF(bytecode);
    }
    if (extra->jumps == NULL) {
        return 0;
    }
    for (uint32_t i = 0; i < extra->jumps->n; i++) {
        set_flag_in_context(state, extra, 2 * (Py_ssize_t)extra->jumps->units[i], HIT_RIGHT);
    }
    if (extra->is_watching || state->monitoring == NULL) {
        return 0;
    }
    extra->is_watching = 1;
    return monitoring_set_local_events(state->monitoring, code, state->monitoring->watch_events);
}

static PyObject *
on_instruction(PyObject *module, PyObject *const *args, Py_ssize_t n_args)
{
    module_state *state = get_state(module);
    if (state->monitoring == NULL) {
        Py_RETURN_NONE;
    }
    code_hits *extra = n_args >= 2 && PyCode_Check(args[0]) ? code_hits_of(state->monitoring, args[0]) : NULL;
    Py_ssize_t offset = extra == NULL ? -1 : PyLong_AsSsize_t(args[1]);
    if (offset >= 0 && extra->jumps != NULL && cold_jumps_has(extra->jumps, (uint32_t)(offset / 2))) {
        return hit_once(state, args[0], offset, HIT_LEFT);
    }
    return Py_NewRef(state->monitoring->disable);
}

static PyObject *
on_exception_handled(PyObject *module, PyObject *const *args, Py_ssize_t n_args)
{
    module_state *state = get_state(module);
    code_hits *extra = excepting_code(state, args, n_args);
    if (extra != NULL) {
        int is_stop = n_args >= 3 && PyErr_GivenExceptionMatches(args[2], PyExc_StopAsyncIteration);
        set_flag_at_frame(state, extra, is_stop ? HIT_ASYNC_STOP : HIT_RAISE);
        if (state->monitoring != NULL && monitoring_watch_cold_jumps(state, extra) < 0) {
            monitoring_fail(state);
        }
    }
    Py_RETURN_NONE;
}

static PyObject *
on_unwind(PyObject *module, PyObject *const *args, Py_ssize_t n_args)
{
    return on_exception(module, args, n_args, HIT_UNWIND);
}

/* A generator or coroutine goes on. */
static PyObject *
on_resume(PyObject *module, PyObject *const *args, Py_ssize_t n_args)
{
    return on_branch(module, args, n_args, HIT_RESUMED);
}

/* An exception is thrown into one. */
static PyObject *
on_throw(PyObject *module, PyObject *const *args, Py_ssize_t n_args)
{
    return on_exception(module, args, n_args, HIT_RESUMED);
}

static PyMethodDef py_start_callback = {
    "footfall_py_start", (PyCFunction)(void (*)(void))on_py_start, METH_FASTCALL, NULL};
static PyMethodDef line_callback = {"footfall_line", (PyCFunction)(void (*)(void))on_line,
                                    METH_FASTCALL, NULL};
static PyMethodDef branch_left_callback = {
    "footfall_branch_left", (PyCFunction)(void (*)(void))on_branch_left, METH_FASTCALL, NULL};
static PyMethodDef branch_right_callback = {
    "footfall_branch_right", (PyCFunction)(void (*)(void))on_branch_right, METH_FASTCALL, NULL};

static PyMethodDef jump_callback = {"footfall_jump", (PyCFunction)(void (*)(void))on_branch_left,
                                    METH_FASTCALL, NULL};
static PyMethodDef py_return_callback = {
    "footfall_py_return", (PyCFunction)(void (*)(void))on_branch_left, METH_FASTCALL, NULL};
static PyMethodDef py_resume_callback = {
    "footfall_py_resume", (PyCFunction)(void (*)(void))on_resume, METH_FASTCALL, NULL};
static PyMethodDef py_throw_callback = {
    "footfall_py_throw", (PyCFunction)(void (*)(void))on_throw, METH_FASTCALL, NULL};
static PyMethodDef exception_handled_callback = {
    "footfall_exception_handled", (PyCFunction)(void (*)(void))on_exception_handled,
    METH_FASTCALL, NULL};
static PyMethodDef instruction_callback = {
    "footfall_instruction", (PyCFunction)(void (*)(void))on_instruction, METH_FASTCALL, NULL};
static PyMethodDef unwind_callback = {
    "footfall_py_unwind", (PyCFunction)(void (*)(void))on_unwind, METH_FASTCALL, NULL};

/* Value of `sys.monitoring.events.<name>`; 0 with an exception. */
static long
event_value(PyObject *monitoring, const char *name)
{
    PyObject *events = PyObject_GetAttrString(monitoring, "events"); // owned
    PyObject *value = events == NULL ? NULL : PyObject_GetAttrString(events, name); // owned
    long event = value == NULL ? 0 : PyLong_AsLong(value);
    Py_XDECREF(value);
    Py_XDECREF(events);
    return event;
}

static int
register_callback(PyObject *module, PyObject *monitoring, PyMethodDef *def, const char *event_name,
                  long *events)
{
    long event = event_value(monitoring, event_name);
    if (event <= 0) {
        return -1;
    }
    PyObject *function = PyCFunction_New(def, module); // owned
    if (function == NULL) {
        return -1;
    }
    PyObject *old = PyObject_CallMethod(monitoring, "register_callback", "OlO",
                                        get_state(module)->monitoring->tool_id, event, function);
    Py_DECREF(function);
    if (old == NULL) {
        return -1;
    }
    Py_DECREF(old);
    *events |= event;
    return 0;
}

static int
register_branch_callbacks(PyObject *module, PyObject *monitoring, long *global_events,
                          long *local_events, long *watch_events)
{
#if PY_VERSION_HEX >= 0x030F0000
    long *exception_events = local_events;
    long *throw_events = local_events;
#else
    long *exception_events = global_events;
    long *throw_events = &get_state(module)->monitoring->context_events;
#endif
    (void)global_events;
    const struct {
        PyMethodDef *callback;
        const char *event;
        long *events;
    } wanted[] = {
        {&branch_left_callback, "BRANCH_LEFT", local_events},
        {&branch_right_callback, "BRANCH_RIGHT", local_events},
        {&jump_callback, "JUMP", local_events},
        {&py_return_callback, "PY_RETURN", local_events},
        {&exception_handled_callback, "EXCEPTION_HANDLED", exception_events},
        {&unwind_callback, "PY_UNWIND", exception_events},
        {&py_resume_callback, "PY_RESUME", local_events},
        {&instruction_callback, "INSTRUCTION", watch_events},
        {&py_throw_callback, "PY_THROW", throw_events},
    };
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        if (register_callback(module, monitoring, wanted[i].callback, wanted[i].event,
                              wanted[i].events) < 0) {
            return -1;
        }
    }
    return 0;
}

static int
start_events(PyObject *module, PyObject *monitoring, int with_branches)
{
    struct monitoring *mon = get_state(module)->monitoring;
    long global_events = 0;
    long local_events = 0;
    long watch_events = 0;
    if (register_callback(module, monitoring, &py_start_callback, "PY_START", &global_events) < 0 ||
        register_callback(module, monitoring, &line_callback, "LINE", &local_events) < 0) {
        return -1;
    }
    if (with_branches && register_branch_callbacks(module, monitoring, &global_events,
                                                   &local_events, &watch_events) < 0) {
        return -1;
    }
    mon->local_events = PyLong_FromLong(local_events);
    mon->watch_events = with_branches ? PyLong_FromLong(local_events | watch_events) : NULL;
    if (mon->local_events == NULL || (with_branches && mon->watch_events == NULL)) {
        return -1;
    }
    mon->global_events = global_events;
    mon->with_branches = with_branches;
    PyObject *set = PyObject_CallFunction(mon->set_events, "Ol", mon->tool_id, global_events); // owned
    Py_XDECREF(set);
    if (set == NULL) {
        return -1;
    }
    /* Code objects instrumented before this moment start anew when they are called: what monitoring_contexts.c
     * lets some look like. */
    PyObject *restarted = PyObject_CallMethod(monitoring, "restart_events", NULL); // owned
    Py_XDECREF(restarted);
    return restarted == NULL ? -1 : 0;
}

PyDoc_STRVAR(monitoring_start_doc,
             "monitoring_start($module, tool_id, decide, with_branches, /)\n--\n\n"
             "Measure every code object whose file `decide(co_filename)` gives a path for.\n\n"
             "The record file must be open and the tool id taken. Branches need CPython 3.14.");

static PyObject *
monitoring_start(PyObject *module, PyObject *args)
{
    module_state *state = get_state(module);
    PyObject *tool_id;
    PyObject *decide;
    int with_branches;
    if (!PyArg_ParseTuple(args, "O!Op:monitoring_start", &PyLong_Type, &tool_id, &decide,
                          &with_branches)) {
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
    mon->tool_id = Py_NewRef(tool_id);
    mon->decide = Py_NewRef(decide);
    mon->decisions = PyDict_New();
    mon->disable = PyObject_GetAttrString(monitoring, "DISABLE");
    mon->set_local_events = PyObject_GetAttrString(monitoring, "set_local_events");
    mon->set_events = PyObject_GetAttrString(monitoring, "set_events");
    mon->no_events = PyLong_FromLong(0);
    mon->extra_index = PyUnstable_Eval_RequestCodeExtraIndex(free_code_hits);
    if (mon->decisions == NULL || mon->disable == NULL || mon->set_local_events == NULL ||
        mon->set_events == NULL || mon->no_events == NULL) {
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

PyDoc_STRVAR(monitoring_stop_doc,
             "monitoring_stop($module, /)\n--\n\n"
             "Record no more. The caller takes the tool's callbacks away first.");

static PyObject *
monitoring_stop(PyObject *module, PyObject *Py_UNUSED(ignored))
{
    monitoring_clear(get_state(module));
    Py_RETURN_NONE;
}

static PyMethodDef monitoring_methods[] = {
    {"monitoring_start", monitoring_start, METH_VARARGS, monitoring_start_doc},
    {"monitoring_stop", monitoring_stop, METH_NOARGS, monitoring_stop_doc},
    {NULL, NULL, 0, NULL},
};

int
monitoring_exec(PyObject *module)
{
    return PyModule_AddFunctions(module, monitoring_methods);
}

int
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

void
monitoring_clear(module_state *state)
{
    struct monitoring *mon = state->monitoring;
    if (mon == NULL) {
        return;
    }
    state->monitoring = NULL;
    for (code_hits *at = monitoring_pop_dirty(mon); at != NULL; at = monitoring_pop_dirty(mon)) {
        if (at->code == NULL) {
            PyMem_RawFree(at);
        }
    }
    mon->is_stopped = 1;
    if (mon->n_callers == 0) {
        free_monitoring(mon);
    }
}

#else /* CPython 3.11 has no sys.monitoring: the engine is not offered. */

int
monitoring_exec(PyObject *Py_UNUSED(module))
{
    return 0;
}

int
monitoring_traverse(module_state *Py_UNUSED(state), visitproc Py_UNUSED(visit),
                    void *Py_UNUSED(arg))
{
    return 0;
}

void
monitoring_clear(module_state *Py_UNUSED(state))
{
}

#endif
