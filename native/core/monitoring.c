/* monitoring.c is the engine on sys.monitoring (PEP 669, CPython 3.12+): PY_START is seen once for
 * each code object of the process and decides whether it is measured; then its own LINE and, from
 * 3.14, BRANCH_LEFT, BRANCH_RIGHT, JUMP and PY_RETURN events each set one byte's flag at an
 * instruction's offset and are disabled. Exceptions that are handled or leave a frame say where they
 * came from; these events cannot be disabled (and are global in 3.14), but cost little beside the
 * exception itself. Offsets become lines and arcs after the run; nothing is computed here.
 * Threads: callbacks run under the GIL. */
#include "core/code_extra.h"
#include "core/contexts.h"
#include "core/recorder.h"
#include "core/state.h"

#include <string.h>

#if PY_VERSION_HEX >= 0x030C0000

/* As in model.py, which says what they mean. */
#define HIT_LINE 1
#define HIT_LEFT 2
#define HIT_RIGHT 4
#define HIT_RAISE 8
#define HIT_ASYNC_STOP 16
#define HIT_UNWIND 32
#define HIT_RESUMED 64

/* What a measured code object carries in its co_extra slot. */
typedef struct code_hits {
    unsigned char *hits; /* borrowed from the record file's mapping */
    uint32_t n_units;
    uint32_t code_id;
    uint32_t generation; /* the recorder's when registered */
    int is_dirty; /* in the list of code objects with a hit in this context */
    struct code_hits *next_dirty;
    PyCodeObject *code; /* borrowed; NULL when it is gone, then the list owns this */
    struct foreign_hits *foreign; /* owned list */
} code_hits;

/* What threads and tasks of another context than the process's saw of one code object in one context. Each new
 * hit is recorded at once; this says which are not new. */
typedef struct foreign_hits {
    struct foreign_hits *next;
    uint32_t context_id;
    uint32_t generation;
    unsigned char hits[]; /* n_units */
} foreign_hits;

struct monitoring {
    PyObject *decide; /* owned: scope decision, str -> str | None */
    PyObject *decisions; /* owned: dict co_filename -> absolute path | None */
    PyObject *set_local_events; /* owned: sys.monitoring.set_local_events */
    PyObject *disable; /* owned: sys.monitoring.DISABLE */
    PyObject *tool_id; /* owned: int */
    PyObject *local_events; /* owned: int */
    PyObject *no_events; /* owned: int 0 */
    PyObject *set_events; /* owned: sys.monitoring.set_events */
    code_hits *dirty; /* first of the list */
    int has_foreign; /* work of another context was seen in this one: nothing is disabled until the next */
    long global_events;
    long context_events; /* further global events, once there are contexts */
    int with_branches;
    Py_ssize_t extra_index; /* of code_hits in co_extra; 0 is valid, -1 is none */
    int is_off; /* after an internal failure */
    int n_callers; /* callbacks that wait for Python code; another thread may stop the engine meanwhile */
    int is_stopped; /* the last of them frees this */
};

