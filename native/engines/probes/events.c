/* engines/probes/events.c has the objects that replace the marks in the constants of armed code. Comparing one with
 * a probe's number stores a byte into the record file's mapping and then removes the probe from the running
 * bytecode. Nothing here raises into the measured program: what is not as expected is left as it is. Threads: all
 * under the GIL. */
#include "engines/probes/events.h"

#include "core/unseen.h"
#include "engines/context_labels.h"
#include "engines/decision.h"
#include "engines/probes/marks.h"
#include "record/recorder.h"

#include <stdio.h>
#include <string.h>

/* With contexts, a probe stays in until it was executed this often in one of them. */
#define KEPT_EVENTS 4
#define MAX_NUMBERS 3

/* Get the event bytes of the current record file. 0, or -1 with or without an exception. */
static int
events_register(events_object *self)
{
    recorder *rec = self->state->recorder;
    unsigned mode = 0;
    unsigned n_probes = 0;
    unsigned char digest[DIGEST_BYTES];
    self->events = NULL;
    if (rec == NULL || marks_read_header(self->header, &mode, &n_probes, digest) < 0) {
        return -1;
    }
    self->n_probes = n_probes;
    self->generation = rec->generation;
    self->events = recorder_add_probes(rec, self->path, self->absolute_path, n_probes, mode, digest, &self->probes_id);
    return self->events == NULL ? -1 : 0;
}

static void
remove_probe(events_object *self, PyObject *constant)
{
    probe_site site;
    if (self->state->probes == NULL) {
        return; /* the module is being torn down */
    }
    if (!probe_site_find((PyObject *)self, constant, &site)) {
        return;
    }
    removed_list_add(&self->state->probes->removed, &site);
}

/* Work of a context other than the process's has reached a probe: record it, once. */
static void
events_take_other(events_object *self, uint32_t number, uint32_t context_id)
{
    struct probes *probes = self->state->probes;
    recorder *rec = self->state->recorder;
    if (!probes->has_other_contexts) {
        probes->has_other_contexts = 1;
        removed_list_put_back(&probes->removed); /* the process's own work must still be seen there */
    }
    other_context_events *found =
        other_context_events_of(&self->other_events, context_id, rec->generation, self->n_probes);
    if (found != NULL && !found->events[number] && self->generation == rec->generation) {
        found->events[number] = 1;
        recorder_add_event(rec, RECORD_PROBE_EVENTS, self->probes_id, context_id, number, 1);
    }
}

/* The module runs: decide now whether it is measured. 0 if that is still not known, without an exception. */
static int
events_decide(events_object *self)
{
    PyObject *decide = Py_NewRef(self->decide); // owned
    PyObject *path = decision_ask(decide, self->path); // owned
    Py_DECREF(decide);
    if (path == NULL) {
        PyErr_Clear(); /* as at the end of the stack: the next probe asks again */
        return 0;
    }
    if (self->decide == NULL) {
        Py_DECREF(path); /* another thread was faster */
        return 1;
    }
    Py_CLEAR(self->decide);
    self->is_out = !PyUnicode_Check(path);
    if (self->is_out) {
        Py_DECREF(path);
        return 1;
    }
    Py_XSETREF(self->absolute_path, path);
    if (events_register(self) < 0) {
        PyErr_Clear(); /* recording has stopped, which was reported */
    }
    return 1;
}

/* Record an event. 1 if recording needs the probe no longer. */
static int
events_record(events_object *self, uint32_t number)
{
    module_state *state = self->state;
    if (state->recorder == NULL) {
        return self->captured.seen != NULL; /* nothing is recorded, or no more: it is only there for captures */
    }
    if (self->decide != NULL && !events_decide(self)) {
        return 0;
    }
    if (self->is_out) {
        return 1;
    }
    unsigned char *before = self->events;
    if (self->generation != state->recorder->generation && events_register(self) < 0) {
        PyErr_Clear(); /* recording has stopped, which was reported; a parent's mapped file still accepts events */
        self->events = before;
    }
    if (self->events == NULL || number >= self->n_probes) {
        return 0;
    }
    uint32_t context_id;
    if (state->probes->has_contexts && context_is_other(state, &context_id)) {
        events_take_other(self, number, context_id);
        return 0;
    }
    if (!self->is_dirty) {
        self->is_dirty = 1;
        self->next_dirty = state->probes->dirty;
        state->probes->dirty = (events_object *)Py_NewRef((PyObject *)self);
    }
    if (self->events[number] < KEPT_EVENTS && state->probes->has_contexts) {
        self->events[number]++; /* removing it and putting it back would cost more */
        return 0;
    }
    self->events[number] |= 1;
    return !state->probes->has_other_contexts;
}

