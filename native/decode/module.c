/* module.c defines footfall._decode, which decodes the records of CPython 3.14 and later for analyze/bytecode/arcs.py.
 * The measured process never loads it. */
#include "compat/versions.h"
#include "decode/arcs.h"
#include "decode/jumps.h"
#include "decode/nodes.h"
#include "decode/positions.h"

typedef struct graph_object {
    PyObject_HEAD
    code_graph graph;
} graph_object;

static PyObject *
graph_new(PyTypeObject *type, PyObject *arguments, PyObject *keywords)
{
    static char *names[] = {"code", "line_table", "exception_table", "first_line", "branches", "ops", NULL};
    code_tables tables;
    long long first_line;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "y*y*y*LOO:CodeGraph", names, &tables.code,
                                     &tables.line_table, &tables.exception_table, &first_line, &tables.branches,
                                     &tables.ops)) {
        return NULL;
    }
    tables.first_line = (int32_t)first_line;
    graph_object *self = NULL;
    if (first_line <= INT32_MIN || first_line > INT32_MAX) {
        PyErr_SetString(PyExc_ValueError, "the first line is out of range");
    }
    else {
        self = (graph_object *)type->tp_alloc(type, 0);
    }
    if (self != NULL && graph_build(&self->graph, &tables) < 0) {
        Py_CLEAR(self);
    }
    PyBuffer_Release(&tables.code);
    PyBuffer_Release(&tables.line_table);
    PyBuffer_Release(&tables.exception_table);
    return (PyObject *)self;
}

static void
graph_dealloc(PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);
    graph_clear(&((graph_object *)object)->graph);
    type->tp_free(object);
    Py_DECREF(type);
}

PyDoc_STRVAR(graph_arcs_doc,
"arcs(events, has_exits, is_partial)\n--\n\n"
"Return (lines, arcs), two new sets; see analyze/bytecode/arcs.py. `events` has a byte of EVENT_ flags for each unit.\n"
"Raises ValueError when there are not as many of them as the code needs.");

static PyObject *
graph_arcs(PyObject *object, PyObject *arguments)
{
    Py_buffer events;
    int has_exits, is_partial;
    if (!PyArg_ParseTuple(arguments, "y*pp:arcs", &events, &has_exits, &is_partial)) {
        return NULL;
    }
    PyObject *found = arcs_of_events(&((graph_object *)object)->graph, events.buf, events.len, has_exits, is_partial);
    PyBuffer_Release(&events);
    return found;
}

static PyMethodDef graph_methods[] = {
    {"arcs", graph_arcs, METH_VARARGS, graph_arcs_doc},
    {NULL, NULL, 0, NULL},
};

PyDoc_STRVAR(graph_doc,
"CodeGraph(code, line_table, exception_table, first_line, branches, ops)\n--\n\n"
"One code object's bytecode as a graph of instructions. `branches` is a tuple of (source, left, right) in bytes, `ops`\n"
"an analyze.opcodes.Opcodes. Raises ValueError when the tables do not fit together.");

static PyType_Slot graph_slots[] = {
    {Py_tp_new, graph_new},
    {Py_tp_dealloc, graph_dealloc},
    {Py_tp_methods, graph_methods},
    {Py_tp_doc, (void *)graph_doc},
    {0, NULL},
};

