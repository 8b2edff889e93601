/* contexts.c gives what runs a label, in the record file and for samples (docs/formats.md: CONTEXT, SWITCH,
 * HITS). It does not know where labels come from. Binding C: every function needs the GIL. */
#include "engines/contexts.h"

#include "engines/thread_contexts.h"
#include "record/recorder.h"
#include "sampler/loop.h"

#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The part of a label that its phases share: "test|setup" and "test|run" have one owner, "test". */
static Py_ssize_t
owner_size(PyObject *label)
{
    Py_ssize_t size = PyUnicode_GET_LENGTH(label);
    Py_ssize_t bar = PyUnicode_FindChar(label, '|', 0, size, -1); /* the last one */
    return bar < 0 ? size : bar;
}

int
context_has_same_owner(PyObject *one, PyObject *other)
{
    Py_ssize_t size = owner_size(one);
    return size == owner_size(other) && PyUnicode_KIND(one) == PyUnicode_KIND(other)
           && memcmp(PyUnicode_DATA(one), PyUnicode_DATA(other), (size_t)size * PyUnicode_KIND(one)) == 0;
}

int
context_is_foreign(module_state *state, uint32_t *id)
{
    if (state->context_variable == NULL || state->recorder == NULL) {
        return 0;
    }
    PyObject *label = NULL; // owned
    if (PyContextVar_Get(state->context_variable, NULL, &label) < 0) {
        PyErr_Clear(); /* out of memory */
        return 0;
    }
    if (label == NULL) {
        return 0;
    }
    recorder *rec = state->recorder;
    int is_foreign = label != rec->context_label && PyUnicode_Check(label) && PyUnicode_GET_LENGTH(label) != 0
                     && !context_has_same_owner(label, rec->context_label);
    if (is_foreign && recorder_context_id(rec, label, id) < 0) {
        PyErr_Clear();
        is_foreign = 0;
    }
    Py_DECREF(label);
    return is_foreign;
}

/* The running thread or task, and those that it starts, belong to the label. -1 with an exception. */
static int
bind_label(module_state *state, PyObject *label)
{
    if (state->context_variable == NULL) {
        state->context_variable = PyContextVar_New("footfall_context", NULL);
        if (state->context_variable == NULL) {
            return -1;
        }
    }
    PyObject *token = PyContextVar_Set(state->context_variable, label); // owned
    Py_XDECREF(token);
    return token == NULL ? -1 : 0;
}

void
contexts_tell_sampler(module_state *state)
{
    uint32_t id = 0;
    if (state->sampler == NULL || state->recorder == NULL || state->sample_label == NULL) {
        return;
    }
    if (recorder_context_id(state->recorder, state->sample_label, &id) < 0) {
        PyErr_Clear();
        return;
    }
    atomic_store_explicit(&state->sampler->context, id, memory_order_relaxed);
    carried_tell(state);
}

static void
set_sample_label(module_state *state, PyObject *label)
{
    Py_XSETREF(state->sample_label, Py_NewRef(label));
    contexts_tell_sampler(state);
}

PyDoc_STRVAR(context_label_doc,
             "context_label($module, /)\n--\n\n"
             "The context of what runs in this process now; \"\" is none, as when no record file is open.");

static PyObject *
context_label(PyObject *module, PyObject *Py_UNUSED(ignored))
{
    recorder *rec = get_state(module)->recorder;
    if (rec == NULL || rec->context_label == NULL) {
        return PyUnicode_New(0, 0);
    }
    return Py_NewRef(rec->context_label);
}

PyDoc_STRVAR(context_switch_doc,
             "context_switch($module, label, /)\n--\n\n"
             "All that runs from now on belongs to the context `label`, samples too; \"\" is none.\n\n"
             "False when no record file is open.");

static PyObject *
context_switch(PyObject *module, PyObject *label)
{
    module_state *state = get_state(module);
    recorder *rec = state->recorder;
    uint32_t id = 0;
    if (!PyUnicode_Check(label)) {
        PyErr_SetString(PyExc_TypeError, "a context label is a str");
        return NULL;
    }
    if (rec == NULL) {
        Py_RETURN_FALSE;
    }
    if (recorder_context_id(rec, label, &id) < 0) {
        return NULL;
    }
    if (id != rec->context_id) {
        if (monitoring_flush(state) < 0 || probes_flush(state) < 0 || settrace_flush(state) < 0) {
            return NULL;
        }
        if (recorder_switch(rec, label, id) == 0) {
            monitoring_begin(state);
        }
    }
    if (bind_label(state, label) < 0) {
        return NULL;
    }
    set_sample_label(state, label);
    Py_RETURN_TRUE;
}

