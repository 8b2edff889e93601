/* core/program_starts.c makes wrappers of the functions that start programs or threads or change the environment, and
 * of those that load code: each lets one Python function change the arguments or the result, and another see that the
 * call succeeded. What these do is up to them (observe/children.py, observe/engines/import_hooks.py); their failures
 * never reach the program. Tracebacks show no frame of ours. The wrapper of a built-in function is a built-in function.
 * If another tool has put something else in its place, the wrapper is an object that passes everything but calls on to
 * it. Threads: all under the GIL. */
#include "core/program_starts.h"
#include "core/unseen.h"

/* Attributes of the module object that is the wrapper's __self__. */
#define KEY_PLAIN "plain"
#define KEY_CHANGE "change"
#define KEY_AFTER "after"

/* Call a function of ours: a new reference, or NULL. An Exception is ours and is dropped; others (KeyboardInterrupt)
 * come from the program's signal handlers, and stay set. */
static PyObject *
call_ours(PyObject *function, PyObject *first, PyObject *second)
{
    PyObject *arguments[] = {first, second};
    PyObject *result = call_unseen(function, arguments, second == NULL ? 1 : 2); // owned
    if (result == NULL && PyErr_ExceptionMatches(PyExc_Exception)) {
        PyErr_Clear();
    }
    return result;
}

/* Call `change(args, kwargs)`: a new reference to its answer, or NULL for none, with an exception only if it is the
 * program's. */
static PyObject *
ask_change(PyObject *change, PyObject *args, PyObject *kwargs)
{
    if (change == NULL || change == Py_None) {
        return NULL;
    }
    PyObject *named = kwargs == NULL ? PyDict_New() : Py_NewRef(kwargs); // owned
    if (named == NULL) {
        PyErr_Clear();
        return NULL;
    }
    PyObject *answer = call_ours(change, args, named); // owned
    Py_DECREF(named);
    if (answer == Py_None) {
        Py_CLEAR(answer); /* also for arguments that it does not understand: rejecting them is up to the original */
    }
    return answer;
}

static int
is_pair_of_arguments(PyObject *answer)
{
    return PyTuple_Check(answer) && PyTuple_GET_SIZE(answer) == 2 && PyTuple_Check(PyTuple_GET_ITEM(answer, 0))
           && PyDict_Check(PyTuple_GET_ITEM(answer, 1));
}

static int
is_result(PyObject *answer)
{
    return PyTuple_Check(answer) && PyTuple_GET_SIZE(answer) == 1;
}

/* Pass `finish` the result, of which it takes the reference, or None if an exception is set, which stays set. Returns
 * what it makes of the result. It may run code of the program, so that nothing is hidden from the trace functions. */
static PyObject *
finish_call(PyObject *finish, PyObject *result)
{
    PyObject *type = NULL; // owned
    PyObject *value = NULL; // owned
    PyObject *trace = NULL; // owned
    PyErr_Fetch(&type, &value, &trace);
    PyObject *changed = PyObject_CallOneArg(finish, result == NULL ? Py_None : result); // owned
    if (result == NULL) {
        PyErr_Restore(type, value, trace); /* replacing one from there */
        Py_XDECREF(changed);
        return NULL;
    }
    if (changed == NULL && PyErr_ExceptionMatches(PyExc_Exception)) {
        PyErr_Clear(); /* ours */
        return result;
    }
    Py_DECREF(result);
    return changed;
}

/* Call `plain` with the arguments as `change` returns them, then `after`. All are borrowed, the last two may be
 * NULL. */
static PyObject *
call_changed(PyObject *plain, PyObject *change, PyObject *after, PyObject *args, PyObject *kwargs)
{
    if (plain == NULL) {
        PyErr_SetString(PyExc_RuntimeError, "the interpreter is being torn down");
        return NULL;
    }
    Py_INCREF(plain);
    Py_XINCREF(after);
    PyObject *result = NULL; // owned
    PyObject *answer = ask_change(change, args, kwargs); // owned
    if (answer == NULL && PyErr_Occurred()) {
        goto done; /* as if it had been raised just before the call */
    }
    if (answer != NULL && is_result(answer)) {
        result = Py_NewRef(PyTuple_GET_ITEM(answer, 0));
    }
    else if (answer != NULL && is_pair_of_arguments(answer)) {
        result = PyObject_Call(plain, PyTuple_GET_ITEM(answer, 0), PyTuple_GET_ITEM(answer, 1));
    }
    else {
        result = PyObject_Call(plain, args, kwargs);
        if (answer != NULL && PyCallable_Check(answer)) {
            result = finish_call(answer, result);
        }
    }
    if (result != NULL && after != NULL && after != Py_None) {
        PyObject *nothing = call_ours(after, args, NULL); // owned
        Py_XDECREF(nothing);
        if (nothing == NULL && PyErr_Occurred()) {
            Py_CLEAR(result); /* as if it had been raised just after the call */
        }
    }
done:
    Py_XDECREF(answer);
    Py_DECREF(plain);
    Py_XDECREF(after);
    return result;
}