/* A probe was reached. `constant` is its number, as the probe has it. */
static void
events_take(events_object *self, uint32_t number, PyObject *constant)
{
    struct probes *probes = self->state->probes;
    if (probes == NULL) {
        return; /* the module is being torn down */
    }
    int is_seen = captures_take(&probes->captures, &self->captured, (PyObject *)self, number);
    if (events_record(self, number) && is_seen) {
        remove_probe(self, constant);
    }
}

/* The line of the running frame that the exception being handled came from; -1 if there is none. */
static long
line_of_handled(void)
{
    PyObject *error = PyErr_GetHandledException(); // owned
    PyObject *traceback = error == NULL ? NULL : PyException_GetTraceback(error); // owned
    PyObject *line = traceback == NULL ? NULL : PyObject_GetAttrString(traceback, "tb_lineno"); // owned
    long number = line == NULL || !PyLong_Check(line) ? -1 : PyLong_AsLong(line);
    PyErr_Clear();
    Py_XDECREF(line);
    Py_XDECREF(traceback);
    Py_XDECREF(error);
    return number;
}

/* Read what probes/forms.py compares a mark with: a number, or a number with a first and a last line, between NULs.
 * Returns how many numbers there are; 0 for anything else, such as a constant that the program made of it. It is in
 * this file because it runs for each probe. */
static int
read_numbers(PyObject *constant, uint32_t numbers[MAX_NUMBERS])
{
    if (!PyUnicode_CheckExact(constant) || !PyUnicode_IS_COMPACT_ASCII(constant)) {
        return 0;
    }
    const Py_UCS1 *text = PyUnicode_1BYTE_DATA(constant);
    Py_ssize_t end = PyUnicode_GET_LENGTH(constant) - 1;
    if (end < 2 || text[0] != 0 || text[end] != 0) {
        return 0;
    }
    int count = 0;
    uint64_t value = 0;
    for (Py_ssize_t at = 1; at <= end; at++) {
        if (text[at] >= '0' && text[at] <= '9' && value <= UINT32_MAX / 10) {
            value = value * 10 + (uint64_t)(text[at] - '0');
        }
        else if ((text[at] == ' ' || at == end) && count < MAX_NUMBERS) {
            numbers[count++] = (uint32_t)value;
            value = 0;
        }
        else {
            return 0;
        }
    }
    return count;
}

/* The program changed a probe's number: nobody knows which of the file's probes it was. Record a message, once. */
static void
events_report_change(events_object *self)
{
    recorder *rec = self->state->recorder;
    const char *path = self->absolute_path == NULL ? NULL : PyUnicode_AsUTF8(self->absolute_path); // borrowed
    PyErr_Clear(); /* a name that is not UTF-8 */
    if (self->has_changed || self->is_out || rec == NULL) {
        return;
    }
    self->has_changed = 1;
    PyObject *text =
        PyBytes_FromFormat("%s: the program changed constants of its code, probes among them: lines that ran may "
                           "be reported as missing.",
                           path == NULL ? "A file" : path); // owned
    if (text == NULL) {
        PyErr_Clear();
        return;
    }
    recorder_add_message(rec, "probes-changed", PyBytes_AS_STRING(text));
    Py_DECREF(text);
}

