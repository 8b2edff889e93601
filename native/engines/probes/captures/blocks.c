/* blocks.c begins and ends blocks of `footfall.capture()`: a block may cost one microsecond, so it is in
 * C. A series (CaptureSeries) has a list of places that its engine appends to; a block (CaptureBlock) is where in that
 * list it began and ended; a gate (CaptureGate) is the context manager, which calls its Python subclass only if there
 * is more to be done. Threads: all under the GIL. */
#include "engines/probes/captures/blocks.h"

#include "engines/probes/captures/captures.h"
#include "engines/probes/probes.h"

#include <structmember.h>

#ifndef Py_T_OBJECT_EX /* before 3.12 */
#define Py_T_OBJECT_EX T_OBJECT_EX
#define Py_T_INT T_INT
#define Py_T_PYSSIZET T_PYSSIZET
#define Py_T_ULONG T_ULONG
#define Py_T_BOOL T_BOOL
#define Py_READONLY READONLY
#endif

typedef struct series_object {
    PyObject_HEAD
    PyObject *places; /* owned list */
    module_state *state; /* borrowed: of the module that created the type, which the type keeps alive */
    int number; /* of its bit in the probes, -1 without probes */
    int n_open;
    char is_simple;
    PyObject *get_tool; /* owned: sys.monitoring.get_tool, NULL if there is no tool; as are the two below */
    PyObject *tool_id; /* owned */
    PyObject *tool_name; /* owned: what get_tool returns while the tool is ours */
} series_object;

typedef struct block_object {
    PyObject_HEAD
    PyObject *series; /* owned: a series_object */
    PyObject *known; /* owned: the gate's */
    Py_ssize_t start;
    Py_ssize_t end; /* -1 while it is open */
    unsigned long thread;
    char is_simple;
} block_object;

typedef struct gate_object {
    PyObject_HEAD
    PyObject *series; /* owned: a series_object */
    PyObject *known; /* owned */
    PyTypeObject *block_type; /* owned: a subclass of CaptureBlock */
    PyObject *open; /* owned list of blocks */
} gate_object;

/* ---- series ---- */

static int
series_init(PyObject *op, PyObject *args, PyObject *named)
{
    static char *names[] = {"places", "number", NULL};
    series_object *self = (series_object *)op;
    PyObject *places; // borrowed
    int number;
    if (!PyArg_ParseTupleAndKeywords(args, named, "O!i:CaptureSeries", names, &PyList_Type, &places, &number)) {
        return -1;
    }
    Py_XSETREF(self->places, Py_NewRef(places));
    self->number = number < MAX_CAPTURES ? number : -1;
    self->state = PyType_GetModuleState(Py_TYPE(op));
    return self->state == NULL ? -1 : 0;
}

static int
series_traverse(PyObject *op, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(op));
    Py_VISIT(((series_object *)op)->places);
    Py_VISIT(((series_object *)op)->get_tool);
    return 0;
}

static int
series_clear(PyObject *op)
{
    series_object *self = (series_object *)op;
    Py_CLEAR(self->places);
    Py_CLEAR(self->get_tool);
    Py_CLEAR(self->tool_id);
    Py_CLEAR(self->tool_name);
    return 0;
}

static void
release(PyObject *op, inquiry clear)
{
    PyTypeObject *type = Py_TYPE(op);
    PyObject_GC_UnTrack(op);
    clear(op);
    type->tp_free(op);
    Py_DECREF(type);
}

static void
series_dealloc(PyObject *op)
{
    release(op, series_clear);
}

PyDoc_STRVAR(series_hold_doc, "hold_tool($self, get_tool, tool_id, /)\n--\n\n"
                              "Let blocks be simple only while `get_tool(tool_id)` gives the very object that it does now.");