static PyObject *
call_look_alike(PyObject *self, PyObject *args, PyObject *kwargs)
{
    PyObject *dict = PyModule_GetDict(self); // borrowed
    return call_changed(PyDict_GetItemString(dict, KEY_PLAIN), PyDict_GetItemString(dict, KEY_CHANGE),
                        PyDict_GetItemString(dict, KEY_AFTER), args, kwargs);
}

/* The wrapper of anything but a built-in function. */
typedef struct stand_in {
    PyObject_HEAD
    PyObject *plain; /* owned; NULL after it was cleared */
    PyObject *change; /* owned */
    PyObject *after; /* owned */
    PyObject *runner; /* owned: called instead of `plain` and the two above, or NULL */
} stand_in;

static PyObject *
stand_in_call(PyObject *self, PyObject *args, PyObject *kwargs)
{
    stand_in *ours = (stand_in *)self;
    if (ours->runner != NULL) {
        PyObject *runner = Py_NewRef(ours->runner); // owned
        PyObject *result = PyObject_Call(runner, args, kwargs);
        Py_DECREF(runner);
        return result;
    }
    return call_changed(ours->plain, ours->change, ours->after, args, kwargs);
}

static PyObject *
stand_in_get_attribute(PyObject *self, PyObject *name)
{
    PyObject *plain = ((stand_in *)self)->plain; // borrowed
    return plain == NULL ? PyObject_GenericGetAttr(self, name) : PyObject_GetAttr(plain, name);
}

static int
stand_in_set_attribute(PyObject *self, PyObject *name, PyObject *value)
{
    PyObject *plain = ((stand_in *)self)->plain; // borrowed
    return plain == NULL ? PyObject_GenericSetAttr(self, name, value) : PyObject_SetAttr(plain, name, value);
}

static PyObject *
stand_in_repr(PyObject *self)
{
    return PyObject_Repr(((stand_in *)self)->plain);
}

/* A function that is an attribute of a class becomes a method there. */
static PyObject *
stand_in_get(PyObject *self, PyObject *object, PyObject *Py_UNUSED(type))
{
    PyObject *plain = ((stand_in *)self)->plain; // borrowed
    if (plain == NULL || !PyFunction_Check(plain) || object == NULL || object == Py_None) {
        return Py_NewRef(self);
    }
    return PyMethod_New(self, object);
}

static int
stand_in_traverse(PyObject *self, visitproc visit, void *arg)
{
    stand_in *ours = (stand_in *)self;
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(ours->plain);
    Py_VISIT(ours->change);
    Py_VISIT(ours->after);
    Py_VISIT(ours->runner);
    return 0;
}

static int
stand_in_clear(PyObject *self)
{
    stand_in *ours = (stand_in *)self;
    Py_CLEAR(ours->plain);
    Py_CLEAR(ours->change);
    Py_CLEAR(ours->after);
    Py_CLEAR(ours->runner);
    return 0;
}

static void
stand_in_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self); // owned by the object
    PyObject_GC_UnTrack(self);
    (void)stand_in_clear(self);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyType_Slot stand_in_slots[] = {
    {Py_tp_call, stand_in_call},   {Py_tp_getattro, stand_in_get_attribute}, {Py_tp_setattro, stand_in_set_attribute},
    {Py_tp_repr, stand_in_repr},   {Py_tp_descr_get, stand_in_get},          {Py_tp_traverse, stand_in_traverse},
    {Py_tp_clear, stand_in_clear}, {Py_tp_dealloc, stand_in_dealloc},        {0, NULL},
};

static PyType_Spec stand_in_spec = {
    .name = "footfall._core.StandIn",
    .basicsize = sizeof(stand_in),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = stand_in_slots,
};

