/* contexts.c labels what runs, in the record file and for samples (docs/formats.md: CONTEXT, SWITCH, EVENTS). It does
 * not know where labels come from. Binding C: every function needs the GIL. */
#include "engines/contexts.h"

#include "core/program_starts.h"
#include "engines/context_labels.h"
#include "engines/engine.h"
#include "engines/sample_contexts.h"
#include "engines/thread_contexts.h"
#include "record/recorder.h"

#include <sys/syscall.h>
#include <unistd.h>

/* Bind the running thread or task, and those that it starts, to the label. -1 with an exception. */
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

int
contexts_unbind(module_state *state)
{
    PyObject *none = state->context_variable == NULL ? NULL : PyUnicode_New(0, 0); // owned
    int status = none == NULL ? 0 : bind_label(state, none);
    Py_XDECREF(none);
    return status;
}

void
contexts_publish(module_state *state)
{
    uint32_t id = 0;
    if (state->sample_contexts == NULL || state->recorder == NULL || state->sample_label == NULL) {
        return;
    }
    if (recorder_context_id(state->recorder, state->sample_label, &id) < 0) {
        PyErr_Clear();
        return;
    }
    atomic_store_explicit(&state->sample_contexts->process, id, memory_order_relaxed);
    thread_contexts_publish(state);
}

void
contexts_label_samples(module_state *state, PyObject *label)
{
    Py_XSETREF(state->sample_label, Py_NewRef(label));
    contexts_publish(state);
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

static int
flush_engines(module_state *state)
{
    for (int i = 0; i < state->n_engines; i++) {
        if (state->engines[i]->flush(state) < 0) {
            return -1;
        }
    }
    return 0;
}

static void
begin_engines(module_state *state)
{
    for (int i = 0; i < state->n_engines; i++) {
        if (state->engines[i]->begin != NULL) {
            state->engines[i]->begin(state);
        }
    }
}

int
contexts_switch(module_state *state, PyObject *label)
{
    recorder *rec = state->recorder;
    uint32_t id = 0;
    if (rec == NULL) {
        return 0;
    }
    if (recorder_context_id(rec, label, &id) < 0) {
        return -1;
    }
    if (id != rec->context_id) {
        if (flush_engines(state) < 0) {
            return -1;
        }
        if (recorder_switch(rec, label, id) == 0) {
            begin_engines(state);
        }
    }
    return 1;
}

PyDoc_STRVAR(context_switch_doc,
             "context_switch($module, label, /)\n--\n\n"
             "All that runs from now on belongs to the context `label`, samples too; \"\" is none.\n\n"
             "False when no record file is open.");

static PyObject *
context_switch(PyObject *module, PyObject *label)
{
    module_state *state = get_state(module);
    if (!PyUnicode_Check(label)) {
        PyErr_SetString(PyExc_TypeError, "a context label is a str");
        return NULL;
    }
    int switched = contexts_switch(state, label);
    if (switched <= 0) {
        return switched < 0 ? NULL : Py_NewRef(Py_False);
    }
    if (bind_label(state, label) < 0) {
        return NULL;
    }
    contexts_label_samples(state, label);
    Py_RETURN_TRUE;
}

PyDoc_STRVAR(context_switch_samples_doc,
             "context_switch_samples($module, label, /)\n--\n\n"
             "Samples from now on belong to the context `label`; events go on into the present one.\n\n"
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
    contexts_label_samples(state, label);
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

/* What a new thread runs: self is (module, label, the program's function, the native id of the thread that started it).
 * If "threads" are greenlets, the native id is the same: they are not reported to the sampler, which knows native
 * threads only. */
static PyObject *
run_thread(PyObject *self, PyObject *args, PyObject *kwargs)
{
    module_state *state = get_state(PyTuple_GET_ITEM(self, 0));
    PyObject *label = PyTuple_GET_ITEM(self, 1); // borrowed
    if (bind_label(state, label) < 0) {
        PyErr_Clear(); /* out of memory: the thread belongs to the process's context */
    }
    int is_new = PyLong_AsLong(PyTuple_GET_ITEM(self, 3)) != syscall(SYS_gettid);
    context_thread *thread = is_new ? thread_context_begin(state, label) : NULL;
    PyObject *result = PyObject_Call(PyTuple_GET_ITEM(self, 2), args, kwargs);
    thread_context_end(state, thread);
    return result;
}

static PyMethodDef run_thread_def = {"footfall_run_thread", (PyCFunction)(void (*)(void))run_thread,
                                     METH_VARARGS | METH_KEYWORDS, NULL};

PyDoc_STRVAR(context_wrap_thread_doc,
             "context_wrap_thread($module, function, /)\n--\n\n"
             "Return a look-alike of `function` that runs in the label that the caller is bound to now.");

static PyObject *
context_wrap_thread(PyObject *module, PyObject *function)
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
    PyObject *dressed = runner == NULL ? NULL : program_starts_dress(state, runner, function); // owned
    Py_XDECREF(runner);
    Py_XDECREF(self);
    Py_XDECREF(native_id);
    Py_DECREF(label);
    return dressed;
}

PyDoc_STRVAR(record_after_fork_doc, "record_after_fork($module, /)\n--\n\n"
                                    "Give a forked child a record file of its own, in which its context begins.");

static PyObject *
record_after_fork(PyObject *module, PyObject *Py_UNUSED(ignored))
{
    module_state *state = get_state(module);
    int is_new = state->recorder == NULL ? 0 : recorder_after_fork(state->recorder);
    if (is_new < 0) {
        return NULL;
    }
    if (is_new && state->recorder->next_context_id > 1) { /* there were contexts before: frames are in the middle of
                                                           * them */
        begin_engines(state);
    }
    if (is_new) {
        contexts_publish(state);
    }
    Py_RETURN_NONE;
}

static PyMethodDef contexts_methods[] = {
    {"context_bind", context_bind, METH_O, context_bind_doc},
    {"context_wrap_thread", context_wrap_thread, METH_O, context_wrap_thread_doc},
    {"context_label", context_label, METH_NOARGS, context_label_doc},
    {"context_switch", context_switch, METH_O, context_switch_doc},
    {"context_switch_samples", context_switch_samples, METH_O, context_switch_samples_doc},
    {"record_after_fork", record_after_fork, METH_NOARGS, record_after_fork_doc},
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
