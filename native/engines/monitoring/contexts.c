/* engines/monitoring/contexts.c records what the engine on sys.monitoring saw in a context and lets it be seen again in
 * the next one, and records what threads and tasks of other contexts do.
 *
 * All events of a code object are enabled again when it is next called. It is made to look as if it had been
 * instrumented before the engine's restart_events(); CPython checks that (`_co_instrumentation_version`) when a
 * function begins, a generator continues, or an exception is thrown into one. So code that the next context does not
 * run costs nothing. restart_events itself is not used: it would do this to every code object of the process. The check
 * is not made for code that is running, for greenlets when they are switched to, and for calls in code that CPython's
 * JIT compiled; their events are enabled at once, which also makes the JIT discard such code. Every function needs the
 * GIL. */
#include "engines/monitoring/contexts.h"

#include "compat/versions.h"
#include "engines/context_labels.h"
#include "engines/greenlets.h"
#include "engines/monitoring/codes.h"
#include "record/recorder.h"

#include <string.h>

#if HAS_MONITORING

/* Older than the engine's restart_events(), newer than code that was never instrumented (0). */
#define LONG_AGO 1

static int
arm_now(struct monitoring *mon, const code_events *extra)
{
    PyObject *code = (PyObject *)extra->code; // borrowed
    return monitoring_set_local_events(mon, code, mon->no_events) < 0
               ? -1
               : monitoring_set_local_events(mon, code, extra->is_watching ? mon->watch_events : mon->local_events);
}

static void
arm_when_called(PyCodeObject *code)
{
    code->_co_instrumentation_version = LONG_AGO;
}

/* Return whether CPython's JIT compiles here: its code calls functions without checking their version. */
static int
has_jit(void)
{
    PyObject *jit = PySys_GetObject("_jit"); // borrowed; NULL before 3.14
    PyObject *enabled = jit == NULL ? NULL : PyObject_CallMethod(jit, "is_enabled", NULL); // owned
    int is_enabled = enabled != NULL && PyObject_IsTrue(enabled) > 0;
    Py_XDECREF(enabled);
    PyErr_Clear(); /* a module with other content: not CPython's */
    return is_enabled;
}

static int
must_arm_at_once(void)
{
    return has_greenlets() || has_jit();
}

static int
arm(struct monitoring *mon, const code_events *extra, int is_at_once)
{
    if (is_at_once) {
        return arm_now(mon, extra);
    }
    arm_when_called(extra->code);
    return 0;
}

/* Enable the events of what runs now; note each measured frame's place if `is_marking`. -1 with an exception. */
static int
arm_frames(module_state *state, PyThreadState *thread, int is_marking)
{
    struct monitoring *mon = state->monitoring;
    struct _PyInterpreterFrame *frame = frame_with_code(&mon->frames, frame_of_thread(thread));
    while (frame != NULL) {
        PyObject *code = PyUnstable_InterpreterFrame_GetCode(frame); // owned
        code_events *extra = PyCode_Check(code) ? code_events_of(mon, code) : NULL;
        int status = 0;
        if (extra != NULL && extra->code->_co_instrumentation_version == LONG_AGO) {
            status = arm_now(mon, extra);
        }
        int at = PyUnstable_InterpreterFrame_GetLasti(frame);
        if (extra != NULL && is_marking && status == 0 && at / 2 >= extra->code->_co_firsttraceable) {
            monitoring_set_flag(state, extra, at, EVENT_RESUMED);
            status = monitoring_watch_cold_jumps(state, extra, at / 2);
        }
        Py_DECREF(code);
        if (status < 0) {
            return -1;
        }
        frame = frame_with_code(&mon->frames, frame_caller(&mon->frames, frame));
    }
    return 0;
}

static int
arm_running(module_state *state, int is_marking)
{
    PyThreadState *thread = PyInterpreterState_ThreadHead(PyInterpreterState_Get());
    for (; thread != NULL; thread = PyThreadState_Next(thread)) {
        if (arm_frames(state, thread, is_marking) < 0) {
            return -1;
        }
    }
    return 0;
}

/* Let everything that was executed in this context be seen again in it, when work of another context runs it. -1 with
 * an exception. */
static int
arm_dirty(module_state *state)
{
    struct monitoring *mon = state->monitoring;
    int is_at_once = must_arm_at_once();
    for (code_events *extra = mon->dirty; extra != NULL; extra = extra->next_dirty) {
        if (extra->code != NULL && arm(mon, extra, is_at_once) < 0) {
            return -1;
        }
    }
    return arm_running(state, 0);
}

