/* probes.c arms the code of instrumented modules: it puts an Events object where the compiled code has
 * the mark (see probes/forms.py). Comparing an Events object with a probe's number stores a byte
 * into the record file's mapping and then takes the probe out of the running bytecode.
 * Nothing here raises into the measured program: what does not look as expected is left as it is.
 * Threads: all under the GIL. */
#include "core/unseen.h"
#include "engines/context_labels.h"
#include "engines/decision.h"
#include "engines/engine.h"
#include "engines/other_context_events.h"
#include "engines/probes/captures.h"
#include "engines/probes/probes.h"
#include "engines/probes/removed.h"
#include "record/recorder.h"

#include <stdio.h>
#include <string.h>

#define DIGEST_BYTES 16
/* With contexts a probe stays until it was executed so often in one of them. */
#define KEPT_EVENTS 4
#define MAX_NUMBERS 3
#define MAX_NESTING 200 /* of code objects; the compiler allows fewer */
#define MAX_UNMARSHALLED 100000 /* values looked at for code; containers may hold one another, so there may be no end */

struct probes {
    PyTypeObject *events_type; /* owned */
    PyObject *armed; /* owned: dict (header mark, path) -> Events */
    struct events_object *dirty; /* first of the list of those with an event in this context; owned references */
    int has_contexts;
    int has_other_contexts; /* work of another context was seen in this one: no probe is taken out until the next */
    removed_list removed;
    PyObject *token; /* owned: bytes, what numbered the probes; NULL until set, as `decide` */
    PyObject *decide; /* owned: the scope's, str -> str | None */
    PyObject *settled; /* owned: set of co_filename of which code without probes is no news */
    PyObject *callbacks[N_PROBES_CALLBACKS]; /* owned; NULL until set */
    captures captures;
};

/* Stands in for the mark in the constants of one module's code. */
typedef struct events_object {
    PyObject_HEAD
    struct events_object *next_dirty;
    int is_dirty;
    uint32_t probes_id;
    unsigned char *events; /* borrowed from the mapping; NULL when recording is off */
    other_context_events *other_events; /* owned list */
    PyObject *mark; /* owned: the str it stands for */
    PyObject *header; /* owned: the module's header mark */
    PyObject *path; /* owned: as in co_filename */
    PyObject *portable; /* owned: bytes that stand for it in marshalled code, once they were asked for; or NULL */
    PyObject *absolute_path; /* owned */
    PyObject *decide; /* owned: str -> path | None, while it is not known whether the module is measured; else NULL */
    int is_out; /* it is not measured */
    int has_changed; /* that the program changed probes was reported */
    module_state *state; /* borrowed: of the module that made the type, which the type keeps alive */
    uint32_t n_probes;
    uint32_t generation; /* the recorder's when registered */
    captured_module captured;
} events_object;

/* The header mark's parts. 0, or -1 when it is none. */
static int
read_header(PyObject *header, unsigned *mode, unsigned *n_probes, unsigned char *digest)
{
    static const char prefix[] = MODULE_MARK;
    Py_ssize_t size = 0;
    const char *text = PyUnicode_AsUTF8AndSize(header, &size);
    if (text == NULL) {
        PyErr_Clear(); /* a lone surrogate: not one of ours */
        return -1;
    }
    unsigned version = 0;
    int digest_at = 0;
    Py_ssize_t prefix_size = (Py_ssize_t)sizeof prefix - 1;
    if (size <= prefix_size || memcmp(text, prefix, (size_t)prefix_size) != 0
        || sscanf(text + prefix_size, "%u %u %u %n", &version, mode, n_probes, &digest_at) != 3
        || size - prefix_size - digest_at != 2 * DIGEST_BYTES) {
        return -1;
    }
    const char *hex = text + prefix_size + digest_at;
    for (int i = 0; i < DIGEST_BYTES; i++) {
        unsigned byte;
        if (sscanf(hex + 2 * i, "%2x", &byte) != 1) {
            return -1;
        }
        digest[i] = (unsigned char)byte;
    }
    return 0;
}

