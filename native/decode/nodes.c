/* nodes.c takes the steps of record/run/node_table.py and of the profile's builder that are done for each node: a run
 * of some minutes has a hundred thousand. */
#include "decode/nodes.h"

#include "record/format.h"

#include <string.h>

typedef struct log_node {
    uint32_t id, parent, code, unit;
} log_node;

static uint32_t
u32_at(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

static log_node
node_at(const uint8_t *bytes)
{
    return (log_node){u32_at(bytes), u32_at(bytes + 4), u32_at(bytes + 8), u32_at(bytes + 12)};
}

/* Bytes of the entry at `at`; 0 unless it is a whole NODE. */
static Py_ssize_t
entry_bytes(const uint8_t *log, Py_ssize_t size, Py_ssize_t at)
{
    if (size - at < ENTRY_HEAD_BYTES + NODE_BYTES || u32_at(log + at) != SAMPLE_NODE) {
        return 0;
    }
    Py_ssize_t payload = u32_at(log + at + 4);
    if (payload < NODE_BYTES || payload > size - at - ENTRY_HEAD_BYTES) {
        return 0;
    }
    return ENTRY_HEAD_BYTES + (payload + 7) / 8 * 8;
}

Py_ssize_t
nodes_bytes(const uint8_t *log, Py_ssize_t size, Py_ssize_t at)
{
    Py_ssize_t end = at;
    Py_ssize_t bytes;
    while (end < size && (bytes = entry_bytes(log, size, end)) != 0) {
        end += bytes;
    }
    return end - at;
}

Py_ssize_t
nodes_copy(const uint8_t *log, Py_ssize_t at, Py_ssize_t n_bytes, uint8_t *to)
{
    Py_ssize_t end = at + n_bytes, copied = 0;
    while (at < end) {
        memcpy(to + copied, log + at + ENTRY_HEAD_BYTES, NODE_BYTES);
        copied += NODE_BYTES;
        at += ENTRY_HEAD_BYTES + ((Py_ssize_t)u32_at(log + at + 4) + 7) / 8 * 8;
    }
    return copied;
}

int
nodes_are_whole(const uint8_t *nodes, Py_ssize_t size, uint32_t n_codes)
{
    uint32_t id = 0;
    for (Py_ssize_t at = 0; at + NODE_BYTES <= size; at += NODE_BYTES) {
        log_node node = node_at(nodes + at);
        if (node.id != ++id || node.parent >= id || node.code == 0 || node.code > n_codes) {
            return 0;
        }
    }
    return size % NODE_BYTES == 0;
}

/* Return the value of a number that is a key, borrowed; NULL if there is none, with or without an exception. */
static PyObject *
value_of(PyObject *dict, uint64_t key)
{
    PyObject *number = PyLong_FromUnsignedLongLong(key); /* owned */
    if (number == NULL) {
        return NULL;
    }
    PyObject *found = PyDict_GetItemWithError(dict, number);
    Py_DECREF(number);
    return found;
}

/* dict[key] = value. -1 with an exception. */
static int
set_value(PyObject *dict, uint64_t key, PyObject *value)
{
    PyObject *number = PyLong_FromUnsignedLongLong(key); /* owned */
    int status = number == NULL ? -1 : PyDict_SetItem(dict, number, value);
    Py_XDECREF(number);
    return status;
}

/* Return the frame of a node's place, borrowed from `places`. */
static PyObject *
frame_of_node(const log_node *node, PyObject *frame_of, PyObject *places)
{
    uint64_t place = (uint64_t)node->code << 32 | node->unit;
    PyObject *frame = value_of(places, place);
    if (frame != NULL || PyErr_Occurred()) {
        return frame;
    }
    frame = PyObject_CallFunction(frame_of, "II", node->code, node->unit); /* owned, until `places` has it */
    if (frame == NULL || set_value(places, place, frame) < 0) {
        Py_XDECREF(frame);
        return NULL;
    }
    Py_DECREF(frame);
    return frame;
}

/* Append a node to the tree, and return its number: a new reference. */
static PyObject *
new_node(PyObject *tree, PyTypeObject *node_type, PyObject *parent, PyObject *frame)
{
    PyObject *number = PyLong_FromSsize_t(PyList_GET_SIZE(tree)); /* owned */
    PyObject *node = node_type->tp_alloc(node_type, 2);            /* owned */
    if (number == NULL || node == NULL) {
        Py_XDECREF(number);
        Py_XDECREF(node);
        return NULL;
    }
    PyTuple_SET_ITEM(node, 0, Py_NewRef(parent));
    PyTuple_SET_ITEM(node, 1, Py_NewRef(frame));
    int status = PyList_Append(tree, node);
    Py_DECREF(node);
    if (status < 0) {
        Py_CLEAR(number);
    }
    return number;
}

/* Return the number of a frame below its caller's node, new or known: a new reference. */
static PyObject *
number_of_node(PyObject *parent, PyObject *frame, PyObject *known, PyObject *tree, PyTypeObject *node_type)
{
    uint64_t parent_number = PyLong_AsUnsignedLongLong(parent), frame_number = PyLong_AsUnsignedLongLong(frame);
    if (PyErr_Occurred()) {
        return NULL;
    }
    uint64_t key = parent_number << 32 | frame_number;
    PyObject *number = value_of(known, key);
    if (number != NULL || PyErr_Occurred()) {
        return Py_XNewRef(number);
    }
    number = new_node(tree, node_type, parent, frame);
    if (number != NULL && set_value(known, key, number) < 0) {
        Py_CLEAR(number);
    }
    return number;
}

/* Number one node. -1 with an exception. */
static int
add_node(const log_node *node, PyObject *found, PyObject *places, PyObject *frame_of, PyObject *known, PyObject *tree,
         PyTypeObject *node_type)
{
    PyObject *frame = frame_of_node(node, frame_of, places); /* borrowed */
    PyObject *parent = frame == NULL ? NULL : value_of(found, node->parent); /* borrowed */
    if (parent == NULL) {
        if (!PyErr_Occurred()) {
            PyErr_SetString(PyExc_ValueError, "a node comes before its caller");
        }
        return -1;
    }
    PyObject *number = number_of_node(parent, frame, known, tree, node_type); /* owned */
    int status = number == NULL ? -1 : set_value(found, node->id, number);
    Py_XDECREF(number);
    return status;
}

PyObject *
nodes_number(const uint8_t *nodes, Py_ssize_t size, PyObject *frame_of, PyObject *known, PyObject *tree,
             PyTypeObject *node_type)
{
    PyObject *found = PyDict_New();  /* owned */
    PyObject *places = PyDict_New(); /* owned */
    PyObject *root = PyLong_FromLong(0); /* owned */
    int status = found == NULL || places == NULL || root == NULL ? -1 : set_value(found, 0, root);
    for (Py_ssize_t at = 0; status == 0 && at + NODE_BYTES <= size; at += NODE_BYTES) {
        log_node node = node_at(nodes + at);
        status = add_node(&node, found, places, frame_of, known, tree, node_type);
    }
    Py_XDECREF(root);
    Py_XDECREF(places);
    if (status < 0) {
        Py_CLEAR(found);
    }
    return found;
}