static PyObject *
series_hold(PyObject *op, PyObject *args)
{
    series_object *self = (series_object *)op;
    PyObject *get_tool, *tool_id; // borrowed
    if (!PyArg_ParseTuple(args, "OO:hold_tool", &get_tool, &tool_id)) {
        return NULL;
    }
    PyObject *name = PyObject_CallOneArg(get_tool, tool_id); // owned
    if (name == NULL) {
        return NULL;
    }
    Py_XSETREF(self->get_tool, Py_NewRef(get_tool));
    Py_XSETREF(self->tool_id, Py_NewRef(tool_id));
    Py_XSETREF(self->tool_name, name);
    Py_RETURN_NONE;
}

/* Return whether only the list of places matters to a block. 1 or 0, -1 with an exception. */
static int
series_is_simple(series_object *self)
{
    if (!self->is_simple || self->get_tool == NULL) {
        return self->is_simple;
    }
    PyObject *name = PyObject_CallOneArg(self->get_tool, self->tool_id); // owned
    if (name == NULL) {
        return -1;
    }
    int is_ours = name == self->tool_name;
    Py_DECREF(name);
    return is_ours;
}

static PyMethodDef series_methods[] = {
    {"hold_tool", series_hold, METH_VARARGS, series_hold_doc},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef series_members[] = {
    {"places", Py_T_OBJECT_EX, offsetof(series_object, places), Py_READONLY, "What the blocks reach, in order."},
    {"n_open", Py_T_INT, offsetof(series_object, n_open), Py_READONLY, "How many blocks are open."},
    {"number", Py_T_INT, offsetof(series_object, number), 0, "Of its bit among those of probes, -1 without probes."},
    {"is_simple", Py_T_BOOL, offsetof(series_object, is_simple), 0, "Blocks need nothing but a look at `places`."},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot series_slots[] = {
    {Py_tp_doc, "CaptureSeries(places, number)\n--\n\n"
                "What the blocks of a series share. `number` is that of captures_begin, -1 without probes."},
    {Py_tp_init, series_init},
    {Py_tp_new, PyType_GenericNew},
    {Py_tp_traverse, series_traverse},
    {Py_tp_clear, series_clear},
    {Py_tp_dealloc, series_dealloc},
    {Py_tp_members, series_members},
    {Py_tp_methods, series_methods},
    {0, NULL},
};

static PyType_Spec series_spec = {
    .name = "footfall._core.CaptureSeries",
    .basicsize = sizeof(series_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .slots = series_slots,
};

/* Count open blocks, and tell probes whether there are any. */
static void
series_count(series_object *series, int change)
{
    series->n_open += change;
    captures *probes = series->number < 0 ? NULL : probes_captures(series->state);
    if (probes == NULL) {
        return;
    }
    uint32_t bit = (uint32_t)1 << series->number;
    probes->open = series->n_open > 0 ? probes->open | bit : probes->open & ~bit;
}

static Py_ssize_t
count_places(PyObject *series)
{
    PyObject *places = ((series_object *)series)->places;
    return places == NULL ? 0 : PyList_GET_SIZE(places);
}

/* ---- blocks ---- */

static int
block_traverse(PyObject *op, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(op));
    Py_VISIT(((block_object *)op)->series);
    Py_VISIT(((block_object *)op)->known);
    return 0;
}

static int
block_clear(PyObject *op)
{
    Py_CLEAR(((block_object *)op)->series);
    Py_CLEAR(((block_object *)op)->known);
    return 0;
}

static void
block_dealloc(PyObject *op)
{
    release(op, block_clear);
}

static int
block_bool(PyObject *op)
{
    block_object *self = (block_object *)op;
    if (self->series == NULL) {
        return 0;
    }
    Py_ssize_t end = self->end < 0 ? count_places(self->series) : self->end;
    if (end == self->start) {
        return 0;
    }
    PyObject *answer = PyObject_CallMethod(op, "_has_found", NULL); // owned
    int is_true = answer == NULL ? -1 : PyObject_IsTrue(answer);
    Py_XDECREF(answer);
    return is_true;
}

static PyMemberDef block_members[] = {
    {"_series", Py_T_OBJECT_EX, offsetof(block_object, series), Py_READONLY, NULL},
    {"_known", Py_T_OBJECT_EX, offsetof(block_object, known), Py_READONLY, NULL},
    {"_start", Py_T_PYSSIZET, offsetof(block_object, start), Py_READONLY, NULL},
    {"_end", Py_T_PYSSIZET, offsetof(block_object, end), Py_READONLY, NULL},
    {"_thread", Py_T_ULONG, offsetof(block_object, thread), Py_READONLY, NULL},
    {"_is_simple", Py_T_BOOL, offsetof(block_object, is_simple), Py_READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot block_slots[] = {
    {Py_tp_doc, "Where in its series' places a block began and ended."},
    {Py_tp_new, PyType_GenericNew},
    {Py_tp_traverse, block_traverse},
    {Py_tp_clear, block_clear},
    {Py_tp_dealloc, block_dealloc},
    {Py_tp_members, block_members},
    {Py_nb_bool, block_bool},
    {0, NULL},
};

static PyType_Spec block_spec = {
    .name = "footfall._core.CaptureBlock",
    .basicsize = sizeof(block_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE,
    .slots = block_slots,
};

/* ---- gates ---- */

/* Return whether it is a fully initialized series. */
static int
is_series(PyObject *op)
{
    return Py_TYPE(op)->tp_dealloc == series_dealloc && ((series_object *)op)->state != NULL;
}

static int
makes_blocks(PyTypeObject *type)
{
    while (type != NULL && type->tp_dealloc != block_dealloc) {
        type = type->tp_base;
    }
    return type != NULL;
}

static int
gate_init(PyObject *op, PyObject *args, PyObject *named)
{
    static char *names[] = {"series", "known", "block_type", NULL};
    gate_object *self = (gate_object *)op;
    PyObject *series, *known, *block_type; // borrowed
    if (!PyArg_ParseTupleAndKeywords(args, named, "OOO!:CaptureGate", names, &series, &known, &PyType_Type,
                                     &block_type)) {
        return -1;
    }
    if (!is_series(series) || !makes_blocks((PyTypeObject *)block_type)) {
        PyErr_SetString(PyExc_TypeError, "CaptureGate() needs a CaptureSeries and a type of CaptureBlock");
        return -1;
    }
    PyObject *open = PyList_New(0); // owned
    if (open == NULL) {
        return -1;
    }
    Py_XSETREF(self->series, Py_NewRef(series));
    Py_XSETREF(self->known, Py_NewRef(known));
    Py_XSETREF(self->block_type, (PyTypeObject *)Py_NewRef(block_type));
    Py_XSETREF(self->open, open);
    return 0;
}

static int
gate_traverse(PyObject *op, visitproc visit, void *arg)
{
    gate_object *self = (gate_object *)op;
    Py_VISIT(Py_TYPE(op));
    Py_VISIT(self->series);
    Py_VISIT(self->known);
    Py_VISIT(self->block_type);
    Py_VISIT(self->open);
    return 0;
}

static int
gate_clear(PyObject *op)
{
    gate_object *self = (gate_object *)op;
    Py_CLEAR(self->series);
    Py_CLEAR(self->known);
    Py_CLEAR(self->block_type);
    Py_CLEAR(self->open);
    return 0;
}

static void
gate_dealloc(PyObject *op)
{
    release(op, gate_clear);
}

/* Begin a block. Owned, or NULL with an exception. */
static PyObject *
begin_block(gate_object *self, int is_simple)
{
    if (self->open == NULL) {
        PyErr_SetString(PyExc_RuntimeError, "the gate was not made completely");
        return NULL;
    }
    block_object *block = (block_object *)self->block_type->tp_alloc(self->block_type, 0); // owned
    if (block == NULL) {
        return NULL;
    }
    block->series = Py_NewRef(self->series);
    block->known = Py_NewRef(self->known);
    block->start = count_places(self->series);
    block->end = -1;
    block->thread = PyThread_get_thread_ident();
    block->is_simple = (char)is_simple;
    if (PyList_Append(self->open, (PyObject *)block) < 0) {
        Py_DECREF(block);
        return NULL;
    }
    series_count((series_object *)self->series, 1);
    return (PyObject *)block;
}

PyDoc_STRVAR(gate_enter_doc, "__enter__($self, /)\n--\n\n");

static PyObject *
gate_enter(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    gate_object *self = (gate_object *)op;
    int is_simple = self->open == NULL ? 1 : series_is_simple((series_object *)self->series);
    if (is_simple < 0) {
        return NULL;
    }
    return is_simple ? begin_block(self, 1) : PyObject_CallMethod(op, "_enter", NULL);
}

PyDoc_STRVAR(gate_begin_doc, "_begin($self, /)\n--\n\n"
                             "Begin a block at whose end `_exit` is called with it.");

static PyObject *
gate_begin(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    return begin_block((gate_object *)op, 0);
}

/* The index of the block that ends: the last one that this thread has opened, else the first. */
static Py_ssize_t
find_last_block(PyObject *open)
{
    unsigned long thread = PyThread_get_thread_ident();
    Py_ssize_t at = PyList_GET_SIZE(open) - 1;
    while (at > 0 && ((block_object *)PyList_GET_ITEM(open, at))->thread != thread) {
        at--;
    }
    return at;
}

PyDoc_STRVAR(gate_exit_doc, "__exit__($self, kind, error, traceback, /)\n--\n\n");

static PyObject *
gate_exit(PyObject *op, PyObject *const *Py_UNUSED(args), Py_ssize_t Py_UNUSED(n_args))
{
    gate_object *self = (gate_object *)op;
    Py_ssize_t at = self->open == NULL ? -1 : find_last_block(self->open);
    if (at < 0) {
        PyErr_SetString(PyExc_RuntimeError, "no block is open");
        return NULL;
    }
    block_object *block = (block_object *)Py_NewRef(PyList_GET_ITEM(self->open, at)); // owned
    if (PyList_SetSlice(self->open, at, at + 1, NULL) < 0) {
        Py_DECREF(block);
        return NULL;
    }
    block->end = count_places(self->series);
    series_count((series_object *)self->series, -1);
    PyObject *result = Py_None; // borrowed
    if (!block->is_simple) {
        result = PyObject_CallMethod(op, "_exit", "O", (PyObject *)block); // owned
        Py_XDECREF(result);
    }
    Py_DECREF(block);
    return result == NULL ? NULL : Py_NewRef(Py_None);
}

static PyMethodDef gate_methods[] = {
    {"__enter__", gate_enter, METH_NOARGS, gate_enter_doc},
    {"__exit__", (PyCFunction)(void (*)(void))gate_exit, METH_FASTCALL, gate_exit_doc},
    {"_begin", gate_begin, METH_NOARGS, gate_begin_doc},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef gate_members[] = {
    {"_series", Py_T_OBJECT_EX, offsetof(gate_object, series), Py_READONLY, NULL},
    {"_known", Py_T_OBJECT_EX, offsetof(gate_object, known), Py_READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot gate_slots[] = {
    {Py_tp_doc, "CaptureGate(series, known, block_type)\n--\n\n"
                "Begins and ends blocks. Where its series is not simple it calls `_enter()`, which calls `_begin()`."},
    {Py_tp_init, gate_init},
    {Py_tp_new, PyType_GenericNew},
    {Py_tp_traverse, gate_traverse},
    {Py_tp_clear, gate_clear},
    {Py_tp_dealloc, gate_dealloc},
    {Py_tp_methods, gate_methods},
    {Py_tp_members, gate_members},
    {0, NULL},
};

static PyType_Spec gate_spec = {
    .name = "footfall._core.CaptureGate",
    .basicsize = sizeof(gate_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE,
    .slots = gate_slots,
};

int
blocks_exec(PyObject *module)
{
    PyType_Spec *specs[] = {&series_spec, &block_spec, &gate_spec};
    for (size_t i = 0; i < sizeof specs / sizeof specs[0]; i++) {
        PyObject *type = PyType_FromModuleAndSpec(module, specs[i], NULL); // owned
        if (type == NULL || PyModule_AddType(module, (PyTypeObject *)type) < 0) {
            Py_XDECREF(type);
            return -1;
        }
        Py_DECREF(type);
    }
    return 0;
}