/* Get the event bytes of the current record file. 0, or -1 with or without an exception. */
static int
events_register(events_object *self)
{
    recorder *rec = self->state->recorder;
    unsigned mode = 0;
    unsigned n_probes = 0;
    unsigned char digest[DIGEST_BYTES];
    self->events = NULL;
    if (rec == NULL || read_header(self->header, &mode, &n_probes, digest) < 0) {
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

/* A probe was reached by work of another context than the process's: record it, once. */
static void
events_take_other(events_object *self, uint32_t number, uint32_t context_id)
{
    struct probes *probes = self->state->probes;
    recorder *rec = self->state->recorder;
    if (!probes->has_other_contexts) {
        probes->has_other_contexts = 1;
        removed_list_put_back(&probes->removed); /* what the process's own work executed is still to be seen in it */
    }
    other_context_events *found =
        other_context_events_of(&self->other_events, context_id, rec->generation, self->n_probes);
    if (found != NULL && !found->events[number] && self->generation == rec->generation) {
        found->events[number] = 1;
        recorder_add_event(rec, RECORD_PROBE_EVENTS, self->probes_id, context_id, number, 1);
    }
}

/* The module runs: ask now whether it is measured. 0 when that is still not known, without an exception. */
static int
events_decide(events_object *self)
{
    PyObject *decide = Py_NewRef(self->decide); // owned
    PyObject *path = decision_ask(decide, self->path); // owned
    Py_DECREF(decide);
    if (path == NULL) {
        PyErr_Clear(); /* as where the stack ends: asked again by the next probe */
        return 0;
    }
    if (self->decide == NULL) {
        Py_DECREF(path); /* another thread was quicker */
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

/* Record a event. 1 when recording needs the probe no more. */
static int
events_record(events_object *self, uint32_t number)
{
    module_state *state = self->state;
    if (state->recorder == NULL) {
        return self->captured.seen != NULL; /* nothing is recorded, or no more: it is there for captures alone */
    }
    if (self->decide != NULL && !events_decide(self)) {
        return 0;
    }
    if (self->is_out) {
        return 1;
    }
    unsigned char *before = self->events;
    if (self->generation != state->recorder->generation && events_register(self) < 0) {
        PyErr_Clear(); /* recording has stopped, which was reported; a parent's file that is mapped still takes events */
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
        self->events[number]++; /* taking it out and putting it back would cost more */
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

/* The line of the running frame that the exception being handled came from; -1 when there is none. */
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

/* What probes/forms.py compares a mark with: a number, or a number with a first and a last line, between NULs. Returns how
 * many numbers there are; 0 for anything else, such as what a program made of it. */
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

/* The program changed a probe's number: nobody knows which of the file's it was. Keep a message for the end, once. */
static void
events_report_change(events_object *self)
{
    recorder *rec = self->state->recorder;
    const char *path = self->absolute_path == NULL ? NULL : PyUnicode_AsUTF8(self->absolute_path); // borrowed
    PyErr_Clear(); /* a name that is no UTF-8 */
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
    /* Someone compares constants, as code objects do: be the mark. */
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

/* The bytes that stand for the object in marshalled code: its header, what numbered the probes, its path;
 * as harmless to compare with a number. Borrowed, or NULL with an exception. */
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
        /* The header begins with a NUL, where a format ends. */
        const char *token = probes == NULL || probes->token == NULL ? "" : PyBytes_AS_STRING(probes->token);
        self->portable = PyBytes_FromFormat("%c%s %s %s", 0, header + 1, token, PyBytes_AS_STRING(path));
    }
    Py_XDECREF(path);
    return self->portable;
}

/* Pickled, as tools that ship code objects do, it is the mark again: cloudpickle gives the code a made-up file name. */
static PyObject *
events_reduce(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    return Py_BuildValue("O(O)", &PyUnicode_Type, ((events_object *)self)->mark);
}

/* marshal writes what has a buffer as bytes. */
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

static int
is_mark(PyObject *constant)
{
    if (!PyUnicode_CheckExact(constant) || PyUnicode_GET_LENGTH(constant) < 15
        || PyUnicode_READ_CHAR(constant, 0) != 0) {
        return 0;
    }
    static const char mark[] = "\0footfall probe";
    if (PyUnicode_KIND(constant) != PyUnicode_1BYTE_KIND) {
        return 0;
    }
    const void *data = PyUnicode_DATA(constant);
    return (PyUnicode_GET_LENGTH(constant) == sizeof mark - 1 && memcmp(data, mark, sizeof mark - 1) == 0)
           || memcmp(data, "\0footfall modul", 15) == 0;
}

/* Put `events` where the mark is, in the constants of `code` and of all code inside it. */
static void
arm_constants(PyCodeObject *code, PyObject *events, int depth)
{
    PyObject *constants = code->co_consts;
    Py_ssize_t size = PyTuple_GET_SIZE(constants);
    for (Py_ssize_t i = 0; i < size; i++) {
        PyObject *constant = PyTuple_GET_ITEM(constants, i); // borrowed
        if (PyCode_Check(constant)) {
            if (depth < MAX_NESTING) {
                arm_constants((PyCodeObject *)constant, events, depth + 1);
            }
        }
        else if (is_mark(constant)) {
            PyTuple_SET_ITEM(constants, i, Py_NewRef(events));
            Py_DECREF(constant);
        }
    }
}

/* The module's header mark among the constants of its code; borrowed, NULL when it has none. */
static PyObject *
find_header(PyCodeObject *code)
{
    Py_ssize_t size = PyTuple_GET_SIZE(code->co_consts);
    for (Py_ssize_t i = 0; i < size; i++) {
        PyObject *constant = PyTuple_GET_ITEM(code->co_consts, i); // borrowed
        if (PyUnicode_CheckExact(constant) && is_mark(constant) && PyUnicode_READ_CHAR(constant, 10) == 'm') {
            return constant;
        }
    }
    return NULL;
}

PyObject *
probes_callback(module_state *state, enum probes_callback which)
{
    return state->probes == NULL ? NULL : state->probes->callbacks[which];
}

void
probes_set_callback(module_state *state, enum probes_callback which, PyObject *callback)
{
    if (state->probes != NULL) {
        Py_XSETREF(state->probes->callbacks[which], Py_NewRef(callback));
    }
}

struct captures *
probes_captures(module_state *state)
{
    return state->probes == NULL ? NULL : &state->probes->captures;
}

int
probes_has_header(PyObject *code)
{
    return find_header((PyCodeObject *)code) != NULL;
}

int
probes_is_armed(module_state *state, PyObject *code)
{
    PyObject *constants = ((PyCodeObject *)code)->co_consts; // borrowed
    Py_ssize_t size = state->probes == NULL ? 0 : PyTuple_GET_SIZE(constants);
    for (Py_ssize_t i = 0; i < size; i++) {
        if (Py_TYPE(PyTuple_GET_ITEM(constants, i)) == state->probes->events_type) {
            return 1;
        }
    }
    return 0;
}

int
probes_is_settled(module_state *state, PyObject *filename)
{
    return state->probes == NULL ? 1 : PySet_Contains(state->probes->settled, filename);
}

int
probes_settle(module_state *state, PyObject *filename)
{
    return state->probes == NULL ? 0 : PySet_Add(state->probes->settled, filename);
}

/* A new Events object, or NULL: with an exception, or without one when recording is off. `where` as in probes_arm, or None:
 * nothing is recorded, it is for captures. */
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
        self->is_out = 1;
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

/* Let captures know of a module. */
static void
tell_captures(module_state *state, events_object *events)
{
    PyObject *callback = state->probes->captures.on_module; // borrowed
    if (callback == NULL) {
        return;
    }
    PyObject *arguments[] = {(PyObject *)events, events->header, events->path}; // borrowed
    PyObject *result = call_unseen(callback, arguments, 3); // owned
    if (result == NULL) {
        PyErr_Clear(); /* it raises nothing of ours but where the stack or memory ends */
    }
    Py_XDECREF(result);
}

/* That of the module; made when there is none. Owned, or NULL as events_new. */
static PyObject *
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
            tell_captures(state, (events_object *)events);
        }
    }
    Py_DECREF(key);
    return events;
}

/* The object that the bytes of events_portable stand for in code of the file: owned; NULL when it is none, with or without
 * an exception. */
static PyObject *
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
        events = events_of(state, header, path, probes->decide);
    }
    Py_XDECREF(header);
    Py_XDECREF(path);
    return events;
}

