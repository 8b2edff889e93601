/* file_tracers/places.c reads the instructions around a frame's place. It keeps no state. */
#include "engines/file_tracers/places.h"

#include "compat/versions.h"

#include <opcode.h>

/* From the place of a frame that yields to the RESUME after it. */
#define YIELD_TO_RESUME_BYTES (YIELDS_STAND_AT_RESUME ? 0 : 2)

PyObject *
frame_bytecode(PyFrameObject *frame)
{
    PyCodeObject *code = PyFrame_GetCode(frame); // owned
    PyObject *bytecode = PyCode_GetCode(code); // owned
    Py_DECREF(code);
    if (bytecode == NULL) {
        PyErr_Clear();
    }
    return bytecode;
}

int
bytecode_has(PyObject *bytecode, Py_ssize_t at, unsigned char value)
{
    return at >= 0 && at < PyBytes_GET_SIZE(bytecode) && (unsigned char)PyBytes_AS_STRING(bytecode)[at] == value;
}

int
frame_stands_at_yield(PyFrameObject *frame)
{
    PyObject *bytecode = frame_bytecode(frame); // owned
    if (bytecode == NULL) {
        return 0;
    }
    Py_ssize_t at = PyFrame_GetLasti(frame);
    int is_yield = at != PyBytes_GET_SIZE(bytecode) - 2 && bytecode_has(bytecode, at + YIELD_TO_RESUME_BYTES, RESUME);
    Py_DECREF(bytecode);
    return is_yield;
}
