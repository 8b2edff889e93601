/* copies.c makes probes record in code that marshal has copied: there, bytes are in place of the Events
 * object. Threads: all under the GIL. */
#include "engines/probes/captures/copies.h"

#include "engines/probes/events.h"
#include "engines/probes/marks.h"

#include <string.h>

#define MAX_UNMARSHALLED 100000 /* values searched for code; containers may contain one another, without end */

/* Put Events objects in place of the bytes that represent them, in the constants of code and of all code inside it.
 * Raises nothing. */
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
        PyErr_Clear(); /* no memory: the copy runs unmeasured */
    }
}

/* Return whether a buffer contains bytes that represent an Events object. */
static int
has_portable(PyObject *data)
{
    Py_buffer view;
    if (PyObject_GetBuffer(data, &view, PyBUF_SIMPLE) < 0) {
        PyErr_Clear(); /* marshal.loads has reported any error in it */
        return 0;
    }
    int found = memmem(view.buf, (size_t)view.len, MODULE_MARK, sizeof MODULE_MARK - 1) != NULL;
    PyBuffer_Release(&view);
    return found;
}

/* Call arm_portable for all code in a value, but not in sets: it changes the code's hash. Raises nothing. `left` counts
 * down how many values may still be searched. */
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
copies_arm(module_state *state, PyObject *value, PyObject *data)
{
    if (data == NULL || has_portable(data)) {
        int left = MAX_UNMARSHALLED;
        arm_portable_in(state, value, 0, &left);
    }
}

void
copies_expect(module_state *state, PyObject *token, PyObject *decide)
{
    if (state->probes != NULL) {
        Py_XSETREF(state->probes->token, Py_NewRef(token));
        Py_XSETREF(state->probes->decide, Py_NewRef(decide));
    }
}
