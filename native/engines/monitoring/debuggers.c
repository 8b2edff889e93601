/* engines/monitoring/debuggers.c keeps the engine on sys.monitoring from disturbing debuggers.
 *
 * `breakpoint()` must stop at the next instruction: bdb requests opcode events for the frame's code, and then starts
 * tracing. At that start, CPython 3.14 and 3.15 allocate the table of which tool wants which instruction's event,
 * empty, if several tools have an event in common, such as PY_START. bdb's events are then lost, and it stops one line
 * later. If the code has INSTRUCTION events of ours first, the allocation comes with bdb's own request, and is right.
 * 3.13 behaves the same, but its bdb has no function by which we could see that it begins: there the code on the stack
 * keeps its INSTRUCTION events, without a callback. Every function needs the GIL. */
#include "engines/monitoring/debuggers.h"
#include "compat/versions.h"

#if HAS_MONITORING

#include "engines/monitoring/codes.h"

debugger_step
monitoring_debugger_step(PyCodeObject *code)
{
#if HAS_INSTRUCTION_DEBUGGER
    if (PyUnicode_CompareWithASCIIString(code->co_qualname, "Bdb.set_stepinstr") == 0) {
        return DEBUGGER_ASKS;
    }
    if (PyUnicode_CompareWithASCIIString(code->co_qualname, "Bdb.start_trace") == 0) {
        return DEBUGGER_BEGINS;
    }
#else
    (void)code;
#endif
    return NO_DEBUGGER;
}

/* Add INSTRUCTION events to those of the code. */
static int
prepare_code(struct monitoring *mon, PyObject *code)
{
    const code_events *extra = code_events_of(mon, code);
    long events = PyLong_AsLong(extra == NULL ? mon->no_events : mon->local_events) | mon->instruction_event;
    PyObject *wanted = PyLong_FromLong(events); // owned
    int status = wanted == NULL ? -1 : monitoring_set_local_events(mon, code, wanted);
    Py_XDECREF(wanted);
    return status;
}

/* Request the code's own events again: INSTRUCTION events that it had before were lost. */
static int
restore_code(struct monitoring *mon, PyObject *code)
{
    const code_events *extra = code_events_of(mon, code);
    if (monitoring_set_local_events(mon, code, extra == NULL ? mon->no_events : mon->local_events) < 0) {
        return -1;
    }
    return extra != NULL && extra->is_watching ? monitoring_set_local_events(mon, code, mon->watch_events) : 0;
}

int
monitoring_follow_debugger(module_state *state, debugger_step step)
{
    struct monitoring *mon = state->monitoring;
    struct _PyInterpreterFrame *frame = frame_with_code(&mon->frames, frame_running());
    while (frame != NULL) {
        PyObject *code = PyUnstable_InterpreterFrame_GetCode(frame); // owned
        int status = 0;
        if (PyCode_Check(code)) {
            status = step == DEBUGGER_ASKS ? prepare_code(mon, code) : restore_code(mon, code);
        }
        Py_DECREF(code);
        if (status < 0) {
            return -1;
        }
        frame = frame_with_code(&mon->frames, frame_caller(&mon->frames, frame));
    }
    return 0;
}

#endif
