/* engines/probes/marks.c finds and reads what probes/forms.py put into the constants of instrumented code: the mark
 * that each probe compares with, and the header mark of a module. It keeps no state. Threads: all under the GIL. */
#include "engines/probes/marks.h"

#include <stdio.h>
#include <string.h>

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

PyObject *
marks_find_header(PyCodeObject *code)
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

void
marks_replace(PyCodeObject *code, PyObject *events, int depth)
{
    PyObject *constants = code->co_consts;
    Py_ssize_t size = PyTuple_GET_SIZE(constants);
    for (Py_ssize_t i = 0; i < size; i++) {
        PyObject *constant = PyTuple_GET_ITEM(constants, i); // borrowed
        if (PyCode_Check(constant)) {
            if (depth < MAX_NESTING) {
                marks_replace((PyCodeObject *)constant, events, depth + 1);
            }
        }
        else if (is_mark(constant)) {
            PyTuple_SET_ITEM(constants, i, Py_NewRef(events));
            Py_DECREF(constant);
        }
    }
}

int
marks_read_header(PyObject *header, unsigned *mode, unsigned *n_probes, unsigned char *digest)
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