static void
free_code_hits(void *extra)
{
    code_hits *gone = extra;
    while (gone != NULL && gone->foreign != NULL) {
        foreign_hits *next = gone->foreign->next;
        PyMem_RawFree(gone->foreign);
        gone->foreign = next;
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

/* Take the first code object out of the list. */
static code_hits *
pop_dirty(struct monitoring *mon)
{
    code_hits *first = mon->dirty;
    if (first != NULL) {
        mon->dirty = first->next_dirty;
        first->is_dirty = 0;
    }
    return first;
}

static code_hits *
code_hits_of(struct monitoring *mon, PyObject *code)
{
    void *extra = NULL;
    if (PyUnstable_Code_GetExtra(code, mon->extra_index, &extra) < 0) {
        PyErr_Clear(); /* only for a bad index, which ours is not */
    }
    return extra;
}

/* Record the code object in the current file. 1 done, 0 not recorded, -1 with an exception. */
static int
register_code(module_state *state, PyObject *code, PyObject *path)
{
    struct monitoring *mon = state->monitoring;
    uint32_t code_id = 0;
    uint32_t n_units = 0;
    unsigned char *hits =
        recorder_add_code(state->recorder, (PyCodeObject *)code, path, &code_id, &n_units);
    if (hits == NULL) {
        return PyErr_Occurred() ? -1 : 0;
    }
    code_hits *extra = code_hits_of(mon, code);
    if (extra == NULL) {
        extra = PyMem_RawCalloc(1, sizeof *extra);
        if (extra == NULL) {
            PyErr_NoMemory();
            return -1;
        }
        if (code_extra_set(code, mon->extra_index, extra) < 0) {
            PyMem_RawFree(extra);
            return -1;
        }
    }
    extra->hits = hits;
    extra->n_units = n_units;
    extra->code_id = code_id;
    extra->generation = state->recorder->generation;
    extra->code = (PyCodeObject *)code;
    return 1;
}

static int
set_local_events(struct monitoring *mon, PyObject *code, PyObject *events)
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

/* A failure of ours must not reach the program: measuring stops, once, loudly. */
static PyObject *
fail(module_state *state)
{
    struct monitoring *mon = state->monitoring;
    if (!mon->is_off) {
        mon->is_off = 1;
        PyObject *error = PyErr_GetRaisedException(); // owned
        PySys_FormatStderr("footfall: coverage stopped by an internal error: %R. What ran before "
                           "is kept; please report it. [engine-failed]\n",
                           error == NULL ? Py_None : error);
        Py_XDECREF(error);
        recorder_add_message(state->recorder, "engine-failed",
                             "coverage stopped by an internal error");
    }
    PyErr_Clear();
    return Py_NewRef(mon->disable);
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
        if (set_local_events(mon, code, mon->local_events) < 0) {
            return fail(state);
        }
    }
    return Py_NewRef(mon->disable);
}

/* Set a flag at a code unit of a measured code object; of another, do nothing.
 * After a fork the code is recorded anew in the child's file first. */
static void
set_flag(module_state *state, PyObject *code, Py_ssize_t byte_offset, unsigned char flag)
{
    struct monitoring *mon = state->monitoring;
    code_hits *extra = code_hits_of(mon, code);
    if (extra == NULL || byte_offset < 0 || (size_t)byte_offset / 2 >= extra->n_units) {
        return;
    }
    if (extra->generation != state->recorder->generation && !mon->is_off) {
        PyObject *path = decision_for(state, ((PyCodeObject *)code)->co_filename);
        if (path == NULL && !PyErr_Occurred()) {
            return; /* stopped */
        }
        if (path == NULL || (path != Py_None && register_code(state, code, path) < 0)) {
            Py_DECREF(fail(state));
        }
    }
    __atomic_fetch_or(&extra->hits[byte_offset / 2], flag, __ATOMIC_RELAXED);
    mark_dirty(mon, extra);
}

static int arm_dirty_again(struct monitoring *mon);

/* The same for work of another context than the process's. */
static void
set_foreign_flag(module_state *state, PyObject *code, Py_ssize_t byte_offset, unsigned char flag,
                 uint32_t context_id)
{
    struct monitoring *mon = state->monitoring;
    recorder *rec = state->recorder;
    code_hits *extra = code_hits_of(mon, code);
    if (extra == NULL || byte_offset < 0 || (size_t)byte_offset / 2 >= extra->n_units) {
        return;
    }
    if (extra->generation != rec->generation) {
        set_flag(state, code, byte_offset, 0); /* record the code in this process's file */
    }
    if (!mon->has_foreign) {
        mon->has_foreign = 1;
        if (arm_dirty_again(mon) < 0) {
            Py_DECREF(fail(state));
            return;
        }
    }
    foreign_hits *found = extra->foreign;
    while (found != NULL && (found->context_id != context_id || found->generation != rec->generation)) {
        found = found->next;
    }
    if (found == NULL) {
        found = PyMem_RawCalloc(1, sizeof *found + extra->n_units);
        if (found == NULL) {
            return; /* not worth more than this one hit */
        }
        found->context_id = context_id;
        found->generation = rec->generation;
        found->next = extra->foreign;
        extra->foreign = found;
    }
    size_t unit = (size_t)byte_offset / 2;
    if ((found->hits[unit] & flag) != flag) {
        found->hits[unit] |= flag;
        recorder_add_hit(rec, extra->code_id, context_id, (uint32_t)unit, flag);
    }
}

/* The end of a callback whose event has done its work at this place. */
static PyObject *
hit_once(module_state *state, PyObject *code, Py_ssize_t byte_offset, unsigned char flag)
{
    if (code_hits_of(state->monitoring, code) == NULL) {
        Py_RETURN_NONE; /* of a measurement that ended: this one sees the place when the code starts anew */
    }
    uint32_t context_id;
    if (context_is_foreign(state, &context_id)) {
        set_foreign_flag(state, code, byte_offset, flag, context_id);
        Py_RETURN_NONE;
    }
    set_flag(state, code, byte_offset, flag);
    if (state->monitoring == NULL || state->monitoring->has_foreign) {
        Py_RETURN_NONE;
    }
    return Py_NewRef(state->monitoring->disable);
}

static struct _PyInterpreterFrame *
running_frame(void)
{
#if PY_VERSION_HEX >= 0x030D0000
    return PyThreadState_Get()->current_frame;
#else
    return PyThreadState_Get()->cframe->current_frame;
#endif
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
    return hit_once(state, args[0], PyUnstable_InterpreterFrame_GetLasti(running_frame()), HIT_LINE);
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

/* Set a flag where the running frame is. The event's own offset is the handler's or a RERAISE's; the
 * frame still knows where the exception came from. */
static PyObject *
on_exception(PyObject *module, PyObject *const *args, Py_ssize_t n_args, unsigned char flag)
{
    module_state *state = get_state(module);
    if (state->monitoring != NULL && n_args >= 1 && PyCode_Check(args[0]) &&
        code_hits_of(state->monitoring, args[0]) != NULL) {
        Py_ssize_t offset = PyUnstable_InterpreterFrame_GetLasti(running_frame());
        uint32_t context_id;
        if (context_is_foreign(state, &context_id)) {
            set_foreign_flag(state, args[0], offset, flag, context_id);
        }
        else {
            set_flag(state, args[0], offset, flag);
        }
    }
    Py_RETURN_NONE;
}

static PyObject *
on_exception_handled(PyObject *module, PyObject *const *args, Py_ssize_t n_args)
{
    int is_stop = n_args >= 3 && PyErr_GivenExceptionMatches(args[2], PyExc_StopAsyncIteration);
    return on_exception(module, args, n_args, is_stop ? HIT_ASYNC_STOP : HIT_RAISE);
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
                          long *local_events)
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
    if (register_callback(module, monitoring, &py_start_callback, "PY_START", &global_events) < 0 ||
        register_callback(module, monitoring, &line_callback, "LINE", &local_events) < 0) {
        return -1;
    }
    if (with_branches && register_branch_callbacks(module, monitoring, &global_events,
                                                   &local_events) < 0) {
        return -1;
    }
    mon->local_events = PyLong_FromLong(local_events);
    if (mon->local_events == NULL) {
        return -1;
    }
    mon->global_events = global_events;
    mon->with_branches = with_branches;
    PyObject *set = PyObject_CallFunction(mon->set_events, "Ol", mon->tool_id, global_events);
    Py_XDECREF(set);
    return set == NULL ? -1 : 0;
}

/* Let all places of the code object fire again. Not sys.monitoring.restart_events: that lets every code
 * object of the process start anew, measured or not, and leaves a running frame as it is until it jumps back. */
static int
arm_again(struct monitoring *mon, PyObject *code)
{
    return set_local_events(mon, code, mon->no_events) < 0
               ? -1
               : set_local_events(mon, code, mon->local_events);
}

static int
arm_dirty_again(struct monitoring *mon)
{
    /* Entries are only added at the head meanwhile; one whose code object goes stays in the list. */
    for (code_hits *extra = mon->dirty; extra != NULL; extra = extra->next_dirty) {
        if (extra->code != NULL) {
            PyObject *code = Py_NewRef((PyObject *)extra->code); // owned
            int status = arm_again(mon, code);
            Py_DECREF(code);
            if (status < 0) {
                return -1;
            }
        }
    }
    return 0;
}

/* Record and clear the hits of one code object, which is in the list no more. -1 when recording is off. */
static int
flush_code(module_state *state, code_hits *extra)
{
    recorder *rec = state->recorder;
    if (extra->generation != rec->generation) {
        return 0; /* a forked child has nothing of it; the bytes are the parent's */
    }
    if (recorder_add_hits(rec, RECORD_HITS, extra->code_id, rec->context_id, extra->hits,
                          extra->n_units) < 0) {
        return -1;
    }
    memset(extra->hits, 0, extra->n_units);
    return 0;
}

int
monitoring_flush(module_state *state)
{
    struct monitoring *mon = state->monitoring;
    if (mon == NULL || mon->is_off) {
        return 0;
    }
    if (mon->context_events != 0) {
        mon->global_events |= mon->context_events;
        mon->context_events = 0;
        PyObject *set = PyObject_CallFunction(mon->set_events, "Ol", mon->tool_id, mon->global_events);
        if (set == NULL) {
            return -1;
        }
        Py_DECREF(set);
    }
    mon->has_foreign = 0;
    int status = 0;
    for (code_hits *extra = pop_dirty(mon); extra != NULL; extra = pop_dirty(mon)) {
        PyObject *code = Py_XNewRef((PyObject *)extra->code); // owned
        int is_flushed = flush_code(state, extra) == 0;
        if (code == NULL) {
            PyMem_RawFree(extra);
        }
        else if (is_flushed && arm_again(mon, code) < 0) {
            status = -1;
        }
        Py_XDECREF(code);
        if (!is_flushed || status < 0) {
            break;
        }
    }
    return status;
}

/* Note where each measured frame of a thread is. */
static void
mark_frames(module_state *state, PyThreadState *thread)
{
    PyFrameObject *frame = PyThreadState_GetFrame(thread); // owned
    while (frame != NULL) {
        PyCodeObject *code = PyFrame_GetCode(frame); // owned
        if (code_hits_of(state->monitoring, (PyObject *)code) != NULL) {
            set_flag(state, (PyObject *)code, PyFrame_GetLasti(frame), HIT_RESUMED);
        }
        Py_DECREF(code);
        PyFrameObject *back = PyFrame_GetBack(frame); // owned
        Py_DECREF(frame);
        frame = back;
    }
}

void
monitoring_mark_running(module_state *state)
{
    if (state->monitoring == NULL || state->monitoring->is_off || !state->monitoring->with_branches) {
        return;
    }
    PyThreadState *thread = PyInterpreterState_ThreadHead(PyInterpreterState_Get());
    for (; thread != NULL; thread = PyThreadState_Next(thread)) {
        mark_frames(state, thread);
    }
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
    for (code_hits *at = pop_dirty(mon); at != NULL; at = pop_dirty(mon)) {
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

int
monitoring_flush(module_state *Py_UNUSED(state))
{
    return 0;
}

void
monitoring_mark_running(module_state *Py_UNUSED(state))
{
}

#endif
