/* The nodes of sample logs: read in runs, checked, and numbered in the tree of a profile. */
#ifndef FOOTFALL_DECODE_NODES_H
#define FOOTFALL_DECODE_NODES_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdint.h>

/* How many bytes the NODE entries from `at` on take that follow one another and are whole. 0 if there is none. */
Py_ssize_t nodes_bytes(const uint8_t *log, Py_ssize_t size, Py_ssize_t at);

/* Copy their payloads, NODE_BYTES each; `to` has room for them. Returns the number of bytes. */
Py_ssize_t nodes_copy(const uint8_t *log, Py_ssize_t at, Py_ssize_t n_bytes, uint8_t *to);

/* Whether nodes have the ids 1, 2, 3 and so on, callers with lower ones, and codes from 1 to n_codes. */
int nodes_are_whole(const uint8_t *nodes, Py_ssize_t size, uint32_t n_codes);

/* Number nodes in a profile's tree: `known` maps parent << 32 | frame to a number, and new ones are appended to `tree`
 * as `node_type`, a kind of tuple with two items. frame_of(code, unit) is called once for each place. Returns a new dict
 * from ids to numbers. NULL with an exception: ValueError if a node comes before its caller. */
PyObject *nodes_number(const uint8_t *nodes, Py_ssize_t size, PyObject *frame_of, PyObject *known, PyObject *tree,
                       PyTypeObject *node_type);

#endif
