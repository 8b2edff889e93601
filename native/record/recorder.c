/* recorder.c owns the record file of this process (docs/formats.md): opening it, opening the child's after a fork, and
 * the entries that engines request. Binding C: every function needs the GIL. It does not decide what is measured. When
 * the disk is full, recording stops, and the record keeps the reason. */
#include "record/recorder.h"

#include "record/clocks.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Turn recording off. A header keeps the reason, which is reported when the command has ended: this process's header,
 * or, if it has none, that of the process that forked it, whose mapping both share. */
static void
recorder_stop(recorder *rec, unsigned char *header)
{
    if (rec->is_off) {
        return;
    }
    rec->is_off = 1;
    if (header != NULL) {
        maplog_put_u32(header + RECORD_STOPPED_AT, (uint32_t)rec->log.error);
    }
}

static void *
reserve(recorder *rec, size_t size)
{
    if (rec->is_off) {
        return NULL;
    }
    void *payload = maplog_reserve(&rec->log, size);
    if (payload == NULL) {
        recorder_stop(rec, rec->header);
    }
    log_mappings_note(&rec->mappings, &rec->log);
    return payload;
}

static unsigned char *
put_object(unsigned char *to, PyObject *bytes)
{
    return maplog_put_bytes(to, PyBytes_AS_STRING(bytes), (uint32_t)PyBytes_GET_SIZE(bytes));
}

/* Create `<directory>/<pid>-<n>.rec` and write its header. 0, or -1 with log.error set. */
static int
open_file(recorder *rec)
{
    size_t room = strlen(rec->directory) + 64;
    char *path = malloc(room);
    if (path == NULL) {
        rec->log.error = ENOMEM;
        return -1;
    }
    int opened = -1;
    for (int n = 0; n < MAX_RECORDS_PER_PID; n++) {
        snprintf(path, room, "%s/%ld-%d.rec", rec->directory, (long)getpid(), n);
        opened = maplog_open(&rec->log, path);
        if (opened == 0 || rec->log.error != EEXIST) {
            break;
        }
    }
    free(path);
    if (opened < 0) {
        return -1;
    }
    size_t size =
        RECORD_HEADER_BYTES + 8 + (size_t)PyBytes_GET_SIZE(rec->cwd) + (size_t)PyBytes_GET_SIZE(rec->executable);
    unsigned char *payload = maplog_reserve(&rec->log, size);
    if (payload == NULL) {
        return -1;
    }
    log_mappings_note(&rec->mappings, &rec->log);
    rec->header = payload;
    rec->pid = (int)getpid();
    unsigned char *to = payload;
    memcpy(to, MAGIC, 8);
    to = maplog_put_u32(to + 8, RECORD_FORMAT);
    to = maplog_put_u32(to, (uint32_t)PY_VERSION_HEX);
    to = maplog_put_u32(to, IMPLEMENTATION_CPYTHON);
    to = maplog_put_u32(to, rec->engine);
    to = maplog_put_u32(to, rec->flags);
    to = maplog_put_u32(to, 0);
    to = maplog_put_u64(to, (uint64_t)getpid());
    to = maplog_put_u64(to, clock_ns(CLOCK_REALTIME));
    to = maplog_put_u64(to, clock_ns(CLOCK_MONOTONIC));
    to = put_object(to, rec->cwd);
    put_object(to, rec->executable);
    maplog_commit(&rec->log, payload, RECORD_HEADER);
    return 0;
}

/* A file without a header only says that it could not be written, which is reported in another way. */
static void
drop_empty_file(const recorder *rec)
{
    if (rec->log.path != NULL && rec->log.file_bytes == 0) {
        unlink(rec->log.path);
    }
}

