/* recoding.c gives functions that exist already the code with probes, for the engine and for captures;
 * observe/engines/recoding.py finds them. Threads: all under the GIL. */
#include "engines/probes/recoding.h"

#include "compat/versions.h"

PyDoc_STRVAR(probes_recode_doc,
             "probes_recode($module, function, code, /)\n--\n\n"
             "Set a function's `__code__` to code that does the same, so that calls of it stay as quick as they were.");

static PyObject *
probes_recode(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *op; // borrowed
    PyObject *code; // borrowed
    if (!PyArg_ParseTuple(args, "O!O!:probes_recode", &PyFunction_Type, &op, &PyCode_Type, &code)) {
        return NULL;
    }
#if LOSES_FUNCTION_VERSIONS
    PyFunctionObject *function = (PyFunctionObject *)op;
    uint32_t before = function->func_version;
#endif
    if (PyObject_SetAttrString(op, "__code__", code) < 0) {
        return NULL;
    }
#if LOSES_FUNCTION_VERSIONS
    /* A function that nobody has modified has its code's version, from MAKE_FUNCTION; an inline cache got its version
     * from a function with that code. So no cache with the new code's version can be of another code. A function that
     * was modified has none, and gets none. */
    if (before != 0 && function->func_version == 0 && function->func_code == code) {
        function->func_version = ((PyCodeObject *)code)->co_version;
    }
#endif
    Py_RETURN_NONE;
}

PyDoc_STRVAR(probes_exchange_doc,
             "probes_exchange($module, code, inner, with_probes, /)\n--\n\n"
             "Let code that is running, and so stays, make functions of `with_probes` where it made them of `inner`.");

static PyObject *
probes_exchange(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyCodeObject *code; // borrowed
    PyObject *inner; // borrowed
    PyObject *with_probes; // borrowed
    if (!PyArg_ParseTuple(args, "O!O!O!:probes_exchange", &PyCode_Type, &code, &PyCode_Type, &inner, &PyCode_Type,
                          &with_probes)) {
        return NULL;
    }
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(code->co_consts); i++) {
        if (PyTuple_GET_ITEM(code->co_consts, i) == inner) {
            /* The replaced constant is kept forever: the running frame may be using it. */
            PyTuple_SET_ITEM(code->co_consts, i, Py_NewRef(with_probes));
        }
    }
    Py_RETURN_NONE;
}

PyDoc_STRVAR(objects_of_types_doc,
             "objects_of_types($module, get_objects, types, /)\n--\n\n"
             "Return what `gc.get_objects`, which is given, returns of objects whose type is in a tuple of types.\n\n"
             "A list of all objects also has tuples that other threads are filling, which then fail: CPython's\n"
             "_PyTuple_Resize() is for those with one reference alone. This function's list is gone before they run on.");

static PyObject *
objects_of_types(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *get_objects; // borrowed
    PyObject *types; // borrowed
    if (!PyArg_ParseTuple(args, "OO!:objects_of_types", &get_objects, &PyTuple_Type, &types)) {
        return NULL;
    }
    PyObject *found = PyList_New(0); // before the list of all: making it may start a collection, which runs code
    PyObject *all = found == NULL ? NULL : PyObject_CallNoArgs(get_objects);
    int status = all == NULL || !PyList_Check(all) ? -1 : 0;
    for (Py_ssize_t i = 0; status == 0 && i < PyList_GET_SIZE(all); i++) {
        PyObject *each = PyList_GET_ITEM(all, i); // borrowed
        for (Py_ssize_t k = 0; status == 0 && k < PyTuple_GET_SIZE(types); k++) {
            if (Py_IS_TYPE(each, (PyTypeObject *)PyTuple_GET_ITEM(types, k))) {
                status = PyList_Append(found, each);
                break;
            }
        }
    }
    Py_XDECREF(all);
    if (status < 0) {
        Py_CLEAR(found);
        if (!PyErr_Occurred()) {
            PyErr_SetString(PyExc_TypeError, "get_objects() returned no list");
        }
    }
    return found;
}

static PyMethodDef recoding_methods[] = {
    {"objects_of_types", objects_of_types, METH_VARARGS, objects_of_types_doc},
    {"probes_exchange", probes_exchange, METH_VARARGS, probes_exchange_doc},
    {"probes_recode", probes_recode, METH_VARARGS, probes_recode_doc},
    {NULL, NULL, 0, NULL},
};

int
recoding_exec(PyObject *module)
{
    return PyModule_AddFunctions(module, recoding_methods);
}