/* The same for the constants of code, and of all code inside it. Raises nothing. */
static void
arm_portable(module_state *state, PyCodeObject *code, int depth)
{
    Py_ssize_t size = PyTuple_GET_SIZE(code->co_consts);
    for (Py_ssize_t i = 0; i < size; i++) {
        PyObject *constant = PyTuple_GET_ITEM(code->co_consts, i); // borrowed
        if (PyCode_Check(constant) && depth < MAX_NESTING) {
            arm_portable(state, (PyCodeObject *)constant, depth + 1);
        }
        PyObject *events =
            PyBytes_CheckExact(constant) ? events_from_portable(state, constant, code->co_filename) : NULL; // owned
        if (events != NULL) {
            PyTuple_SET_ITEM(code->co_consts, i, events);
            Py_DECREF(constant);
        }
        PyErr_Clear(); /* no memory: the copy goes on unmeasured */
    }
}

/* Whether a buffer holds what events_portable made. */
static int
has_portable(PyObject *data)
{
    Py_buffer view;
    if (PyObject_GetBuffer(data, &view, PyBUF_SIMPLE) < 0) {
        PyErr_Clear(); /* marshal.loads has said what it thinks of it */
        return 0;
    }
    int found = memmem(view.buf, (size_t)view.len, MODULE_MARK, sizeof MODULE_MARK - 1) != NULL;
    PyBuffer_Release(&view);
    return found;
}