static int
file_id(recorder *rec, PyObject *path, PyObject *absolute_path, uint32_t *id)
{
    PyObject *known = PyDict_GetItemWithError(rec->file_ids, path); // borrowed
    if (known != NULL) {
        *id = (uint32_t)PyLong_AsUnsignedLong(known);
        return 0;
    }
    if (PyErr_Occurred()) {
        return -1;
    }
    int result = -1;
    PyObject *raw_path = NULL;     // owned
    PyObject *raw_absolute = NULL; // owned
    PyObject *number = NULL;       // owned
    raw_path = PyUnicode_EncodeFSDefault(path);
    raw_absolute = raw_path == NULL ? NULL : PyUnicode_EncodeFSDefault(absolute_path);
    if (raw_absolute == NULL) {
        goto done;
    }
    *id = rec->next_file_id++;
    number = PyLong_FromUnsignedLong(*id);
    if (number == NULL || PyDict_SetItem(rec->file_ids, path, number) < 0) {
        goto done;
    }
    unsigned char *payload =
        reserve(rec, 16 + (size_t)PyBytes_GET_SIZE(raw_path) + (size_t)PyBytes_GET_SIZE(raw_absolute));
    if (payload != NULL) {
        unsigned char *to = maplog_put_u32(payload, *id);
        to = maplog_put_u32(to, 1);
        to = put_object(to, raw_path);
        put_object(to, raw_absolute);
        maplog_commit(&rec->log, payload, RECORD_FILE);
    }
    result = 0;
done:
    Py_XDECREF(raw_path);
    Py_XDECREF(raw_absolute);
    Py_XDECREF(number);
    return result;
}

unsigned char *
recorder_add_code(recorder *rec, PyCodeObject *code, PyObject *bytecode, uint32_t n_more, PyObject *absolute_path,
                  uint32_t *code_id)
{
    uint32_t file = 0;
    if (rec->is_off || file_id(rec, code->co_filename, absolute_path, &file) < 0) {
        return NULL;
    }
    unsigned char *events = NULL;
    Py_ssize_t name_size = 0;
    const char *name = PyUnicode_AsUTF8AndSize(code->co_qualname, &name_size);
    if (name == NULL) {
        PyErr_Clear(); /* a lone surrogate in the name: names are only shown to people, continue without */
        name_size = 0;
    }
    uint32_t units = (uint32_t)(PyBytes_GET_SIZE(bytecode) / 2) + n_more;
    size_t size = 24 + 5 * 4 + (size_t)name_size + (size_t)PyBytes_GET_SIZE(code->co_linetable)
                  + (size_t)PyBytes_GET_SIZE(bytecode) + (size_t)PyBytes_GET_SIZE(code->co_exceptiontable) + units;
    unsigned char *payload = reserve(rec, size);
    if (payload != NULL) {
        *code_id = rec->next_code_id++;
        unsigned char *to = maplog_put_u32(payload, *code_id);
        to = maplog_put_u32(to, file);
        to = maplog_put_u32(to, (uint32_t)code->co_firstlineno);
        to = maplog_put_u32(to, (uint32_t)code->co_flags);
        to = maplog_put_u32(to, rec->context_id);
        to = maplog_put_u32(to, units);
        to = maplog_put_bytes(to, name, (uint32_t)name_size);
        to = put_object(to, code->co_linetable);
        to = put_object(to, bytecode);
        to = put_object(to, code->co_exceptiontable);
        events = maplog_put_bytes(to, "", 0); /* branches follow from the bytecode itself */
        maplog_commit(&rec->log, payload, RECORD_CODE);
    }
    return events;
}

unsigned char *
recorder_add_probes(recorder *rec, PyObject *path, PyObject *absolute_path, uint32_t n_probes, uint32_t mode,
                    const unsigned char digest[16], uint32_t *probes_id)
{
    uint32_t file = 0;
    if (rec->is_off || file_id(rec, path, absolute_path, &file) < 0) {
        return NULL;
    }
    unsigned char *payload = reserve(rec, PROBES_HEAD_BYTES + (size_t)n_probes);
    if (payload == NULL) {
        return NULL;
    }
    unsigned char *to = maplog_put_u32(payload, file);
    to = maplog_put_u32(to, rec->context_id);
    to = maplog_put_u32(to, n_probes);
    to = maplog_put_u32(to, mode);
    memcpy(to, digest, 16);
    maplog_commit(&rec->log, payload, RECORD_PROBES);
    *probes_id = rec->next_probes_id++;
    rec->has_probes = 1;
    return to + 16;
}

unsigned char *
recorder_add_trace(recorder *rec, PyObject *path, PyObject *absolute_path, uint32_t n_slots, uint32_t mode)
{
    uint32_t file = 0;
    if (rec->is_off || file_id(rec, path, absolute_path, &file) < 0) {
        return NULL;
    }
    unsigned char *payload = reserve(rec, TRACE_HEAD_BYTES + 8 * (size_t)n_slots);
    if (payload == NULL) {
        return NULL;
    }
    unsigned char *to = maplog_put_u32(payload, file);
    to = maplog_put_u32(to, rec->context_id);
    to = maplog_put_u32(to, n_slots);
    to = maplog_put_u32(to, mode);
    maplog_commit(&rec->log, payload, RECORD_TRACE);
    return to;
}

