/* children.c makes look-alikes of the built-in functions that start programs or change the environment: each lets a
 * Python function change the arguments, and another see that the call went well. What those do is their own matter
 * (observe/children.py); their failure is never the program's. No frame of ours shows in a traceback.
 * Threads: all under the GIL. */
#include "core/state.h"

/* Attributes of the module object that stands as the look-alike's __self__. */
#define KEY_PLAIN "plain"
#define KEY_CHANGE "change"
#define KEY_AFTER "after"

/* Ask `change(args, kwargs)`: a new reference to a pair of them, or NULL without an exception for no change. */
static PyObject *
changed_arguments(PyObject *change, PyObject *args, PyObject *kwargs)
{
    if (change == NULL || change == Py_None) {
        return NULL;
    }
    PyObject *named = kwargs == NULL ? PyDict_New() : Py_NewRef(kwargs); // owned
    PyThreadState *thread = PyThreadState_Get();
    PyThreadState_EnterTracing(thread); /* the program's trace function need not see ours */
    PyObject *pair =
        named == NULL ? NULL : PyObject_CallFunctionObjArgs(change, args, named, NULL); // owned
    PyThreadState_LeaveTracing(thread);
    Py_XDECREF(named);
    if (pair == NULL) {
        PyErr_Clear(); /* arguments that it does not understand are the original's to refuse */
        return NULL;
    }
    if (!PyTuple_Check(pair) || PyTuple_GET_SIZE(pair) != 2 || !PyTuple_Check(PyTuple_GET_ITEM(pair, 0)) ||
        !PyDict_Check(PyTuple_GET_ITEM(pair, 1))) {
        Py_CLEAR(pair);
    }
    return pair;
}

static PyObject *
call_look_alike(PyObject *self, PyObject *args, PyObject *kwargs)
{
    PyObject *dict = PyModule_GetDict(self);                      // borrowed
    PyObject *plain = PyDict_GetItemString(dict, KEY_PLAIN);      // borrowed
    PyObject *change = PyDict_GetItemString(dict, KEY_CHANGE);    // borrowed
    PyObject *after = PyDict_GetItemString(dict, KEY_AFTER);      // borrowed
    if (plain == NULL) {
        PyErr_SetString(PyExc_RuntimeError, "the interpreter is being torn down");
        return NULL;
    }
    Py_INCREF(plain);
    Py_XINCREF(after);
    PyObject *pair = changed_arguments(change, args, kwargs); // owned
    PyObject *result =
        pair == NULL ? PyObject_Call(plain, args, kwargs)
                     : PyObject_Call(plain, PyTuple_GET_ITEM(pair, 0), PyTuple_GET_ITEM(pair, 1)); // owned
    Py_XDECREF(pair);
    if (result != NULL && after != NULL && after != Py_None) {
        PyThreadState *thread = PyThreadState_Get();
        PyThreadState_EnterTracing(thread);
        PyObject *nothing = PyObject_CallFunctionObjArgs(after, args, NULL); // owned
        PyThreadState_LeaveTracing(thread);
        if (nothing == NULL) {
            PyErr_Clear(); /* as above */
        }
        Py_XDECREF(nothing);
    }
    Py_DECREF(plain);
    Py_XDECREF(after);
    return result;
}

PyDoc_STRVAR(children_wrap_doc,
             "children_wrap($module, plain, change, after, /)\n--\n\n"
             "Return a look-alike of a built-in function.\n\n"
             "`change(args, kwargs)` gives such a pair to call it with instead, or None; `after(args)` is called\n"
             "when it has returned. Either may be None. Raises TypeError when `plain` is no built-in function.");

static PyObject *
children_wrap(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *plain;  // borrowed
    PyObject *change; // borrowed
    PyObject *after;  // borrowed
    if (!PyArg_ParseTuple(args, "O!OO:children_wrap", &PyCFunction_Type, &plain, &change, &after)) {
        return NULL;
    }
    PyObject *name = PyObject_GetAttrString(plain, "__module__"); // owned
    PyObject *self = NULL;                                        // owned
    PyObject *look_alike = NULL;
    PyMethodDef *def = NULL;
    if (name == NULL) {
        return NULL;
    }
    /* A function whose __self__ is a module has that module's kind of name. */
    self = PyUnicode_Check(name) ? PyModule_NewObject(name) : NULL;
    if (self == NULL) {
        goto done;
    }
    if (PyObject_SetAttrString(self, KEY_PLAIN, plain) < 0 || PyObject_SetAttrString(self, KEY_CHANGE, change) < 0 ||
        PyObject_SetAttrString(self, KEY_AFTER, after) < 0) {
        goto done;
    }
    /* Never freed: the interpreter keeps a pointer to it in an object that the program may keep for ever. */
    def = PyMem_RawCalloc(1, sizeof *def);
    if (def == NULL) {
        PyErr_NoMemory();
        goto done;
    }
    *def = *((PyCFunctionObject *)plain)->m_ml; /* its name and its signature */
    def->ml_meth = (PyCFunction)(void (*)(void))call_look_alike;
    def->ml_flags = METH_VARARGS | METH_KEYWORDS;
    look_alike = PyCFunction_NewEx(def, self, name);
done:
    Py_XDECREF(self);
    Py_DECREF(name);
    if (look_alike == NULL && !PyErr_Occurred()) {
        PyErr_SetString(PyExc_TypeError, "that function is of no module");
    }
    return look_alike;
}

static PyMethodDef children_methods[] = {
    {"children_wrap", children_wrap, METH_VARARGS, children_wrap_doc},
    {NULL, NULL, 0, NULL},
};

int
children_exec(PyObject *module)
{
    return PyModule_AddFunctions(module, children_methods);
}