/* arm_portable for all code in a value, but not in sets: it changes the code's hash. Raises nothing. `left` counts down
 * how many values may still be looked at. */
static void
arm_portable_in(module_state *state, PyObject *value, int depth, int *left)
{
    if (--*left < 0) {
        return;
    }
    if (PyCode_Check(value)) {
        arm_portable(state, (PyCodeObject *)value, 0);
        return;
    }
    if (depth == MAX_NESTING) {
        return;
    }
    if (PyTuple_CheckExact(value) || PyList_CheckExact(value)) {
        for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(value); i++) {
            arm_portable_in(state, PySequence_Fast_GET_ITEM(value, i), depth + 1, left);
        }
    }
    else if (PyDict_CheckExact(value)) {
        PyObject *item; // borrowed
        Py_ssize_t at = 0;
        while (PyDict_Next(value, &at, NULL, &item)) {
            arm_portable_in(state, item, depth + 1, left);
        }
    }
}

void
probes_arm_copies(module_state *state, PyObject *value, PyObject *data)
{
    if (data == NULL || has_portable(data)) {
        int left = MAX_UNMARSHALLED;
        arm_portable_in(state, value, 0, &left);
    }
}

void
probes_expect_copies(module_state *state, PyObject *token, PyObject *decide)
{
    if (state->probes != NULL) {
        Py_XSETREF(state->probes->token, Py_NewRef(token));
        Py_XSETREF(state->probes->decide, Py_NewRef(decide));
    }
}

PyDoc_STRVAR(probes_arm_doc,
             "probes_arm($module, code, where, /)\n--\n\n"
             "Let the probes in a module's code record. True when it has some and they do now.\n\n"
             "`where` is the file's absolute path, or what the first probe to be reached asks for it by co_filename;\n"
             "that gives None for a module that is not measured.");

static PyObject *
probes_arm(PyObject *module, PyObject *args)
{
    module_state *state = get_state(module);
    PyCodeObject *code; // borrowed
    PyObject *where; // borrowed
    if (!PyArg_ParseTuple(args, "O!O:probes_arm", &PyCode_Type, &code, &where)) {
        return NULL;
    }
    PyObject *header = find_header(code); // borrowed
    if (header == NULL || state->probes == NULL || state->recorder == NULL) {
        Py_RETURN_FALSE;
    }
    removed_list_open(&state->probes->removed);
    PyObject *events = events_of(state, header, code->co_filename, where); // owned
    if (events == NULL) {
        if (PyErr_Occurred()) {
            return NULL;
        }
        Py_RETURN_FALSE;
    }
    arm_constants(code, events, 0);
    Py_DECREF(events);
    Py_RETURN_TRUE;
}

