/* engines/monitoring/state.c handles the state of the engine on sys.monitoring: freeing it, and stopping after a
 * failure. */
#include "compat/versions.h"
#include "engines/monitoring/state.h"

#if HAS_MONITORING

#include "record/recorder.h"

void
monitoring_free(struct monitoring *mon)
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

/* Return whether another thread is stopping the engine: it frees the tool id first. */
static int
is_tool_gone(struct monitoring *mon)
{
    PyObject *monitoring = PySys_GetObject("monitoring"); // borrowed
    PyObject *name =
        monitoring == NULL ? NULL : PyObject_CallMethod(monitoring, "get_tool", "O", mon->tool_id); // owned
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
        /* Last: it runs Python code, during which threads may switch, and one may stop the engine. */
        PySys_FormatStderr("footfall: coverage stopped by an internal error: %R. What ran before "
                           "is kept; please report it. [engine-failed]\n",
                           error == NULL ? Py_None : error);
    }
    Py_XDECREF(error);
    PyErr_Clear();
}

code_events *
monitoring_pop_dirty(struct monitoring *mon)
{
    code_events *first = mon->dirty;
    if (first != NULL) {
        mon->dirty = first->next_dirty;
        first->is_dirty = 0;
    }
    return first;
}

#endif
