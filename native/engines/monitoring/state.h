/* What the parts of the engine on sys.monitoring share; monitoring.c lists the parts. */
#ifndef FOOTFALL_ENGINES_MONITORING_STATE_H
#define FOOTFALL_ENGINES_MONITORING_STATE_H

#include "compat/versions.h"
#include "core/state.h"

#if HAS_MONITORING

#include "engines/monitoring/places/cold_jumps.h"
#include "engines/other_context_events.h"
#include "engines/frames.h"
#include "engines/monitoring/places/except_star_ends.h"
#include "record/format.h"

/* What a measured code object has in its co_extra slot. */
typedef struct code_events {
    unsigned char *events; /* borrowed from the record file's mapping */
    uint32_t start; /* the start of the engine that it belongs to */
    uint32_t n_places; /* one for each code unit, and those of `ends` */
    except_star_ends *ends; /* owned; NULL in nearly all code */
    cold_jumps *jumps; /* owned; NULL in most code, and until it handles an exception */
    int has_handled; /* an exception; `jumps` has been searched for */
    int is_watching; /* `jumps` are watched, by INSTRUCTION events, in this context */
    uint32_t code_id;
    uint32_t generation; /* the recorder's when registered */
    int is_dirty; /* in the list of code objects with an event in this context */
    struct code_events *next_dirty;
    PyCodeObject *code; /* borrowed; NULL after it was freed, then the list owns this */
    other_context_events *other_events; /* owned list */
} code_events;

struct monitoring {
    PyObject *decide; /* owned: scope decision, str -> str | None */
    PyObject *decisions; /* owned: dict co_filename -> absolute path | None */
    PyObject *set_local_events; /* owned: sys.monitoring.set_local_events */
    PyObject *disable; /* owned: sys.monitoring.DISABLE */
    PyObject *tool_id; /* owned: int */
    PyObject *local_events; /* owned: int */
    PyObject *watch_events; /* owned: int, the same with INSTRUCTION; NULL without branches */
    PyObject *no_events; /* owned: int 0 */
    PyObject *set_events; /* owned: sys.monitoring.set_events */
    code_events *dirty; /* first of the list */
    frame_layout frames;
    frame_lines last_lines; /* of frames in an `except*`, for except_star_ends */
    int has_other_contexts; /* work of another context was seen in this one: nothing is disabled until the next one */
    long global_events;
    long context_events; /* additional global events, once there are contexts */
    long instruction_event;
    int with_branches;
    int only_new; /* calls are measured that begin after the start, and generators that continue */
    Py_ssize_t extra_index; /* of code_events in co_extra; 0 is valid, -1 is none */
    uint32_t start; /* module_state.n_starts */
    int is_off; /* after an internal failure */
    int is_paused; /* nothing is recorded: monitoring_pause() */
    int has_missed; /* measured code ran in the pause, so its events are disabled */
    int n_callers; /* callbacks that wait for Python code; another thread may stop the engine meanwhile */
    int is_stopped; /* the last of them frees this */
};

/* Return what the code object has in its slot; NULL if this engine does not measure it, whatever an earlier one did. */
static inline code_events *
code_events_of(struct monitoring *mon, PyObject *code)
{
    void *extra = NULL;
    if (PyUnstable_Code_GetExtra(code, mon->extra_index, &extra) < 0) {
        PyErr_Clear(); /* only for a bad index, which ours is not */
    }
    code_events *found = extra;
    return found != NULL && found->start == mon->start ? found : NULL;
}

/* A failure of ours must not reach the program: with an exception set, measuring stops, with one message; without a
 * message if another thread is stopping it. Afterwards the engine may be gone (state->monitoring). */
void monitoring_fail(module_state *state);

/* Remove the first code object from the list of those with an event, and return it. */
code_events *monitoring_pop_dirty(struct monitoring *mon);

/* Called by the last user, once it was stopped. */
void monitoring_free(struct monitoring *mon);

#endif

#endif