int
recorder_add_trace_pairs(recorder *rec, PyObject *path, PyObject *absolute_path, const uint64_t *slots,
                         uint32_t n_slots, uint32_t n_used, uint32_t mode, uint32_t context_id)
{
    uint32_t file = 0;
    if (rec->is_off || file_id(rec, path, absolute_path, &file) < 0) {
        PyErr_Clear();
        return -1;
    }
    unsigned char *payload = reserve(rec, TRACE_HEAD_BYTES + 8 * (size_t)n_used);
    if (payload == NULL) {
        return -1;
    }
    unsigned char *to = maplog_put_u32(payload, file);
    to = maplog_put_u32(to, context_id);
    to = maplog_put_u32(to, n_used);
    to = maplog_put_u32(to, mode | TRACE_IS_FINAL);
    for (uint32_t i = 0, left = n_used; i < n_slots && left > 0; i++) {
        if (slots[i] != 0) {
            to = maplog_put_u64(to, slots[i]);
            left--;
        }
    }
    maplog_commit(&rec->log, payload, RECORD_TRACE);
    return 0;
}

int
recorder_context_id(recorder *rec, PyObject *label, uint32_t *id)
{
    *id = 0;
    if (PyUnicode_GET_LENGTH(label) == 0) {
        return 0;
    }
    PyObject *known = PyDict_GetItemWithError(rec->context_ids, label); // borrowed
    if (known != NULL) {
        *id = (uint32_t)PyLong_AsUnsignedLong(known);
        return 0;
    }
    if (PyErr_Occurred()) {
        return -1;
    }
    int result = -1;
    PyObject *raw = PyUnicode_AsEncodedString(label, "utf-8", "backslashreplace"); // owned
    PyObject *number = raw == NULL ? NULL : PyLong_FromUnsignedLong(rec->next_context_id); // owned
    if (number == NULL || PyDict_SetItem(rec->context_ids, label, number) < 0) {
        goto done;
    }
    *id = rec->next_context_id++;
    unsigned char *payload = reserve(rec, 8 + (size_t)PyBytes_GET_SIZE(raw));
    if (payload != NULL) {
        put_object(maplog_put_u32(payload, *id), raw);
        maplog_commit(&rec->log, payload, RECORD_CONTEXT);
    }
    result = 0;
done:
    Py_XDECREF(raw);
    Py_XDECREF(number);
    return result;
}

int
recorder_switch(recorder *rec, PyObject *label, uint32_t id)
{
    rec->context_id = id;
    Py_XSETREF(rec->context_label, Py_NewRef(label));
    unsigned char *payload = reserve(rec, 8);
    if (payload == NULL) {
        return -1;
    }
    maplog_put_u32(maplog_put_u32(payload, id), 0);
    maplog_commit(&rec->log, payload, RECORD_SWITCH);
    return 0;
}

/* How many of the first `n` bytes are not zero. They may begin at any address. */
static size_t
count_events(const unsigned char *events, size_t n)
{
    size_t count = 0;
    size_t at = 0;
    uint64_t word;
    for (; at + sizeof word <= n; at += sizeof word) {
        memcpy(&word, events + at, sizeof word);
        for (; word != 0; word >>= 8) {
            count += (word & 255) != 0;
        }
    }
    for (; at < n; at++) {
        count += events[at] != 0;
    }
    return count;
}

int
recorder_add_events(recorder *rec, enum record_kind kind, uint32_t id, uint32_t context_id, const unsigned char *events,
                    size_t n)
{
    size_t count = count_events(events, n);
    if (count == 0) {
        return 0;
    }
    unsigned char *payload = reserve(rec, EVENTS_HEAD_BYTES + 5 * count);
    if (payload == NULL) {
        return -1;
    }
    unsigned char *place = maplog_put_u32(payload, id);
    place = maplog_put_u32(place, context_id);
    place = maplog_put_u32(place, (uint32_t)count);
    place = maplog_put_u32(place, 0);
    unsigned char *flags = place + 4 * count;
    uint64_t word;
    for (size_t at = 0; at < n && count > 0; at++) {
        if (at + sizeof word <= n && (memcpy(&word, events + at, sizeof word), word == 0)) {
            at += sizeof word - 1;
        }
        else if (events[at] != 0) {
            place = maplog_put_u32(place, (uint32_t)at);
            *flags++ = events[at];
            count--;
        }
    }
    maplog_commit(&rec->log, payload, kind);
    return 0;
}

