/* engines/monitoring/events.c: the callbacks of the engine on sys.monitoring. PY_START fires once for each code object
 * of the process and decides whether it is measured. Then the code object's own LINE and, from 3.14, BRANCH_LEFT,
 * BRANCH_RIGHT, JUMP and PY_RETURN events each set a flag in one byte, at an instruction's offset, and are disabled.
 * Events for exceptions that are handled or leave a frame tell where these came from; they cannot be disabled (and are
 * global in 3.14), but cost little compared with the exception itself. Threads: callbacks run under the GIL. */
#include "engines/monitoring/events.h"
#include "compat/versions.h"

#if HAS_MONITORING

#include "engines/monitoring/places/branch_places.h"
#include "engines/monitoring/places/silent_lines.h"
#include "engines/monitoring/codes.h"
#include "engines/monitoring/contexts.h"
#include "engines/monitoring/debuggers.h"

#include <limits.h>

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
    debugger_step step = monitoring_debugger_step((PyCodeObject *)code);
    if (step != NO_DEBUGGER) {
        if (monitoring_follow_debugger(state, step) < 0) {
            return fail(state);
        }
        Py_RETURN_NONE; /* it will be called again */
    }
    PyObject *path = monitoring_decision(state, ((PyCodeObject *)code)->co_filename);
    if (path == NULL && !PyErr_Occurred()) {
        Py_RETURN_NONE; /* stopped; a later engine might get DISABLE as its own answer */
    }
    if (path == NULL) {
        return fail(state);
    }
    if (path == Py_None) {
        return Py_NewRef(mon->disable);
    }
    if (mon->is_paused) {
        mon->has_missed = 1;
        return Py_NewRef(mon->disable);
    }
    code_events *known = code_events_of(mon, code);
    if (known == NULL) {
        int registered = monitoring_register(state, code, path);
        if (registered < 0) {
            return fail(state);
        }
        if (registered == 0) {
            return Py_NewRef(mon->disable);
        }
        if (monitoring_set_local_events(mon, code, mon->local_events) < 0) {
            return fail(state);
        }
        silent_lines_remove((PyCodeObject *)code);
    }
    return Py_NewRef(mon->disable);
}

/* Handle a line that may lead to the end of an `except*`, or such an end: its event stays on. */
static void
note_except_star_event(module_state *state, code_events *extra, uint32_t unit, unsigned char flag)
{
    frame_lines *last_lines = &state->monitoring->last_lines;
    if (flag == EVENT_LINE) {
        except_star_ends_note_line(last_lines, frame_running(), unit);
    }
    else {
        uint32_t place = except_star_ends_place(last_lines, extra->ends, frame_running(), unit);
        monitoring_set_flag_in_context(state, extra, 2 * (Py_ssize_t)place, flag);
    }
}

