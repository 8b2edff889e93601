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

static PyMethodDef recoding_methods[] = {
    {"probes_exchange", probes_exchange, METH_VARARGS, probes_exchange_doc},
    {"probes_recode", probes_recode, METH_VARARGS, probes_recode_doc},
    {NULL, NULL, 0, NULL},
};

int
recoding_exec(PyObject *module)
{
    return PyModule_AddFunctions(module, recoding_methods);
}
