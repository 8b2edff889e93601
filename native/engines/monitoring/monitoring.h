/* What the parts of the engine on sys.monitoring share: monitoring.c says which they are. */
#ifndef FOOTFALL_ENGINES_MONITORING_MONITORING_H
#define FOOTFALL_ENGINES_MONITORING_MONITORING_H

#include "compat/versions.h"
#include "core/state.h"

#if HAS_MONITORING

#include "engines/monitoring/cold_jumps.h"
#include "engines/other_context_hits.h"
#include "engines/frames.h"
#include "engines/hits.h"
#include "engines/monitoring/except_star_ends.h"

/* What a measured code object carries in its co_extra slot. */
typedef struct code_hits {
    unsigned char *hits; /* borrowed from the record file's mapping */
    uint32_t n_places; /* one for each code unit, and those of `ends` */
    star_ends *ends; /* owned; NULL in nearly all code */
    cold_jumps *jumps; /* owned; NULL in most code, and until it handles an exception */
    int has_handled; /* an exception; `jumps` is known */
    int is_watching; /* `jumps`, by INSTRUCTION events, in this context */
    uint32_t code_id;
    uint32_t generation; /* the recorder's when registered */
    int is_dirty; /* in the list of code objects with a hit in this context */
    struct code_hits *next_dirty;
    PyCodeObject *code; /* borrowed; NULL when it is gone, then the list owns this */
    foreign_hits *foreign; /* owned list */
} code_hits;

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
    code_hits *dirty; /* first of the list */
    frame_layout frames;
    frame_lines last_lines; /* of frames in an `except*`, for star_ends */
    int has_foreign; /* work of another context was seen in this one: nothing is disabled until the next */
    long global_events;
    long context_events; /* further global events, once there are contexts */
    long instruction_event;
    int with_branches;
    Py_ssize_t extra_index; /* of code_hits in co_extra; 0 is valid, -1 is none */
    int is_off; /* after an internal failure */
    int n_callers; /* callbacks that wait for Python code; another thread may stop the engine meanwhile */
    int is_stopped; /* the last of them frees this */
};

/* What the code object carries; NULL when it is not measured. */
static inline code_hits *
code_hits_of(struct monitoring *mon, PyObject *code)
{
    void *extra = NULL;
    if (PyUnstable_Code_GetExtra(code, mon->extra_index, &extra) < 0) {
        PyErr_Clear(); /* only for a bad index, which ours is not */
    }
    return extra;
}

/* Record the code object in the current file. 1 done, 0 not recorded, -1 with an exception. */
int monitoring_register(module_state *state, PyObject *code, PyObject *path);

/* The absolute path when this file is measured, else None. Borrowed; NULL with an exception, and without one when
 * the engine was stopped meanwhile by another thread: `decide` is Python code, in which threads take turns. */
PyObject *monitoring_decision(module_state *state, PyObject *filename);

/* Events by which a code object is measured: of the whole process, its own, and those beside its own while cold jumps
 * are watched. */
typedef struct {
    long global;
    long local;
    long watch;
} event_sets;

/* Give sys.monitoring our callbacks, and add their events to the sets. -1 with an exception. */
int monitoring_register_callbacks(PyObject *module, PyObject *monitoring, int with_branches, event_sets *sets);

/* The free function of the co_extra slot. */
void monitoring_free_code_hits(void *extra);

/* The last who uses it, once it was stopped. */
void monitoring_free(struct monitoring *mon);

/* Set a flag at a code unit, for the process's context. After a fork the code is recorded anew in the child's
 * file first. */
void monitoring_set_flag(module_state *state, code_hits *extra, Py_ssize_t byte_offset, unsigned char flag);

/* The same for work of another context than the process's. */
void monitoring_set_foreign_flag(module_state *state, code_hits *extra, Py_ssize_t byte_offset, unsigned char flag,
                                 uint32_t context_id);

/* A frame of this code is in a handler: see how it leaves. A watched jump is marked with HIT_RIGHT, and has HIT_LEFT
 * once it was done. -1 with an exception. */
int monitoring_watch_cold_jumps(module_state *state, code_hits *extra);

/* What starting this code means for debuggers (3.13 and later). */
typedef enum debugger_step {
    NO_DEBUGGER,
    DEBUGGER_ASKS, /* is about to ask for a stop at the next instruction */
    DEBUGGER_BEGINS, /* has asked, and begins tracing */
} debugger_step;

debugger_step monitoring_debugger_step(PyCodeObject *code);

/* Let a debugger have its events of all code that runs in this thread. -1 with an exception. */
int monitoring_follow_debugger(module_state *state, debugger_step step);

/* `sys.monitoring.set_local_events` of our tool. -1 with an exception. */
int monitoring_set_local_events(struct monitoring *mon, PyObject *code, PyObject *events);

/* A failure of ours must not reach the program: with an exception set, measuring stops, once, loudly; silently where
 * another thread is stopping it. Afterwards the engine may be gone (state->monitoring). */
void monitoring_fail(module_state *state);

/* Take the first code object out of the list. */
code_hits *monitoring_pop_dirty(struct monitoring *mon);

#endif

#endif
