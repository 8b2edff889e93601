/* file_tracers/callbacks.c has the type of the callbacks that a tool of sys.monitoring registers. A built-in function
 * would do, but the interpreter makes some forty instructions more of its call, for each line of each frame. Threads:
 * everything needs the GIL. */
#include "engines/file_tracers/callbacks.h"

#include <stddef.h>

#include <structmember.h>

PyObject *
traced_callback_new(traced_frames *frames, vectorcallfunc function)
{
    traced_callback *callback = PyObject_GC_New(traced_callback, frames->state->traced_callback_type);
    if (callback == NULL) {
        return NULL;
    }
    callback->function = function;
    callback->frames = (traced_frames *)Py_NewRef(frames);
    PyObject_GC_Track(callback);
    return (PyObject *)callback;
}

static int
callback_traverse(PyObject *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(((traced_callback *)self)->frames);
    return 0;
}

/* Has no tp_clear: a cycle through `frames` is broken there, and calls need it until the end. */
static void
callback_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    Py_DECREF(((traced_callback *)self)->frames);
    PyObject_GC_Del(self);
    Py_DECREF(type);
}

static PyMemberDef callback_members[] = {
    {"__vectorcalloffset__", T_PYSSIZET, offsetof(traced_callback, function), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot callback_slots[] = {
    {Py_tp_doc, "What a tool of sys.monitoring calls for events of plugins' files; `traced_frames_monitor` makes it."},
    {Py_tp_traverse, callback_traverse},
    {Py_tp_dealloc, callback_dealloc},
    {Py_tp_call, PyVectorcall_Call},
    {Py_tp_members, callback_members},
    {0, NULL},
};

static PyType_Spec callback_spec = {
    .name = "footfall._core.TracedCallback",
    .basicsize = sizeof(traced_callback),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = callback_slots,
};

int
traced_callbacks_exec(PyObject *module)
{
    PyObject *type = PyType_FromModuleAndSpec(module, &callback_spec, NULL); // owned
    get_state(module)->traced_callback_type = (PyTypeObject *)type;
    return type == NULL ? -1 : 0;
}