static PyObject *
events_richcompare(PyObject *op, PyObject *other, int operation)
{
    events_object *self = (events_object *)op;
    uint32_t numbers[MAX_NUMBERS];
    int count = operation == Py_EQ ? read_numbers(other, numbers) : 0;
    if (count == MAX_NUMBERS) {
        long line = line_of_handled();
        if (numbers[1] <= line && line <= numbers[2]) {
            events_take(self, numbers[0], other);
        }
        Py_RETURN_FALSE;
    }
    if (count == 1) {
        events_take(self, numbers[0], other);
        Py_RETURN_FALSE;
    }
    if (operation == Py_EQ && probe_site_compares(op, other)) {
        events_report_change(self);
        Py_RETURN_FALSE;
    }
    /* Somebody compares constants, as code objects do: behave like the mark. */
    if (Py_TYPE(other) == Py_TYPE(op)) {
        other = ((events_object *)other)->mark;
    }
    return PyObject_RichCompare(self->mark, other, operation);
}

static Py_hash_t
events_hash(PyObject *self)
{
    return PyObject_Hash(((events_object *)self)->mark);
}

static PyObject *
events_repr(PyObject *self)
{
    return PyObject_Repr(((events_object *)self)->mark);
}

/* The bytes that represent the object in marshalled code: its header, what numbered the probes, its path; comparing
 * them with a number is just as harmless. Borrowed, or NULL with an exception. */
static PyObject *
events_portable(events_object *self)
{
    if (self->portable != NULL) {
        return self->portable;
    }
    struct probes *probes = self->state->probes;
    PyObject *path = PyUnicode_EncodeFSDefault(self->path); // owned
    const char *header = PyUnicode_AsUTF8(self->header); // borrowed
    if (path != NULL && header != NULL) {
        /* The header begins with a NUL, which ends a format string. */
        const char *token = probes == NULL || probes->token == NULL ? "" : PyBytes_AS_STRING(probes->token);
        self->portable = PyBytes_FromFormat("%c%s %s %s", 0, header + 1, token, PyBytes_AS_STRING(path));
    }
    Py_XDECREF(path);
    return self->portable;
}

/* When it is pickled, as tools that ship code objects do, it becomes the mark again: cloudpickle gives the code a
 * made-up file name. */
static PyObject *
events_reduce(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    return Py_BuildValue("O(O)", &PyUnicode_Type, ((events_object *)self)->mark);
}

/* marshal writes objects that have a buffer as bytes. */
static int
events_getbuffer(PyObject *self, Py_buffer *view, int flags)
{
    PyObject *portable = events_portable((events_object *)self); // borrowed
    if (portable == NULL) {
        view->obj = NULL;
        return -1;
    }
    return PyBuffer_FillInfo(view, self, PyBytes_AS_STRING(portable), PyBytes_GET_SIZE(portable), 1, flags);
}

static void
events_dealloc(PyObject *op)
{
    events_object *self = (events_object *)op;
    PyTypeObject *type = Py_TYPE(op);
    other_context_events_free(&self->other_events);
    captured_module_free(&self->captured);
    Py_XDECREF(self->mark);
    Py_XDECREF(self->header);
    Py_XDECREF(self->path);
    Py_XDECREF(self->portable);
    Py_XDECREF(self->absolute_path);
    Py_XDECREF(self->decide);
    type->tp_free(op);
    Py_DECREF(type);
}