/* Set a flag for work of a context other than the process's. */
static void
set_other_flag(module_state *state, code_events *extra, Py_ssize_t byte_offset, unsigned char flag, uint32_t context_id)
{
    struct monitoring *mon = state->monitoring;
    recorder *rec = state->recorder;
    if (byte_offset < 0 || (size_t)byte_offset / 2 >= extra->n_places) {
        return;
    }
    if (extra->generation != rec->generation) {
        monitoring_set_flag(state, extra, byte_offset, 0); /* record the code in this process's file */
        if (state->monitoring != mon) {
            return; /* stopped */
        }
    }
    if (!mon->has_other_contexts) {
        mon->has_other_contexts = 1;
        if (arm_dirty(state) < 0) {
            monitoring_fail(state);
            return;
        }
    }
    other_context_events *found =
        other_context_events_of(&extra->other_events, context_id, rec->generation, extra->n_places);
    size_t unit = (size_t)byte_offset / 2;
    if (found != NULL && (found->events[unit] & flag) != flag) { /* no memory: only this one event is lost */
        found->events[unit] |= flag;
        recorder_add_event(rec, RECORD_EVENTS, extra->code_id, context_id, (uint32_t)unit, flag);
    }
}

int
monitoring_set_flag_in_context(module_state *state, code_events *extra, Py_ssize_t byte_offset, unsigned char flag)
{
    uint32_t context_id;
    if (context_is_other(state, &context_id)) {
        set_other_flag(state, extra, byte_offset, flag, context_id);
        return 0;
    }
    monitoring_set_flag(state, extra, byte_offset, flag);
    return 1;
}

/* Look for the jumps of a code object, once. 0, or -1 with an exception. */
static int
find_cold_jumps(code_events *extra)
{
    if (!extra->has_handled) {
        PyObject *bytecode = PyCode_GetCode(extra->code); // owned
        if (bytecode == NULL) {
            return -1;
        }
        extra->jumps = cold_jumps_find(bytecode);
        extra->has_handled = 1;
        Py_DECREF(bytecode);
    }
    return 0;
}

int
monitoring_watch_cold_jumps(module_state *state, code_events *extra, int unit)
{
    PyObject *code = (PyObject *)extra->code; // borrowed
    if (state->monitoring->watch_events == NULL) {
        return 0;
    }
    if (find_cold_jumps(extra) < 0) {
        return -1;
    }
    if (extra->jumps == NULL || unit < 0 || (uint32_t)unit < extra->jumps->first_handler) {
        return 0;
    }
    for (uint32_t i = 0; i < extra->jumps->n; i++) {
        monitoring_set_flag_in_context(state, extra, 2 * (Py_ssize_t)extra->jumps->units[i], EVENT_RIGHT);
    }
    if (extra->is_watching || state->monitoring == NULL) {
        return 0;
    }
    extra->is_watching = 1;
    return monitoring_set_local_events(state->monitoring, code, state->monitoring->watch_events);
}

/* Record and clear the events of one code object, which is no longer in the list. -1 if recording is off. */
static int
flush_code(module_state *state, code_events *extra)
{
    recorder *rec = state->recorder;
    if (extra->generation != rec->generation) {
        return 0; /* a forked child records none of it; the bytes are the parent's */
    }
    if (recorder_add_events(rec, RECORD_EVENTS, extra->code_id, rec->context_id, extra->events, extra->n_places) < 0) {
        return -1;
    }
    memset(extra->events, 0, extra->n_places);
    return 0;
}

/* Add the events that are needed once there are contexts. -1 with an exception. */
static int
add_context_events(struct monitoring *mon)
{
    if (mon->context_events == 0) {
        return 0;
    }
    mon->global_events |= mon->context_events;
    mon->context_events = 0;
    PyObject *set = PyObject_CallFunction(mon->set_events, "Ol", mon->tool_id, mon->global_events); // owned
    Py_XDECREF(set);
    return set == NULL ? -1 : 0;
}

int
monitoring_flush(module_state *state)
{
    struct monitoring *mon = state->monitoring;
    if (mon == NULL || mon->is_off) {
        return 0;
    }
    if (add_context_events(mon) < 0) {
        return -1;
    }
    mon->has_other_contexts = 0;
    int is_at_once = must_arm_at_once();
    int status = 0;
    for (code_events *extra = monitoring_pop_dirty(mon); extra != NULL; extra = monitoring_pop_dirty(mon)) {
        int is_flushed = flush_code(state, extra) == 0;
        int was_watching = extra->is_watching;
        extra->is_watching = 0;
        if (extra->code == NULL) {
            PyMem_RawFree(extra);
        }
        else if (is_flushed) {
            status = arm(mon, extra, is_at_once || was_watching);
        }
        if (!is_flushed || status < 0) {
            break;
        }
    }
    return status;
}

void
monitoring_begin(module_state *state)
{
    struct monitoring *mon = state->monitoring;
    if (mon != NULL && !mon->is_off && arm_running(state, mon->with_branches) < 0) {
        monitoring_fail(state);
    }
}

#endif