static PyObject *
new_stand_in(PyTypeObject *type, PyObject *plain, PyObject *change, PyObject *after)
{
    stand_in *ours = (stand_in *)type->tp_alloc(type, 0); // owned
    if (ours != NULL) {
        ours->plain = Py_NewRef(plain);
        ours->change = Py_XNewRef(change);
        ours->after = Py_XNewRef(after);
    }
    return (PyObject *)ours;
}

PyObject *
program_starts_dress(module_state *state, PyObject *runner, PyObject *plain)
{
    PyObject *dressed = new_stand_in(state->stand_in_type, plain, NULL, NULL); // owned
    if (dressed != NULL) {
        ((stand_in *)dressed)->runner = Py_NewRef(runner);
    }
    return dressed;
}

/* Return the wrapper of a built-in function of the module `name`. */
static PyObject *
new_function(PyObject *name, PyObject *plain, PyObject *change, PyObject *after)
{
    PyObject *self = PyModule_NewObject(name); // owned: with a module as __self__, __qualname__ is the name
    PyObject *look_alike = NULL; // owned
    if (self == NULL || PyObject_SetAttrString(self, KEY_PLAIN, plain) < 0
        || PyObject_SetAttrString(self, KEY_CHANGE, change) < 0 || PyObject_SetAttrString(self, KEY_AFTER, after) < 0) {
        goto done;
    }
    /* Never freed: the interpreter keeps a pointer to it in an object that the program may keep forever. */
    PyMethodDef *def = PyMem_RawCalloc(1, sizeof *def);
    if (def == NULL) {
        PyErr_NoMemory();
        goto done;
    }
    *def = *((PyCFunctionObject *)plain)->m_ml; /* copies its name and signature */
    def->ml_meth = (PyCFunction)(void (*)(void))call_look_alike;
    def->ml_flags = METH_VARARGS | METH_KEYWORDS;
    look_alike = PyCFunction_NewEx(def, self, name);
done:
    Py_XDECREF(self);
    return look_alike;
}

PyDoc_STRVAR(children_wrap_doc,
             "children_wrap($module, plain, change, after, /)\n--\n\n"
             "Return a look-alike of a function, or of anything else that can be called.\n\n"
             "`change(args, kwargs)` gives such a pair to call it with instead, or None; or (result,) in place of a\n"
             "call; or `finish`, where `finish(result)` gives the result, and is called with None when it raised.\n"
             "`after(args)` is called when it has returned. Either may be None. Raises TypeError when `plain` can't\n"
             "be called.");

static PyObject *
children_wrap(PyObject *module, PyObject *args)
{
    PyObject *plain; // borrowed
    PyObject *change; // borrowed
    PyObject *after; // borrowed
    if (!PyArg_ParseTuple(args, "OOO:children_wrap", &plain, &change, &after)) {
        return NULL;
    }
    if (!PyCallable_Check(plain)) {
        PyErr_Format(PyExc_TypeError, "can't be called: %R", plain);
        return NULL;
    }
    if (PyCFunction_Check(plain)) {
        PyObject *name = PyObject_GetAttrString(plain, "__module__"); // owned
        if (name == NULL) {
            return NULL;
        }
        PyObject *look_alike = PyUnicode_Check(name) ? new_function(name, plain, change, after) : NULL; // owned
        int is_of_module = PyUnicode_Check(name);
        Py_DECREF(name);
        if (is_of_module) {
            return look_alike;
        }
    }
    return new_stand_in(get_state(module)->stand_in_type, plain, change, after);
}

static PyMethodDef children_methods[] = {
    {"children_wrap", children_wrap, METH_VARARGS, children_wrap_doc},
    {NULL, NULL, 0, NULL},
};

int
children_exec(PyObject *module)
{
    PyObject *type = PyType_FromModuleAndSpec(module, &stand_in_spec, NULL); // owned
    if (type == NULL) {
        return -1;
    }
    get_state(module)->stand_in_type = (PyTypeObject *)type;
    return PyModule_AddFunctions(module, children_methods);
}

int
children_traverse(module_state *state, visitproc visit, void *arg)
{
    Py_VISIT(state->stand_in_type);
    return 0;
}

void
children_clear(module_state *state)
{
    Py_CLEAR(state->stand_in_type);
}
