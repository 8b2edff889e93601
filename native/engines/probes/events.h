/* The objects that replace the marks in the constants of armed code, and the engine's state, into which they record.
 * All need the GIL. */
#ifndef FOOTFALL_ENGINES_PROBES_EVENTS_H
#define FOOTFALL_ENGINES_PROBES_EVENTS_H

#include "core/state.h"
#include "engines/other_context_events.h"
#include "engines/probes/callbacks.h"
#include "engines/probes/captures/captures.h"
#include "engines/probes/removed.h"

struct probes {
    PyTypeObject *events_type; /* owned */
    PyObject *armed; /* owned: dict (header mark, path) -> Events */
    struct events_object *dirty; /* first of the list of those with an event in this context; owned references */
    int has_contexts;
    int has_other_contexts; /* work of another context was seen in this one: no probe is removed until the next one */
    removed_list removed;
    PyObject *token; /* owned: bytes that identify what numbered the probes; NULL until set, as is `decide` */
    PyObject *decide; /* owned: the scope's, str -> str | None */
    PyObject *decide_late; /* owned: the same of a measurement that began in the running program; NULL without one */
    PyObject *settled; /* owned: set of co_filename whose code without probes needs no more decision */
    PyObject *callbacks[N_PROBES_CALLBACKS]; /* owned; NULL until set */
    captures captures;
};

/* Replaces the mark in the constants of one module's code. */
typedef struct events_object {
    PyObject_HEAD
    struct events_object *next_dirty;
    int is_dirty;
    uint32_t probes_id;
    unsigned char *events; /* borrowed from the mapping; NULL when recording is off */
    other_context_events *other_events; /* owned list */
    PyObject *mark; /* owned: the str it replaces */
    PyObject *header; /* owned: the module's header mark */
    PyObject *path; /* owned: as in co_filename */
    PyObject *portable; /* owned: bytes that represent it in marshalled code, once they were needed; or NULL */
    PyObject *absolute_path; /* owned */
    PyObject *decide; /* owned: str -> path | None, until it is known whether the module is measured; else NULL */
    int is_out; /* it is not measured */
    int has_changed; /* a message was recorded that the program changed probes */
    module_state *state; /* borrowed: of the module that created the type, which the type keeps alive */
    uint32_t n_probes;
    uint32_t generation; /* the recorder's when registered */
    captured_module captured;
} events_object;

/* The type, owned; NULL with an exception. */
PyTypeObject *events_make_type(PyObject *module);

/* Return that of the module with this header mark and co_filename; created if there is none. `where` is as in
 * probes_arm, or None: it is for captures, and recorded only while there is a `decide_late`. Owned; NULL with an exception, or without one if
 * recording is off. */
PyObject *events_of(module_state *state, PyObject *header, PyObject *path, PyObject *where);

/* Record what is reached from now on, in a record that has just been opened, if `decide` gives a path for the file;
 * nothing if it is NULL. */
void events_decide_anew(events_object *events, PyObject *decide);

/* Return that which a bytes constant, made by marshal, represents in code of the file. Owned; NULL if there is none,
 * with or without an exception. */
PyObject *events_from_portable(module_state *state, PyObject *constant, PyObject *filename);

/* Remove the first module from the list of those with an event in this context; an owned reference, or NULL. */
events_object *events_pop_dirty(struct probes *probes);

#endif
