/* contexts.c gives what runs a label, in the record file and for samples (docs/formats.md: CONTEXT, SWITCH,
 * HITS). It does not know where labels come from. Binding C: every function needs the GIL. */
#include "core/contexts.h"

#include "core/recorder.h"
#include "core/sampler_thread.h"

static void
set_sample_context(module_state *state, uint32_t id)
{
    if (state->sampler != NULL) {
        atomic_store_explicit(&state->sampler->context, id, memory_order_relaxed);
    }
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
            monitoring_mark_running(state);
        }
    }
    set_sample_context(state, id);
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
    uint32_t id = 0;
    if (!PyUnicode_Check(label)) {
        PyErr_SetString(PyExc_TypeError, "a context label is a str");
        return NULL;
    }
    if (state->recorder == NULL) {
        Py_RETURN_FALSE;
    }
    if (recorder_context_id(state->recorder, label, &id) < 0) {
        return NULL;
    }
    set_sample_context(state, id);
    Py_RETURN_TRUE;
}

static PyMethodDef contexts_methods[] = {
    {"context_switch", context_switch, METH_O, context_switch_doc},
    {"context_switch_samples", context_switch_samples, METH_O, context_switch_samples_doc},
    {NULL, NULL, 0, NULL},
};

int
contexts_exec(PyObject *module)
{
    return PyModule_AddFunctions(module, contexts_methods);
}
