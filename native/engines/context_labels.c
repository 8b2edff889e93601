/* engines/context_labels.c compares the label of the running thread or task with the process's. It keeps no state.
 * Binding C: every function needs the GIL. */
#include "engines/context_labels.h"

#include "record/recorder.h"

#include <string.h>

/* The size of the part of a label that its phases share: "test|setup" and "test|run" have one owner, "test". */
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
context_is_other(module_state *state, uint32_t *id)
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
    int is_other = label != rec->context_label && PyUnicode_Check(label) && PyUnicode_GET_LENGTH(label) != 0
                   && !context_has_same_owner(label, rec->context_label);
    if (is_other && recorder_context_id(rec, label, id) < 0) {
        PyErr_Clear();
        is_other = 0;
    }
    Py_DECREF(label);
    return is_other;
}
