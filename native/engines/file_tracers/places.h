/* Where a frame is in its bytecode when an event comes. */
#ifndef FOOTFALL_ENGINES_FILE_TRACERS_PLACES_H
#define FOOTFALL_ENGINES_FILE_TRACERS_PLACES_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

/* The bytecode of a frame, without instrumentation. Owned; NULL, without an exception, if there is no memory. */
PyObject *frame_bytecode(PyFrameObject *frame);

/* Return whether the byte at a place of the bytecode is `value`; 0 outside of it. */
int bytecode_has(PyObject *bytecode, Py_ssize_t at, unsigned char value);

/* Return whether a reader of sys.settrace's events would take a frame that ends for one that yields, as the C tracer
 * does. */
int frame_stands_at_yield(PyFrameObject *frame);

#endif
