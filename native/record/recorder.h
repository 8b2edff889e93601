/* The record file of this process: which files and code objects are measured, and their event bytes. All functions need
 * the GIL. After a fork the child calls recorder_after_fork: it gets a file of its own under a new generation, and
 * whoever holds an events pointer of an older generation registers again before the next store (the old pointer is
 * still into the parent's file, which is also read). */
#ifndef FOOTFALL_RECORD_RECORDER_H
#define FOOTFALL_RECORD_RECORDER_H

#include "core/state.h" /* first: Python.h must come before the system headers */

#include "record/format.h"
#include "record/mappings.h"
#include "record/maplog.h"

typedef struct recorder {
    maplog log;
    char *directory; /* owned, malloc: the run directory */
    unsigned char *header; /* the HEADER payload without its strings; borrowed from the mapping */
    PyObject *file_ids; /* owned: dict co_filename -> int id, of this generation */
    PyObject *cwd; /* owned: bytes */
    PyObject *executable; /* owned: bytes */
    uint32_t generation; /* 1 for the process that opened first, +1 for each fork */
    uint32_t engine;
    uint32_t flags;
    PyObject *context_ids; /* owned: dict label -> int id, of this generation */
    PyObject *context_label; /* owned: str, the current context */
    uint32_t context_id;
    uint32_t next_context_id;
    uint32_t next_probes_id;
    uint32_t next_file_id;
    uint32_t next_code_id;
    int pid; /* the process that opened the current file */
    int is_off; /* after a failure: nothing more is registered */
    int has_probes; /* some code stores into the mappings as long as it exists */
    log_mapping *mappings; /* owned list */
} recorder;

/* Return the event bytes of a CODE entry, which never move: one for each unit of `bytecode` (bytes, without
 * instrumentation), plus `n_more`. NULL without an exception if recording is off. */
unsigned char *recorder_add_code(recorder *rec, PyCodeObject *code, PyObject *bytecode, uint32_t n_more,
                                 PyObject *absolute_path, uint32_t *code_id);

/* Return the event bytes (n_probes of them) of a PROBES entry. `path` is the co_filename; both paths are str objects.
 * NULL without an exception if recording is off. */
unsigned char *recorder_add_probes(recorder *rec, PyObject *path, PyObject *absolute_path, uint32_t n_probes,
                                   uint32_t mode, const unsigned char digest[16], uint32_t *probes_id);

/* Return the slots (n_slots of 8 bytes, 8-byte aligned) of a TRACE entry. Arguments as for recorder_add_probes. NULL
 * without an exception if recording is off. */
unsigned char *recorder_add_trace(recorder *rec, PyObject *path, PyObject *absolute_path, uint32_t n_slots,
                                  uint32_t mode);

/* Record pairs that ran in a context: a TRACE entry of exactly these slots, which never changes. 0, or -1 if recording
 * is off. */
int recorder_add_trace_pairs(recorder *rec, PyObject *path, PyObject *absolute_path, const uint64_t *slots,
                             uint32_t n_slots, uint32_t n_used, uint32_t mode, uint32_t context_id);

/* Get the id of a label ("" is 0), which is recorded if it is new. 0, or -1 with an exception. */
int recorder_context_id(recorder *rec, PyObject *label, uint32_t *id);

/* Put what is executed from now on into this context. 0, or -1 if recording is off (no exception). */
int recorder_switch(recorder *rec, PyObject *label, uint32_t id);

/* Record which of `n` bytes are not zero, as events of the object `id` in the context; kind is RECORD_EVENTS (a code
 * object) or RECORD_PROBE_EVENTS. 0 if done (or nothing to record), or -1 if recording is off. */
int recorder_add_events(recorder *rec, enum record_kind kind, uint32_t id, uint32_t context_id,
                        const unsigned char *events, size_t n);

/* The same for one byte. */
void recorder_add_event(recorder *rec, enum record_kind kind, uint32_t id, uint32_t context_id, uint32_t place,
                        unsigned char flags);

/* Record which plugin's file tracer (str) measures a file; "" means none any more. 0, or -1 with an exception. */
int recorder_add_tracer(recorder *rec, PyObject *path, PyObject *tracer);

/* Record a message with its slug. Return whether that was possible: 1 or 0. */
int recorder_add_message(recorder *rec, const char *slug, const char *text);

/* In a forked child: continue in a file of its own, in the present context. 1; 0 if there is nothing to do, or
 * recording is off now; -1 with an exception. */
int recorder_after_fork(recorder *rec);

int recorder_exec(PyObject *module);
void recorder_free(module_state *state);

#endif
