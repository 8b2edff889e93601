/* The record file of this process: what files and code objects are measured, and their hit bytes.
 * All functions need the GIL. After a fork the child calls recorder_after_fork: it gets a file of its
 * own under a new generation, and whoever holds a hits pointer of an older generation registers again
 * before the next store (what it held still points into the parent's file, which is also read). */
#ifndef FOOTFALL_RECORDER_H
#define FOOTFALL_RECORDER_H

#include "core/state.h" /* first: Python.h must come before the system headers */

#include "core/maplog.h"

enum record_kind {
    RECORD_HEADER = 1,
    RECORD_FILE = 2,
    RECORD_CODE = 3,
    RECORD_HITS = 4,
    RECORD_CONTEXT = 5,
    RECORD_PROBES = 6,
    RECORD_MESSAGE = 7,
    RECORD_TRACE = 8,
    RECORD_IMPORTED = 9,
};

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
    uint32_t context_id;
    uint32_t next_file_id;
    uint32_t next_code_id;
    int pid; /* that opened the current file */
    int is_off; /* after a failure: nothing is registered any more */
} recorder;

/* Hit bytes of one CODE entry, never moved. NULL without an exception when recording is off. */
unsigned char *recorder_add_code(recorder *rec, PyCodeObject *code, PyObject *absolute_path,
                                 uint32_t *code_id, uint32_t *n_units);

/* Hit bytes (n_probes of them) of one PROBES entry. `path` is the co_filename, both str objects.
 * NULL without an exception when recording is off. */
unsigned char *recorder_add_probes(recorder *rec, PyObject *path, PyObject *absolute_path,
                                   uint32_t n_probes, uint32_t mode,
                                   const unsigned char digest[16]);

/* Slots (n_slots of 8 bytes, 8-byte aligned) of one TRACE entry. Arguments as for recorder_add_probes.
 * NULL without an exception when recording is off. */
unsigned char *recorder_add_trace(recorder *rec, PyObject *path, PyObject *absolute_path,
                                  uint32_t n_slots, uint32_t mode);

/* Record a message with its slug; never fails loudly. */
void recorder_add_message(recorder *rec, const char *slug, const char *text);

#endif