/* End a callback whose event has done its work at this place. */
static PyObject *
set_flag_once(module_state *state, PyObject *code, Py_ssize_t byte_offset, unsigned char flag)
{
    code_events *extra = code_events_of(state->monitoring, code);
    if (extra == NULL) {
        Py_RETURN_NONE; /* from a measurement that ended: this one sees the place when the code next starts */
    }
    if (state->monitoring->is_paused) {
        state->monitoring->has_missed = 1;
        return Py_NewRef(state->monitoring->disable);
    }
    int is_own = monitoring_set_flag_in_context(state, extra, byte_offset, flag);
    if (state->monitoring == NULL) {
        Py_RETURN_NONE; /* stopped */
    }
    uint32_t unit = (uint32_t)(byte_offset / 2);
    if (extra->ends != NULL && except_star_ends_watch(extra->ends, unit, flag == EVENT_LINE)) {
        note_except_star_event(state, extra, unit, flag);
        Py_RETURN_NONE;
    }
    if (!is_own || state->monitoring->has_other_contexts) {
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
    /* The callback is native, so the running frame is the one that the event belongs to. Its offset identifies the copy
     * of the line (a finally body is compiled more than once). */
    return set_flag_once(state, args[0], PyUnstable_InterpreterFrame_GetLasti(frame_running()), EVENT_LINE);
}

/* Handle an event at its own offset, which is the callback's second argument. */
static PyObject *
on_place(PyObject *module, PyObject *const *args, Py_ssize_t n_args, unsigned char flag)
{
    module_state *state = get_state(module);
    if (state->monitoring == NULL) {
        Py_RETURN_NONE;
    }
    if (n_args < 2 || !PyCode_Check(args[0])) {
        return Py_NewRef(state->monitoring->disable);
    }
    return set_flag_once(state, args[0], PyLong_AsSsize_t(args[1]), flag);
}

static PyObject *
on_branch(PyObject *module, PyObject *const *args, Py_ssize_t n_args, unsigned char flag)
{
    module_state *state = get_state(module);
    if (state->monitoring == NULL) {
        Py_RETURN_NONE;
    }
    if (n_args < 3 || !PyCode_Check(args[0])) {
        return Py_NewRef(state->monitoring->disable);
    }
    Py_ssize_t place =
        branch_place((PyCodeObject *)args[0], PyLong_AsSsize_t(args[1]), PyLong_AsSsize_t(args[2]), flag == EVENT_LEFT);
    return place < 0 && PyErr_Occurred() ? fail(state) : set_flag_once(state, args[0], place, flag);
}

static PyObject *
on_branch_left(PyObject *module, PyObject *const *args, Py_ssize_t n_args)
{
    return on_branch(module, args, n_args, EVENT_LEFT);
}

static PyObject *
on_branch_right(PyObject *module, PyObject *const *args, Py_ssize_t n_args)
{
    return on_branch(module, args, n_args, EVENT_RIGHT);
}

/* A jump or a return was executed. */
static PyObject *
on_leave(PyObject *module, PyObject *const *args, Py_ssize_t n_args)
{
    return on_place(module, args, n_args, EVENT_LEFT);
}

/* Return what the code object of an exception event has in its slot; NULL if it is not measured now. In 3.14 these events
 * cover the whole process, so most end here. */
static code_events *
excepting_code(module_state *state, PyObject *const *args, Py_ssize_t n_args)
{
    if (state->monitoring == NULL || state->monitoring->is_paused || n_args < 1 || !PyCode_Check(args[0])) {
        return NULL;
    }
    return code_events_of(state->monitoring, args[0]);
}

/* Set a flag at the running frame's instruction. The event's own offset is the handler's or a RERAISE's; the frame
 * still knows where the exception came from. */
static void
set_flag_at_frame(module_state *state, code_events *extra, unsigned char flag)
{
    monitoring_set_flag_in_context(state, extra, PyUnstable_InterpreterFrame_GetLasti(frame_running()), flag);
}

static PyObject *
on_exception(PyObject *module, PyObject *const *args, Py_ssize_t n_args, unsigned char flag)
{
    module_state *state = get_state(module);
    code_events *extra = excepting_code(state, args, n_args);
    if (extra != NULL) {
        set_flag_at_frame(state, extra, flag);
    }
    Py_RETURN_NONE;
}

static PyObject *
on_instruction(PyObject *module, PyObject *const *args, Py_ssize_t n_args)
{
    module_state *state = get_state(module);
    if (state->monitoring == NULL) {
        Py_RETURN_NONE;
    }
    code_events *extra = n_args >= 2 && PyCode_Check(args[0]) ? code_events_of(state->monitoring, args[0]) : NULL;
    Py_ssize_t offset = extra == NULL ? -1 : PyLong_AsSsize_t(args[1]);
    if (offset >= 0 && extra->jumps != NULL && cold_jumps_has(extra->jumps, (uint32_t)(offset / 2))) {
        return set_flag_once(state, args[0], offset, EVENT_LEFT);
    }
    return Py_NewRef(state->monitoring->disable);
}

static PyObject *
on_exception_handled(PyObject *module, PyObject *const *args, Py_ssize_t n_args)
{
    module_state *state = get_state(module);
    code_events *extra = excepting_code(state, args, n_args);
    if (extra != NULL) {
        int is_stop = n_args >= 3 && PyErr_GivenExceptionMatches(args[2], PyExc_StopAsyncIteration);
        set_flag_at_frame(state, extra, is_stop ? EVENT_ASYNC_STOP : EVENT_RAISE);
        if (state->monitoring != NULL && monitoring_watch_cold_jumps(state, extra, INT_MAX) < 0) {
            monitoring_fail(state);
        }
    }
    Py_RETURN_NONE;
}

static PyObject *
on_unwind(PyObject *module, PyObject *const *args, Py_ssize_t n_args)
{
    return on_exception(module, args, n_args, EVENT_UNWIND);
}

/* Watch how the running frame leaves the handler that it continues in, if it does: its exception was handled in an
 * earlier context or before measuring began. */
static void
watch_resumed_handler(PyObject *module, PyObject *const *args, Py_ssize_t n_args)
{
    module_state *state = get_state(module);
    code_events *extra = excepting_code(state, args, n_args);
    if (extra != NULL
        && monitoring_watch_cold_jumps(state, extra, PyUnstable_InterpreterFrame_GetLasti(frame_running()) / 2) < 0) {
        monitoring_fail(state);
    }
}

/* Return whether to go on with an event of a frame that continues: if it began before measuring did, its code is looked at
 * first, where such frames are wanted. If not, *answer is the answer to the event; NULL with an exception. */
static int
look_at_resumed(PyObject *module, PyObject *const *args, Py_ssize_t n_args, PyObject **answer)
{
    struct monitoring *mon = get_state(module)->monitoring;
    if (mon == NULL || !mon->only_new || n_args < 2 || !PyCode_Check(args[0]) || code_events_of(mon, args[0]) != NULL) {
        return 1;
    }
    *answer = on_py_start(module, args, 2); // owned
    mon = get_state(module)->monitoring;
    if (*answer == NULL || mon == NULL || code_events_of(mon, args[0]) == NULL) {
        return 0;
    }
    Py_CLEAR(*answer);
    return 1;
}

/* A generator or coroutine continues. */
static PyObject *
on_resume(PyObject *module, PyObject *const *args, Py_ssize_t n_args)
{
    PyObject *answer;
    if (!look_at_resumed(module, args, n_args, &answer)) {
        return answer;
    }
    answer = on_place(module, args, n_args, EVENT_RESUMED);
    watch_resumed_handler(module, args, n_args);
    return answer;
}

/* An exception is thrown into one. This event can't be disabled. */
static PyObject *
on_throw(PyObject *module, PyObject *const *args, Py_ssize_t n_args)
{
    PyObject *answer;
    if (!look_at_resumed(module, args, n_args, &answer)) {
        Py_XDECREF(answer);
        return answer == NULL ? NULL : Py_NewRef(Py_None);
    }
    answer = on_exception(module, args, n_args, EVENT_RESUMED);
    watch_resumed_handler(module, args, n_args);
    return answer;
}

static PyMethodDef py_start_callback = {"footfall_py_start", (PyCFunction)(void (*)(void))on_py_start, METH_FASTCALL,
                                        NULL};
static PyMethodDef line_callback = {"footfall_line", (PyCFunction)(void (*)(void))on_line, METH_FASTCALL, NULL};
static PyMethodDef branch_left_callback = {"footfall_branch_left", (PyCFunction)(void (*)(void))on_branch_left,
                                           METH_FASTCALL, NULL};
static PyMethodDef branch_right_callback = {"footfall_branch_right", (PyCFunction)(void (*)(void))on_branch_right,
                                            METH_FASTCALL, NULL};

static PyMethodDef jump_callback = {"footfall_jump", (PyCFunction)(void (*)(void))on_leave, METH_FASTCALL, NULL};
static PyMethodDef py_return_callback = {"footfall_py_return", (PyCFunction)(void (*)(void))on_leave, METH_FASTCALL,
                                         NULL};
static PyMethodDef py_resume_callback = {"footfall_py_resume", (PyCFunction)(void (*)(void))on_resume, METH_FASTCALL,
                                         NULL};
static PyMethodDef py_throw_callback = {"footfall_py_throw", (PyCFunction)(void (*)(void))on_throw, METH_FASTCALL,
                                        NULL};
static PyMethodDef exception_handled_callback = {
    "footfall_exception_handled", (PyCFunction)(void (*)(void))on_exception_handled, METH_FASTCALL, NULL};
static PyMethodDef instruction_callback = {"footfall_instruction", (PyCFunction)(void (*)(void))on_instruction,
                                           METH_FASTCALL, NULL};
static PyMethodDef unwind_callback = {"footfall_py_unwind", (PyCFunction)(void (*)(void))on_unwind, METH_FASTCALL,
                                      NULL};

/* Return the value of `sys.monitoring.events.<name>`; 0 with an exception. */
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
register_callback(PyObject *module, PyObject *monitoring, PyMethodDef *def, const char *event_name, long *events)
{
    long event = event_value(monitoring, event_name);
    if (event <= 0) {
        return -1;
    }
    PyObject *function = PyCFunction_New(def, module); // owned
    if (function == NULL) {
        return -1;
    }
    PyObject *old = PyObject_CallMethod(monitoring, "register_callback", "OlO", get_state(module)->monitoring->tool_id,
                                        event, function);
    Py_DECREF(function);
    if (old == NULL) {
        return -1;
    }
    Py_DECREF(old);
    *events |= event;
    return 0;
}

static int
register_branch_callbacks(PyObject *module, PyObject *monitoring, event_sets *sets)
{
#if HAS_LOCAL_EXCEPTION_EVENTS
    long *exception_events = &sets->local;
    long *throw_events = &sets->local;
#else
    long *exception_events = &sets->global;
    long *throw_events = &get_state(module)->monitoring->context_events;
#endif
    const struct {
        PyMethodDef *callback;
        const char *event;
        long *events;
    } wanted[] = {
        {&branch_left_callback, "BRANCH_LEFT", &sets->local},
        {&branch_right_callback, "BRANCH_RIGHT", &sets->local},
        {&jump_callback, "JUMP", &sets->local},
        {&py_return_callback, "PY_RETURN", &sets->local},
        {&exception_handled_callback, "EXCEPTION_HANDLED", exception_events},
        {&unwind_callback, "PY_UNWIND", exception_events},
        {&py_resume_callback, "PY_RESUME", &sets->local},
        {&instruction_callback, "INSTRUCTION", &sets->watch},
        {&py_throw_callback, "PY_THROW", throw_events},
    };
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        if (register_callback(module, monitoring, wanted[i].callback, wanted[i].event, wanted[i].events) < 0) {
            return -1;
        }
    }
    return 0;
}

int
monitoring_register_callbacks(PyObject *module, PyObject *monitoring, int with_branches, event_sets *sets)
{
    if (register_callback(module, monitoring, &py_start_callback, "PY_START", &sets->global) < 0
        || register_callback(module, monitoring, &line_callback, "LINE", &sets->local) < 0) {
        return -1;
    }
    long instruction = event_value(monitoring, "INSTRUCTION");
    if (instruction <= 0) {
        return -1;
    }
    get_state(module)->monitoring->instruction_event = instruction;
    if (get_state(module)->monitoring->only_new
        && (register_callback(module, monitoring, &py_resume_callback, "PY_RESUME", &sets->global) < 0
            || register_callback(module, monitoring, &py_throw_callback, "PY_THROW", &sets->global) < 0)) {
        return -1;
    }
    return with_branches ? register_branch_callbacks(module, monitoring, sets) : 0;
}

#endif
