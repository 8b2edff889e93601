/* What the parts of the settrace engine share: the engine, and what it knows of a code object. Binding C; everything
 * runs under the GIL. */
#ifndef FOOTFALL_ENGINES_SETTRACE_STATE_H
#define FOOTFALL_ENGINES_SETTRACE_STATE_H

#include <Python.h>

#include "core/state.h"
#include "engines/file_tracers/frames.h"
#include "engines/other_context_events.h"
#include "engines/trace_sets.h"

/* What a measured code object has in its co_extra slot. */
typedef struct traced_code {
    pair_set pairs;
    other_context_pairs *other_pairs; /* owned list */
    PyObject *bytecode; /* owned: bytes, without instrumentation */
    PyObject *filename; /* owned: co_filename */
    traced_file *plugin_file; /* borrowed from the engine's `traced_frames`, which records its frames; else NULL */
    uint32_t start; /* the start of the engine that it belongs to */
    uint32_t generation; /* the recorder's when registered */
    int is_watched; /* the tool has its events */
    int is_dirty; /* in the list of code objects with a pair in this context */
    int is_orphan; /* its code object was freed: the list owns it */
    int needs_none; /* the slot had needs_no_probes() */
    struct traced_code *next_dirty;
} traced_code;

struct settrace {
    PyObject *decide; /* owned: scope decision, str -> str | None, or a TracedFile for a plugin's file */
    traced_frames *traced_frames; /* owned; NULL if there are no plugins */
    PyObject *decisions; /* owned: dict co_filename -> the same */
    PyObject *function; /* owned: the trace function as the program sees it */
    PyObject *f_trace; /* owned: the interned name */
    frame_lines running;
    traced_code *dirty; /* first of the list */
    Py_ssize_t extra_index;
    uint32_t start; /* module_state.n_starts */
    int with_arcs;
    int only_new; /* frames that began before the engine are ignored */
    int has_tool; /* settrace/tool.c gives it the events of some code: no thread has its trace function */
    int is_off; /* after an internal failure */
    int is_paused; /* nothing is recorded: settrace_pause() */
    int n_callers; /* calls that wait for Python code; another thread may stop the engine meanwhile */
    int is_stopped; /* the last of them frees this */
};

/* Whether what traced_code_find() has returned is of a measured code object. */
static inline int
traced_code_is_measured(const traced_code *traced)
{
    return traced != NULL && ((uintptr_t)traced & 1) == 0;
}

/* Free what is in a slot: the destructor of the slots. */
void traced_code_free(void *extra);

/* Put a code object into the engine's list of those with a pair in this context, if it is not there; remove the first one
 * and return it, NULL if there is none. */
void traced_code_mark_dirty(struct settrace *engine, traced_code *traced);
traced_code *traced_code_pop_dirty(struct settrace *engine);

/* Python code may run from here to settrace_leave(), during which threads may switch: one may stop the engine. */
void settrace_enter(module_state *state);
/* 0 if the engine continues; -1 if it was stopped: then it may be gone, and no exception is set. */
int settrace_leave(module_state *state, struct settrace *engine);

/* Free an engine that nobody calls any more. */
void settrace_free(struct settrace *engine);

/* A failure of ours, the present exception, must not reach the program: measuring stops, with one message. */
void settrace_fail(module_state *state);

/* The absolute path if this file is measured, else None; or a TracedFile. Borrowed; NULL with an exception, or without one
 * if the engine was stopped meanwhile. */
PyObject *settrace_decision(module_state *state, PyObject *filename);

#endif