void
recorder_add_event(recorder *rec, enum record_kind kind, uint32_t id, uint32_t context_id, uint32_t place,
                   unsigned char flags)
{
    unsigned char *payload = reserve(rec, EVENTS_HEAD_BYTES + 5);
    if (payload != NULL) {
        unsigned char *to = maplog_put_u32(payload, id);
        to = maplog_put_u32(to, context_id);
        to = maplog_put_u32(to, 1);
        to = maplog_put_u32(to, 0);
        *maplog_put_u32(to, place) = flags;
        maplog_commit(&rec->log, payload, kind);
    }
}

int
recorder_add_message(recorder *rec, const char *slug, const char *text)
{
    size_t slug_size = strlen(slug);
    size_t text_size = strlen(text);
    unsigned char *payload = reserve(rec, 8 + slug_size + text_size);
    if (payload != NULL) {
        unsigned char *to = maplog_put_bytes(payload, slug, (uint32_t)slug_size);
        maplog_put_bytes(to, text, (uint32_t)text_size);
        maplog_commit(&rec->log, payload, RECORD_MESSAGE);
    }
    return payload != NULL;
}

int
recorder_after_fork(recorder *rec)
{
    if (rec->is_off || rec->pid == (int)getpid()) {
        return 0; /* starting to measure twice registers this twice */
    }
    unsigned char *header_of_parent = rec->header;
    maplog_close(&rec->log);
    rec->header = NULL;
    rec->generation++;
    PyDict_Clear(rec->file_ids);
    PyDict_Clear(rec->context_ids);
    rec->next_probes_id = 0;
    if (open_file(rec) < 0) {
        drop_empty_file(rec);
        recorder_stop(rec, header_of_parent);
        return 0;
    }
    uint32_t context = 0;
    if (recorder_context_id(rec, rec->context_label, &context) < 0) {
        return -1;
    }
    if (rec->next_context_id > 1) {
        PyObject *label = Py_NewRef(rec->context_label); // owned
        recorder_switch(rec, label, context);
        Py_DECREF(label);
    }
    return 1;
}

void
recorder_free(module_state *state)
{
    recorder *rec = state->recorder;
    if (rec == NULL) {
        return;
    }
    state->recorder = NULL;
    Py_CLEAR(rec->file_ids);
    Py_CLEAR(rec->context_ids);
    Py_CLEAR(rec->context_label);
    Py_CLEAR(rec->cwd);
    Py_CLEAR(rec->executable);
    maplog_close(&rec->log);
    log_mappings_free(&rec->mappings, 0);
    free(rec->directory);
    free(rec);
}

PyDoc_STRVAR(record_open_doc,
             "record_open($module, directory, engine, flags, cwd, executable, /)\n--\n\n"
             "Open this process's record file in the run directory.\n\n"
             "All strings are bytes. Raises OSError when it cannot be created.");

static PyObject *
record_open(PyObject *module, PyObject *args)
{
    module_state *state = get_state(module);
    const char *directory;
    unsigned int engine;
    unsigned int flags;
    PyObject *cwd;        // borrowed
    PyObject *executable; // borrowed
    if (!PyArg_ParseTuple(args, "yIISS:record_open", &directory, &engine, &flags, &cwd, &executable)) {
        return NULL;
    }
    if (state->recorder != NULL) {
        PyErr_SetString(PyExc_RuntimeError, "the record file is open already");
        return NULL;
    }
    recorder *rec = calloc(1, sizeof *rec);
    if (rec == NULL) {
        return PyErr_NoMemory();
    }
    state->recorder = rec;
    Py_CLEAR(state->sample_label); /* from a measurement that ended */
    rec->directory = strdup(directory);
    rec->cwd = Py_NewRef(cwd);
    rec->executable = Py_NewRef(executable);
    rec->file_ids = PyDict_New();
    rec->generation = 1;
    rec->engine = engine;
    rec->flags = flags;
    rec->next_file_id = 1;
    rec->next_code_id = 1;
    rec->context_ids = PyDict_New();
    rec->context_label = PyUnicode_FromString("");
    rec->next_context_id = 1;
    if (rec->directory == NULL || rec->file_ids == NULL || rec->context_ids == NULL || rec->context_label == NULL) {
        recorder_free(state);
        return PyErr_NoMemory();
    }
    if (open_file(rec) < 0) {
        drop_empty_file(rec);
        errno = rec->log.error;
        recorder_free(state);
        return PyErr_SetFromErrnoWithFilename(PyExc_OSError, directory);
    }
    Py_RETURN_NONE;
}