PyDoc_STRVAR(context_switch_samples_doc,
             "context_switch_samples($module, label, /)\n--\n\n"
             "Samples from now on belong to the context `label`; hits go on into the present one.\n\n"
             "False when no record file is open.");

static PyObject *
context_switch_samples(PyObject *module, PyObject *label)
{
    module_state *state = get_state(module);
    if (!PyUnicode_Check(label)) {
        PyErr_SetString(PyExc_TypeError, "a context label is a str");
        return NULL;
    }
    if (state->recorder == NULL) {
        Py_RETURN_FALSE;
    }
    set_sample_label(state, label);
    Py_RETURN_TRUE;
}

PyDoc_STRVAR(context_bind_doc,
             "context_bind($module, label, /)\n--\n\n"
             "The running thread or task, and those that it starts from now on, belong to the context `label`.");

static PyObject *
context_bind(PyObject *module, PyObject *label)
{
    if (!PyUnicode_Check(label)) {
        PyErr_SetString(PyExc_TypeError, "a context label is a str");
        return NULL;
    }
    if (bind_label(get_state(module), label) < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

/* What a new thread runs: self is (module, label, what the program wants to run, the native id of who started it). Where
 * "threads" are greenlets it is the same one: the sampler, which knows native threads only, is not told of those. */
static PyObject *
run_thread(PyObject *self, PyObject *args, PyObject *kwargs)
{
    module_state *state = get_state(PyTuple_GET_ITEM(self, 0));
    PyObject *label = PyTuple_GET_ITEM(self, 1); // borrowed
    if (bind_label(state, label) < 0) {
        PyErr_Clear(); /* out of memory: the thread belongs to whatever runs */
    }
    int is_new = PyLong_AsLong(PyTuple_GET_ITEM(self, 3)) != syscall(SYS_gettid);
    carried_thread *carried = is_new ? carried_begin(state, label) : NULL;
    PyObject *result = PyObject_Call(PyTuple_GET_ITEM(self, 2), args, kwargs);
    carried_end(state, carried);
    return result;
}

static PyMethodDef run_thread_def = {"footfall_run_thread", (PyCFunction)(void (*)(void))run_thread,
                                     METH_VARARGS | METH_KEYWORDS, NULL};

PyDoc_STRVAR(context_carry_doc,
             "context_carry($module, function, /)\n--\n\n"
             "Return a look-alike of `function` that runs in the label that the caller is bound to now.");

static PyObject *
context_carry(PyObject *module, PyObject *function)
{
    module_state *state = get_state(module);
    PyObject *label = NULL; // owned
    if (state->context_variable != NULL && PyContextVar_Get(state->context_variable, NULL, &label) < 0) {
        return NULL;
    }
    if (label == NULL) {
        return Py_NewRef(function);
    }
    PyObject *native_id = PyLong_FromLong(syscall(SYS_gettid));                                      // owned
    PyObject *self = native_id == NULL ? NULL : PyTuple_Pack(4, module, label, function, native_id); // owned
    PyObject *runner = self == NULL ? NULL : PyCFunction_New(&run_thread_def, self);
    Py_XDECREF(self);
    Py_XDECREF(native_id);
    Py_DECREF(label);
    return runner;
}

static PyMethodDef contexts_methods[] = {
    {"context_bind", context_bind, METH_O, context_bind_doc},
    {"context_carry", context_carry, METH_O, context_carry_doc},
    {"context_label", context_label, METH_NOARGS, context_label_doc},
    {"context_switch", context_switch, METH_O, context_switch_doc},
    {"context_switch_samples", context_switch_samples, METH_O, context_switch_samples_doc},
    {NULL, NULL, 0, NULL},
};

int
contexts_exec(PyObject *module)
{
    return PyModule_AddFunctions(module, contexts_methods);
}

int
contexts_traverse(module_state *state, visitproc visit, void *arg)
{
    Py_VISIT(state->context_variable);
    Py_VISIT(state->sample_label);
    return 0;
}

void
contexts_clear(module_state *state)
{
    Py_CLEAR(state->context_variable);
    Py_CLEAR(state->sample_label);
}