static PyType_Spec graph_spec = {
    .name = "footfall._decode.CodeGraph",
    .basicsize = sizeof(graph_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = graph_slots,
};

/* Answer a call with a code object's bytecode and the opcodes as arguments. */
static PyObject *
answer_of_code(PyObject *arguments, PyObject *(*work)(const uint8_t *code, Py_ssize_t n_bytes, PyObject *ops))
{
    Py_buffer code;
    PyObject *ops;
    if (!PyArg_ParseTuple(arguments, "y*O", &code, &ops)) {
        return NULL;
    }
    PyObject *found = work(code.buf, code.len, ops);
    PyBuffer_Release(&code);
    return found;
}

PyDoc_STRVAR(find_branches_doc,
"find_branches(code, ops)\n--\n\n"
"Return (source, left, right) byte offsets in order of their source; see analyze/bytecode/branches.py.");

static PyObject *
find_branches(PyObject *Py_UNUSED(module), PyObject *arguments)
{
    return answer_of_code(arguments, branches_of_code);
}

PyDoc_STRVAR(steering_doc,
"steering_instructions(code, ops)\n--\n\n"
"Return (unit, argument) of each instruction that steers; see analyze/bytecode/instructions.py.");

static PyObject *
steering_instructions(PyObject *Py_UNUSED(module), PyObject *arguments)
{
    return answer_of_code(arguments, steering_of_code);
}

PyDoc_STRVAR(positions_doc,
"positions(linetable, first_line)\n--\n\n"
"Return (line, end line, column, end column) of each code unit; see analyze/bytecode/linetable.py.");

static PyObject *
positions(PyObject *Py_UNUSED(module), PyObject *arguments)
{
    Py_buffer table;
    long long first_line;
    if (!PyArg_ParseTuple(arguments, "y*L:positions", &table, &first_line)) {
        return NULL;
    }
    PyObject *found = positions_of_table(table.buf, table.len, first_line);
    PyBuffer_Release(&table);
    return found;
}

PyDoc_STRVAR(position_doc,
"position(linetable, first_line, unit)\n--\n\n"
"Return what `positions` has for one code unit; None past its end.");

static PyObject *
position(PyObject *Py_UNUSED(module), PyObject *arguments)
{
    Py_buffer table;
    long long first_line;
    Py_ssize_t unit;
    if (!PyArg_ParseTuple(arguments, "y*Ln:position", &table, &first_line, &unit)) {
        return NULL;
    }
    PyObject *found = unit >= 0 ? position_in_table(table.buf, table.len, first_line, unit) : Py_NewRef(Py_None);
    PyBuffer_Release(&table);
    return found;
}

PyDoc_STRVAR(condition_jumps_doc,
"condition_jumps(code, line_table, first_line, ops, test)\n--\n\n"
"Return the places of a code object's conditional jumps as text, and (unit, opcode) of each; see\n"
"analyze/conditions/branch_outcomes.py.");

static PyObject *
condition_jumps(PyObject *Py_UNUSED(module), PyObject *arguments)
{
    Py_buffer code, table;
    long long first_line;
    PyObject *ops, *test;
    if (!PyArg_ParseTuple(arguments, "y*y*LOO:condition_jumps", &code, &table, &first_line, &ops, &test)) {
        return NULL;
    }
    PyObject *found = jumps_of_code(code.buf, code.len, table.buf, table.len, first_line, ops, test);
    PyBuffer_Release(&code);
    PyBuffer_Release(&table);
    return found;
}

/* Make room at the end of a bytearray and copy nodes there. -1 without memory. */
static int
append_nodes(PyObject *nodes, const Py_buffer *log, Py_ssize_t at, Py_ssize_t n_bytes)
{
    Py_ssize_t before = PyByteArray_GET_SIZE(nodes);
    if (PyByteArray_Resize(nodes, before + n_bytes) < 0) {
        return -1;
    }
    Py_ssize_t copied = nodes_copy(log->buf, at, n_bytes, (uint8_t *)PyByteArray_AS_STRING(nodes) + before);
    return PyByteArray_Resize(nodes, before + copied);
}

PyDoc_STRVAR(take_nodes_doc,
"take_nodes(log, at, nodes)\n--\n\n"
"Add the NODE entries that begin at `at` and follow one another to `nodes`, a bytearray or None; return where they\n"
"end. See record/run/node_table.py.");

static PyObject *
take_nodes(PyObject *Py_UNUSED(module), PyObject *arguments)
{
    Py_buffer log;
    Py_ssize_t at;
    PyObject *nodes;
    if (!PyArg_ParseTuple(arguments, "y*nO:take_nodes", &log, &at, &nodes)) {
        return NULL;
    }
    PyObject *end = NULL;
    if (at < 0 || (nodes != Py_None && !PyByteArray_Check(nodes))) {
        PyErr_SetString(PyExc_TypeError, "take_nodes() takes a place and a bytearray or None");
    }
    else {
        Py_ssize_t n_bytes = nodes_bytes(log.buf, log.len, at);
        if (nodes == Py_None || append_nodes(nodes, &log, at, n_bytes) == 0) {
            end = PyLong_FromSsize_t(at + n_bytes);
        }
    }
    PyBuffer_Release(&log);
    return end;
}

PyDoc_STRVAR(are_nodes_whole_doc,
"are_nodes_whole(nodes, n_codes)\n--\n\n"
"Return whether ids count from 1, callers come before what they call, and codes are from 1 to n_codes.");

static PyObject *
are_nodes_whole(PyObject *Py_UNUSED(module), PyObject *arguments)
{
    Py_buffer nodes;
    unsigned int n_codes;
    if (!PyArg_ParseTuple(arguments, "y*I:are_nodes_whole", &nodes, &n_codes)) {
        return NULL;
    }
    int is_whole = nodes_are_whole(nodes.buf, nodes.len, n_codes);
    PyBuffer_Release(&nodes);
    return PyBool_FromLong(is_whole);
}

PyDoc_STRVAR(number_nodes_doc,
"number_nodes(nodes, frame_of, known, tree, node_type)\n--\n\n"
"Return the numbers of nodes in a tree, by id; new nodes are added to `known` and `tree`. See\n"
"analyze/profile/calltree.py. Raises ValueError for a node that comes before its caller.");

static PyObject *
number_nodes(PyObject *Py_UNUSED(module), PyObject *arguments)
{
    Py_buffer nodes;
    PyObject *frame_of, *known, *tree, *node_type;
    if (!PyArg_ParseTuple(arguments, "y*OO!O!O!:number_nodes", &nodes, &frame_of, &PyDict_Type, &known, &PyList_Type,
                          &tree, &PyType_Type, &node_type)) {
        return NULL;
    }
    PyObject *found = NULL;
    if (PyType_IsSubtype((PyTypeObject *)node_type, &PyTuple_Type)) {
        found = nodes_number(nodes.buf, nodes.len, frame_of, known, tree, (PyTypeObject *)node_type);
    }
    else {
        PyErr_SetString(PyExc_TypeError, "nodes are a kind of tuple");
    }
    PyBuffer_Release(&nodes);
    return found;
}

static PyMethodDef module_methods[] = {
    {"condition_jumps", condition_jumps, METH_VARARGS, condition_jumps_doc},
    {"take_nodes", take_nodes, METH_VARARGS, take_nodes_doc},
    {"are_nodes_whole", are_nodes_whole, METH_VARARGS, are_nodes_whole_doc},
    {"number_nodes", number_nodes, METH_VARARGS, number_nodes_doc},
    {"positions", positions, METH_VARARGS, positions_doc},
    {"position", position, METH_VARARGS, position_doc},
    {"steering_instructions", steering_instructions, METH_VARARGS, steering_doc},
    {"find_branches", find_branches, METH_VARARGS, find_branches_doc},
    {NULL, NULL, 0, NULL},
};

static int
decode_exec(PyObject *module)
{
    PyObject *type = PyType_FromModuleAndSpec(module, &graph_spec, NULL);
    if (type == NULL) {
        return -1;
    }
    int status = PyModule_AddType(module, (PyTypeObject *)type);
    Py_DECREF(type);
    return status;
}

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, decode_exec},
#if HAS_INTERPRETER_GILS
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#endif
    {0, NULL},
};

static struct PyModuleDef decode_module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "footfall._decode",
    .m_doc = "Raw events of the monitoring engine to lines and arcs.",
    .m_size = 0,
    .m_methods = module_methods,
    .m_slots = module_slots,
};

PyMODINIT_FUNC
PyInit__decode(void)
{
    return PyModuleDef_Init(&decode_module);
}