PyDoc_STRVAR(record_message_doc, "record_message($module, slug, text, /)\n--\n\n"
                                 "Keep a message in the record file. False when none is open, or there is no room in it.");

static PyObject *
record_message(PyObject *module, PyObject *args)
{
    const char *slug;
    const char *text;
    if (!PyArg_ParseTuple(args, "ss:record_message", &slug, &text)) {
        return NULL;
    }
    recorder *rec = get_state(module)->recorder;
    return PyBool_FromLong(rec != NULL && recorder_add_message(rec, slug, text));
}

PyDoc_STRVAR(record_imported_doc, "record_imported($module, path, absolute_path, /)\n--\n\n"
                                  "Note a file whose module was imported before measuring began.");

static PyObject *
record_imported(PyObject *module, PyObject *args)
{
    PyObject *path;          // borrowed
    PyObject *absolute_path; // borrowed
    if (!PyArg_ParseTuple(args, "UU:record_imported", &path, &absolute_path)) {
        return NULL;
    }
    recorder *rec = get_state(module)->recorder;
    uint32_t file = 0;
    if (rec == NULL || rec->is_off) {
        Py_RETURN_NONE;
    }
    if (file_id(rec, path, absolute_path, &file) < 0) {
        return NULL;
    }
    unsigned char *payload = reserve(rec, 8);
    if (payload != NULL) {
        maplog_put_u32(maplog_put_u32(payload, file), 0);
        maplog_commit(&rec->log, payload, RECORD_IMPORTED);
    }
    Py_RETURN_NONE;
}

int
recorder_add_tracer(recorder *rec, PyObject *path, PyObject *tracer)
{
    uint32_t file = 0;
    if (rec->is_off) {
        return 0;
    }
    Py_ssize_t size = 0;
    const char *name = PyUnicode_AsUTF8AndSize(tracer, &size); // borrowed
    if (name == NULL || file_id(rec, path, path, &file) < 0) {
        return -1;
    }
    unsigned char *payload = reserve(rec, 12 + (size_t)size);
    if (payload != NULL) {
        maplog_put_bytes(maplog_put_u32(maplog_put_u32(payload, file), 0), name, (uint32_t)size);
        maplog_commit(&rec->log, payload, RECORD_TRACER);
    }
    return 0;
}

PyDoc_STRVAR(record_close_doc, "record_close($module, /)\n--\n\n"
                               "Close a record file that was opened late (flag 2); return its directory, else None.\n\n"
                               "The engine must have stopped.");

static PyObject *
record_close(PyObject *module, PyObject *Py_UNUSED(ignored))
{
    module_state *state = get_state(module);
    if (state->recorder == NULL || !(state->recorder->flags & RECORD_LATE)) {
        Py_RETURN_NONE; /* a record that the start hook opened stays open: probes point into it */
    }
    if (state->monitoring != NULL || state->settrace != NULL) {
        PyErr_SetString(PyExc_RuntimeError, "an engine still records");
        return NULL;
    }
    PyObject *directory = PyBytes_FromString(state->recorder->directory); // owned
    if (directory != NULL) {
        /* Probes go on storing; the engines, which have stopped, do not. */
        log_mappings_free(&state->recorder->mappings, !state->recorder->has_probes);
        recorder_free(state);
    }
    return directory;
}

static PyMethodDef recorder_methods[] = {
    {"record_imported", record_imported, METH_VARARGS, record_imported_doc},
    {"record_close", record_close, METH_NOARGS, record_close_doc},
    {"record_open", record_open, METH_VARARGS, record_open_doc},
    {"record_message", record_message, METH_VARARGS, record_message_doc},
    {NULL, NULL, 0, NULL},
};

int
recorder_exec(PyObject *module)
{
    return PyModule_AddFunctions(module, recorder_methods);
}