static PyMethodDef events_methods[] = {
    {"__reduce__", events_reduce, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot events_slots[] = {
    {Py_tp_dealloc, events_dealloc},
    {Py_tp_richcompare, events_richcompare},
    {Py_tp_hash, events_hash},
    {Py_tp_repr, events_repr},
    {Py_tp_methods, events_methods},
    {Py_bf_getbuffer, events_getbuffer},
    {0, NULL},
};

static PyType_Spec events_spec = {
    .name = "footfall._core.Events",
    .basicsize = sizeof(events_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = events_slots,
};

PyTypeObject *
events_make_type(PyObject *module)
{
    return (PyTypeObject *)PyType_FromModuleAndSpec(module, &events_spec, NULL);
}

/* A new Events object, or NULL: with an exception, or without one if recording is off. `where` as in probes_arm, or
 * None: it is for captures, and recorded only while there is a `decide_late`. */
static PyObject *
events_new(module_state *state, PyObject *header, PyObject *path, PyObject *where)
{
    PyTypeObject *type = state->probes->events_type;
    events_object *self = (events_object *)type->tp_alloc(type, 0);
    if (self == NULL) {
        return NULL;
    }
    self->state = state;
    self->mark = Py_NewRef(header);
    self->header = Py_NewRef(header);
    self->path = Py_NewRef(path);
    if (where == Py_None) {
        events_decide_anew(self, state->probes->decide_late);
        return (PyObject *)self;
    }
    if (!PyUnicode_Check(where)) {
        self->decide = Py_NewRef(where);
        return (PyObject *)self;
    }
    self->absolute_path = Py_NewRef(where);
    if (events_register(self) < 0) {
        Py_DECREF(self);
        return NULL;
    }
    return (PyObject *)self;
}

void
events_decide_anew(events_object *events, PyObject *decide)
{
    events->is_out = decide == NULL;
    events->events = NULL; /* those of an earlier record are gone with its file */
    other_context_events_free(&events->other_events);
    Py_XSETREF(events->decide, Py_XNewRef(decide));
}

/* Tell captures about a module. */
static void
notify_captures(module_state *state, events_object *events)
{
    PyObject *callback = state->probes->captures.on_module; // borrowed
    if (callback == NULL) {
        return;
    }
    PyObject *arguments[] = {(PyObject *)events, events->header, events->path}; // borrowed
    PyObject *result = call_unseen(callback, arguments, 3); // owned
    if (result == NULL) {
        PyErr_Clear(); /* it raises nothing of ours, except at the end of the stack or memory */
    }
    Py_XDECREF(result);
}

PyObject *
events_of(module_state *state, PyObject *header, PyObject *path, PyObject *where)
{
    PyObject *key = PyTuple_Pack(2, header, path); // owned
    if (key == NULL) {
        return NULL;
    }
    PyObject *events = Py_XNewRef(PyDict_GetItemWithError(state->probes->armed, key)); // owned
    if (events == NULL && !PyErr_Occurred()) {
        events = events_new(state, header, path, where);
        if (events != NULL && PyDict_SetItem(state->probes->armed, key, events) < 0) {
            Py_CLEAR(events);
        }
        if (events != NULL) {
            notify_captures(state, (events_object *)events);
        }
    }
    Py_DECREF(key);
    return events;
}

PyObject *
events_from_portable(module_state *state, PyObject *constant, PyObject *filename)
{
    struct probes *probes = state->probes;
    const char *text = PyBytes_AS_STRING(constant);
    unsigned numbers[3];
    int digest_at = 0;
    if (probes == NULL || probes->decide == NULL || state->recorder == NULL || PyBytes_GET_SIZE(constant) < 16
        || memcmp(text, MODULE_MARK, sizeof MODULE_MARK - 1) != 0
        || sscanf(text + 17, "%u %u %u %n", &numbers[0], &numbers[1], &numbers[2], &digest_at) != 3) {
        return NULL;
    }
    Py_ssize_t header_size = 17 + digest_at + (Py_ssize_t)2 * DIGEST_BYTES;
    Py_ssize_t token_size = PyBytes_GET_SIZE(probes->token);
    Py_ssize_t path_at = header_size + token_size + 2;
    if (PyBytes_GET_SIZE(constant) <= path_at || text[header_size] != ' ' || text[path_at - 1] != ' '
        || memcmp(text + header_size + 1, PyBytes_AS_STRING(probes->token), (size_t)token_size) != 0) {
        return NULL;
    }
    PyObject *header = PyUnicode_FromStringAndSize(text, header_size); // owned
    PyObject *path = PyUnicode_DecodeFSDefaultAndSize(text + path_at, PyBytes_GET_SIZE(constant) - path_at); // owned
    PyObject *events = NULL; // owned
    if (header != NULL && path != NULL && PyUnicode_Compare(path, filename) == 0) {
        removed_list_open(&probes->removed);
        events = events_of(state, header, path, probes->decide_late != NULL ? probes->decide_late : probes->decide);
    }
    Py_XDECREF(header);
    Py_XDECREF(path);
    return events;
}

events_object *
events_pop_dirty(struct probes *probes)
{
    events_object *first = probes->dirty;
    if (first != NULL) {
        probes->dirty = first->next_dirty;
        first->is_dirty = 0;
    }
    return first;
}