PyDoc_STRVAR(probes_rearm_doc,
             "probes_rearm($module, /)\n--\n\n"
             "Put all probes that were taken out back in. Return how many.");

static PyObject *
probes_rearm(PyObject *module, PyObject *Py_UNUSED(ignored))
{
    struct probes *probes = get_state(module)->probes;
    return PyLong_FromSize_t(probes == NULL ? 0 : removed_list_put_back(&probes->removed));
}

PyDoc_STRVAR(captures_begin_doc,
             "captures_begin($module, news, is_full, /)\n--\n\n"
             "Begin a series of captures: what its blocks reach is appended to the list `news` as (Events, number), once.\n\n"
             "With `is_full` it is appended again after captures_forget. Returns the series' number, -1 when all are\n"
             "taken.");

static PyObject *
captures_begin(PyObject *module, PyObject *args)
{
    struct probes *probes = get_state(module)->probes;
    PyObject *news; // borrowed
    int is_full;
    if (!PyArg_ParseTuple(args, "O!p:captures_begin", &PyList_Type, &news, &is_full)) {
        return NULL;
    }
    int series = 0;
    while (probes != NULL && series < MAX_CAPTURES && probes->captures.news[series] != NULL) {
        series++;
    }
    if (probes == NULL || series == MAX_CAPTURES) {
        return PyLong_FromLong(-1);
    }
    probes->captures.news[series] = Py_NewRef(news);
    if (is_full) {
        probes->captures.full |= (uint32_t)1 << series;
    }
    return PyLong_FromLong(series);
}

/* The number of a series, checked: -1 with an exception. */
static int
read_series(struct probes *probes, PyObject *number)
{
    long series = PyLong_AsLong(number);
    if (series == -1 && PyErr_Occurred()) {
        return -1;
    }
    if (probes == NULL || series < 0 || series >= MAX_CAPTURES || probes->captures.news[series] == NULL) {
        PyErr_SetString(PyExc_ValueError, "no such series");
        return -1;
    }
    return (int)series;
}

PyDoc_STRVAR(captures_end_doc, "captures_end($module, series, /)\n--\n\n"
                               "End a series: its number is free again.");

static PyObject *
captures_end(PyObject *module, PyObject *number)
{
    struct probes *probes = get_state(module)->probes;
    int series = read_series(probes, number);
    if (series < 0) {
        return NULL;
    }
    PyObject *events; // borrowed
    Py_ssize_t at = 0;
    while (PyDict_Next(probes->armed, &at, NULL, &events)) {
        captured_module_remove(&((events_object *)events)->captured, series);
    }
    probes->captures.open &= ~((uint32_t)1 << series);
    probes->captures.full &= ~((uint32_t)1 << series);
    Py_CLEAR(probes->captures.news[series]);
    Py_RETURN_NONE;
}

PyDoc_STRVAR(captures_forget_doc, "captures_forget($module, series, /)\n--\n\n"
                                  "Let all probes that are in the news of a series be new for it again.");

static PyObject *
captures_forget(PyObject *module, PyObject *number)
{
    struct probes *probes = get_state(module)->probes;
    int series = read_series(probes, number);
    if (series < 0) {
        return NULL;
    }
    PyObject *news = probes->captures.news[series]; // borrowed
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(news); i++) {
        PyObject *entry = PyList_GET_ITEM(news, i); // borrowed
        if (!PyTuple_CheckExact(entry) || Py_TYPE(PyTuple_GET_ITEM(entry, 0)) != probes->events_type) {
            continue; /* of a traced file */
        }
        captured_module *captured = &((events_object *)PyTuple_GET_ITEM(entry, 0))->captured;
        unsigned long probe = PyLong_AsUnsignedLongMask(PyTuple_GET_ITEM(entry, 1));
        if (probe < captured->n_probes) {
            captured->seen[probe] &= ~((uint32_t)1 << series);
        }
    }
    Py_RETURN_NONE;
}

PyDoc_STRVAR(captures_modules_doc,
             "captures_modules($module, on_module, /)\n--\n\n"
             "Return (Events, header, co_filename) of each module with probes; `on_module` is called with these three for\n"
             "each new one, in place of what was called before. It raises nothing.");

static PyObject *
captures_modules(PyObject *module, PyObject *on_module)
{
    struct probes *probes = get_state(module)->probes;
    PyObject *found = PyList_New(0); // owned
    if (found == NULL || probes == NULL) {
        return found;
    }
    Py_XSETREF(probes->captures.on_module, Py_NewRef(on_module));
    PyObject *events; // borrowed
    Py_ssize_t at = 0;
    while (PyDict_Next(probes->armed, &at, NULL, &events)) {
        PyObject *entry =
            PyTuple_Pack(3, events, ((events_object *)events)->header, ((events_object *)events)->path); // owned
        if (entry == NULL || PyList_Append(found, entry) < 0) {
            Py_XDECREF(entry);
            Py_DECREF(found);
            return NULL;
        }
        Py_DECREF(entry);
    }
    return found;
}

PyDoc_STRVAR(captures_want_doc, "captures_want($module, series, events, /)\n--\n\n"
                                "Let a series know of a module's probes, those that were taken out too. True when it will.");

static PyObject *
captures_want(PyObject *module, PyObject *args)
{
    struct probes *probes = get_state(module)->probes;
    PyObject *number; // borrowed
    PyObject *op; // borrowed
    if (!PyArg_ParseTuple(args, "OO:captures_want", &number, &op)) {
        return NULL;
    }
    int series = read_series(probes, number);
    if (series < 0) {
        return NULL;
    }
    unsigned mode = 0;
    unsigned n_probes = 0;
    unsigned char digest[DIGEST_BYTES];
    events_object *events = (events_object *)op;
    if (Py_TYPE(op) != probes->events_type || read_header(events->header, &mode, &n_probes, digest) < 0
        || captured_module_add(&events->captured, series, n_probes) < 0) {
        Py_RETURN_FALSE;
    }
    removed_list_put_back(&probes->removed);
    Py_RETURN_TRUE;
}

PyDoc_STRVAR(captures_arm_doc,
             "captures_arm($module, code, /)\n--\n\n"
             "Let the probes in a module's code be seen by captures; nothing is recorded. True when it has some.");

static PyObject *
captures_arm(PyObject *module, PyObject *code)
{
    module_state *state = get_state(module);
    if (!PyCode_Check(code)) {
        PyErr_SetString(PyExc_TypeError, "captures_arm() needs a code object");
        return NULL;
    }
    PyObject *header = state->probes == NULL ? NULL : find_header((PyCodeObject *)code); // borrowed
    if (header == NULL) {
        Py_RETURN_FALSE;
    }
    removed_list_open(&state->probes->removed);
    PyObject *events = events_of(state, header, ((PyCodeObject *)code)->co_filename, Py_None); // owned
    if (events == NULL) {
        return NULL;
    }
    arm_constants((PyCodeObject *)code, events, 0);
    Py_DECREF(events);
    Py_RETURN_TRUE;
}

PyDoc_STRVAR(captures_events_doc, "captures_events($module, code, /)\n--\n\n"
                                      "Return the Events object of the probes in code, None when it has none.");

static PyObject *
captures_events(PyObject *module, PyObject *code)
{
    struct probes *probes = get_state(module)->probes;
    if (probes == NULL || !PyCode_Check(code)) {
        Py_RETURN_NONE;
    }
    PyObject *constants = ((PyCodeObject *)code)->co_consts; // borrowed
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(constants); i++) {
        PyObject *constant = PyTuple_GET_ITEM(constants, i); // borrowed
        if (Py_TYPE(constant) == probes->events_type) {
            return Py_NewRef(constant);
        }
    }
    Py_RETURN_NONE;
}

PyDoc_STRVAR(captures_exchange_doc,
             "captures_exchange($module, code, inner, with_probes, /)\n--\n\n"
             "Let code that is running, and so stays, make functions of `with_probes` where it made them of `inner`.");

static PyObject *
captures_exchange(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyCodeObject *code; // borrowed
    PyObject *inner; // borrowed
    PyObject *with_probes; // borrowed
    if (!PyArg_ParseTuple(args, "O!O!O!:captures_exchange", &PyCode_Type, &code, &PyCode_Type, &inner, &PyCode_Type,
                          &with_probes)) {
        return NULL;
    }
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(code->co_consts); i++) {
        if (PyTuple_GET_ITEM(code->co_consts, i) == inner) {
            /* The one constant is kept for good: the running frame may have it in its hands. */
            PyTuple_SET_ITEM(code->co_consts, i, Py_NewRef(with_probes));
        }
    }
    Py_RETURN_NONE;
}

/* Take the first module out of the list; an owned reference, or NULL. */
static events_object *
pop_dirty(struct probes *probes)
{
    events_object *first = probes->dirty;
    if (first != NULL) {
        probes->dirty = first->next_dirty;
        first->is_dirty = 0;
    }
    return first;
}

static int
probes_flush(module_state *state)
{
    struct probes *probes = state->probes;
    recorder *rec = state->recorder;
    if (probes == NULL) {
        return 0;
    }
    probes->has_contexts = 1;
    probes->has_other_contexts = 0;
    for (events_object *events = pop_dirty(probes); events != NULL; events = pop_dirty(probes)) {
        /* Of another generation: a forked child has nothing of it; the bytes are the parent's. */
        if (events->events != NULL && events->generation == rec->generation
            && recorder_add_events(rec, RECORD_PROBE_EVENTS, events->probes_id, rec->context_id, events->events,
                                   events->n_probes)
                   == 0) {
            memset(events->events, 0, events->n_probes);
        }
        Py_DECREF(events);
    }
    removed_list_put_back(&probes->removed);
    return 0;
}

static int
probes_traverse(module_state *state, visitproc visit, void *arg)
{
    if (state->probes != NULL) {
        Py_VISIT(state->probes->events_type);
        Py_VISIT(state->probes->armed);
        Py_VISIT(state->probes->decide);
        Py_VISIT(state->probes->settled);
        for (int i = 0; i < N_PROBES_CALLBACKS; i++) {
            Py_VISIT(state->probes->callbacks[i]);
        }
        return captures_traverse(&state->probes->captures, visit, arg);
    }
    return 0;
}

static void
probes_clear(module_state *state)
{
    struct probes *probes = state->probes;
    if (probes == NULL) {
        return;
    }
    state->probes = NULL;
    for (events_object *events = pop_dirty(probes); events != NULL; events = pop_dirty(probes)) {
        Py_DECREF(events);
    }
    removed_list_close(&probes->removed);
    Py_CLEAR(probes->armed);
    Py_CLEAR(probes->token);
    Py_CLEAR(probes->decide);
    Py_CLEAR(probes->settled);
    Py_CLEAR(probes->events_type);
    for (int i = 0; i < N_PROBES_CALLBACKS; i++) {
        Py_CLEAR(probes->callbacks[i]);
    }
    captures_clear(&probes->captures);
    PyMem_Free(probes);
}

static PyMethodDef probes_methods[] = {
    {"captures_arm", captures_arm, METH_O, captures_arm_doc},
    {"captures_begin", captures_begin, METH_VARARGS, captures_begin_doc},
    {"captures_end", captures_end, METH_O, captures_end_doc},
    {"captures_exchange", captures_exchange, METH_VARARGS, captures_exchange_doc},
    {"captures_forget", captures_forget, METH_O, captures_forget_doc},
    {"captures_events", captures_events, METH_O, captures_events_doc},
    {"captures_modules", captures_modules, METH_O, captures_modules_doc},
    {"captures_want", captures_want, METH_VARARGS, captures_want_doc},
    {"probes_arm", probes_arm, METH_VARARGS, probes_arm_doc},
    {"probes_rearm", probes_rearm, METH_NOARGS, probes_rearm_doc},
    {NULL, NULL, 0, NULL},
};

static const engine_functions probes_engine = {probes_flush, NULL, probes_traverse, probes_clear};

int
probes_exec(PyObject *module)
{
    struct probes *probes = PyMem_Calloc(1, sizeof *probes);
    if (probes == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    get_state(module)->probes = probes;
    engine_register(get_state(module), &probes_engine);
    probes->armed = PyDict_New();
    probes->settled = PySet_New(NULL);
    probes->events_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &events_spec, NULL);
    if (probes->armed == NULL || probes->settled == NULL || probes->events_type == NULL) {
        return -1;
    }
    return PyModule_AddFunctions(module, probes_methods);
}
