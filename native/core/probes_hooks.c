/* probes_hooks.c holds what the probes engine needs to hook in C, since a Python wrapper would show:
 * the main script, which no Python code compiles, and look-alikes of `compile` and `exec`, which work
 * on their caller's frame. Each asks a Python callback; when that has no answer, the original runs.
 * Threads: all under the GIL. */
#include "core/probes.h"
#include "core/state.h"

#include <string.h>

/* After a callback, which raises nothing of ours: forget what comes of having no room for calling it. 0, or -1 with the
 * exception of the program's own that came up meanwhile, a signal handler's. */
static int
clear_ours(void)
{
    if (!PyErr_ExceptionMatches(PyExc_RecursionError) && !PyErr_ExceptionMatches(PyExc_MemoryError)) {
        return -1;
    }
    PyErr_Clear();
    return 0;
}

#if PY_VERSION_HEX < 0x030E0000 && !defined(Py_GIL_DISABLED)

#define Py_BUILD_CORE
#include <internal/pycore_frame.h>
#undef Py_BUILD_CORE
#include <opcode.h>

#define MODULE_KEY "footfall.main_hook" /* of the interpreter's dict */

static PyCodeObject *
code_of_frame(struct _PyInterpreterFrame *frame)
{
#if PY_VERSION_HEX >= 0x030D0000
    return PyCode_Check(frame->f_executable) ? (PyCodeObject *)frame->f_executable : NULL;
#else
    return frame->f_code;
#endif
}

/* Whether the frame is about to run a script as __main__: its globals have that name and its file. */
static int
is_main_script(struct _PyInterpreterFrame *frame, PyCodeObject *code)
{
    if (code == NULL || PyUnicode_CompareWithASCIIString(code->co_name, "<module>") != 0 ||
        frame->f_globals == NULL || frame->f_globals != frame->f_locals) {
        return 0;
    }
    PyObject *name = PyDict_GetItemString(frame->f_globals, "__name__"); // borrowed
    PyObject *file = PyDict_GetItemString(frame->f_globals, "__file__"); // borrowed
    return name != NULL && PyUnicode_Check(name) &&
           PyUnicode_CompareWithASCIIString(name, "__main__") == 0 && file != NULL &&
           PyUnicode_Check(file) && PyUnicode_Compare(file, code->co_filename) == 0;
}

/* Ask for the script's code with probes: owned; NULL when there is none, with an exception when the program was
 * interrupted meanwhile. */
static PyObject *
main_code(PyObject *filename)
{
    PyObject *dict = PyInterpreterState_GetDict(PyInterpreterState_Get()); // borrowed
    PyObject *callback = dict == NULL ? NULL : PyDict_GetItemString(dict, MODULE_KEY); // borrowed
    if (callback == NULL) {
        return NULL;
    }
    Py_INCREF(callback);
    PyDict_DelItemString(dict, MODULE_KEY);
    PyObject *code = PyObject_CallOneArg(callback, filename); // owned
    Py_DECREF(callback);
    if (code == NULL) {
        clear_ours();
    }
    else if (!PyCode_Check(code)) {
        Py_CLEAR(code);
    }
    return code;
}

/* Make the code return at once. It was compiled for this one run and nobody else holds it. */
static void
write_stub(PyCodeObject *code)
{
#if PY_VERSION_HEX >= 0x030C0000
    const unsigned char stub[] = {RETURN_CONST, 0};
#else
    const unsigned char stub[] = {LOAD_CONST, 0, RETURN_VALUE, 0};
#endif
    memcpy(_PyCode_CODE(code), stub, sizeof stub);
}

/* The frame evaluation function between start-up and the main script. It runs the script's code with
 * probes in place of the code that the interpreter compiled; all else around it is the interpreter's
 * own doing, so a measured `__main__` differs in nothing. */
static PyObject *
evaluate_until_main(PyThreadState *tstate, struct _PyInterpreterFrame *frame, int throwing)
{
    PyCodeObject *plain = code_of_frame(frame); // borrowed
    if (throwing || !is_main_script(frame, plain)) {
        return _PyEval_EvalFrameDefault(tstate, frame, throwing);
    }
    _PyInterpreterState_SetEvalFrameFunc(PyThreadState_GetInterpreter(tstate),
                                         _PyEval_EvalFrameDefault);
    PyObject *code = main_code(plain->co_filename); // owned
    if (code == NULL && !PyErr_Occurred()) {
        return _PyEval_EvalFrameDefault(tstate, frame, throwing);
    }
    PyObject *globals = frame->f_globals; // borrowed from the frame, which stays
    PyObject *result = code == NULL ? NULL : PyEval_EvalCode(code, globals, globals); // owned
    Py_XDECREF(code);
    PyObject *type = NULL;  // owned
    PyObject *value = NULL; // owned
    PyObject *trace = NULL; // owned
    PyErr_Fetch(&type, &value, &trace);
    write_stub(plain);
    /* This releases the frame as its version does it. */
    PyObject *nothing = _PyEval_EvalFrameDefault(tstate, frame, 0); // owned
    Py_XDECREF(nothing);
    PyErr_Restore(type, value, trace);
    return result;
}

PyDoc_STRVAR(probes_hook_main_doc,
             "probes_hook_main($module, code_for, /)\n--\n\n"
             "Run `code_for(filename)` in place of the main script's code, unless it is None.");

static PyObject *
probes_hook_main(PyObject *Py_UNUSED(module), PyObject *callback)
{
    PyInterpreterState *interpreter = PyInterpreterState_Get();
    PyObject *dict = PyInterpreterState_GetDict(interpreter); // borrowed
    if (dict == NULL) {
        PyErr_SetString(PyExc_RuntimeError, "the interpreter has no dict");
        return NULL;
    }
    if (_PyInterpreterState_GetEvalFrameFunc(interpreter) != _PyEval_EvalFrameDefault) {
        PyErr_SetString(PyExc_RuntimeError, "another tool evaluates frames");
        return NULL;
    }
    if (PyDict_SetItemString(dict, MODULE_KEY, callback) < 0) {
        return NULL;
    }
    _PyInterpreterState_SetEvalFrameFunc(interpreter, evaluate_until_main);
    Py_RETURN_NONE;
}

#else

PyDoc_STRVAR(probes_hook_main_doc, "probes_hook_main($module, code_for, /)\n--\n\n"
                                   "Not on this version.");

static PyObject *
probes_hook_main(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(callback))
{
    PyErr_SetString(PyExc_RuntimeError, "the main script can't be hooked on this version");
    return NULL;
}

#endif

enum { SOURCE, FILENAME, MODE, FLAGS, DONT_INHERIT, OPTIMIZE, N_COMPILE_ARGS };

/* Sort compile()'s arguments by name, all borrowed. 0, or -1 when one is unknown or given twice. */
static int
sort_arguments(PyObject *const *args, Py_ssize_t n_args, PyObject *names, PyObject **sorted)
{
    static const char *const known[N_COMPILE_ARGS] = {"source", "filename",     "mode",
                                                      "flags",  "dont_inherit", "optimize"};
    if (n_args > N_COMPILE_ARGS) {
        return -1;
    }
    for (Py_ssize_t i = 0; i < n_args; i++) {
        sorted[i] = args[i];
    }
    Py_ssize_t n_names = names == NULL ? 0 : PyTuple_GET_SIZE(names);
    for (Py_ssize_t i = 0; i < n_names; i++) {
        int at = 0;
        while (at < N_COMPILE_ARGS &&
               PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(names, i), known[at]) != 0) {
            at++;
        }
        if (at == N_COMPILE_ARGS || sorted[at] != NULL) {
            return -1;
        }
        sorted[at] = args[n_args + i];
    }
    return 0;
}

/* An int argument's value. 0, or -1 without an exception when it is no int of that size. */
static int
read_int(PyObject *argument, int missing, int *value)
{
    *value = missing;
    if (argument == NULL) {
        return 0;
    }
    if (!PyLong_Check(argument)) {
        return -1;
    }
    int overflow = 0;
    long number = PyLong_AsLongAndOverflow(argument, &overflow);
    *value = (int)number;
    return overflow != 0 || *value != number ? -1 : 0;
}

/* Instrumented code of the text to compile: owned; NULL when it is not for us, with an exception when the program was
 * interrupted meanwhile. */
static PyObject *
compile_with_probes(PyObject *callback, PyObject **sorted)
{
    PyObject *filename = sorted[FILENAME];
    PyObject *mode = sorted[MODE];
    int flags = 0;
    int dont_inherit = 0;
    int optimize = -1;
    if (sorted[SOURCE] == NULL || !(PyUnicode_CheckExact(sorted[SOURCE]) ||
                                    PyBytes_CheckExact(sorted[SOURCE])) ||
        filename == NULL || !PyUnicode_CheckExact(filename) ||
        PyUnicode_GET_LENGTH(filename) == 0 || PyUnicode_READ_CHAR(filename, 0) == '<' ||
        mode == NULL || !PyUnicode_CheckExact(mode) ||
        PyUnicode_CompareWithASCIIString(mode, "exec") != 0 ||
        read_int(sorted[FLAGS], 0, &flags) < 0 || (flags & PyCF_ONLY_AST) != 0 ||
        read_int(sorted[DONT_INHERIT], 0, &dont_inherit) < 0 ||
        read_int(sorted[OPTIMIZE], -1, &optimize) < 0) {
        return NULL;
    }
    PyCompilerFlags merged = {.cf_flags = flags, .cf_feature_version = PY_MINOR_VERSION};
    if (!dont_inherit) {
        PyEval_MergeCompilerFlags(&merged); /* the caller's `from __future__` imports */
    }
    PyObject *code = PyObject_CallFunction(callback, "OOii", sorted[SOURCE], filename,
                                           merged.cf_flags, optimize); // owned
    if (code == NULL) {
        clear_ours(); /* what it could not compile, the original tells of */
    }
    else if (!PyCode_Check(code)) {
        Py_CLEAR(code);
    }
    return code;
}

static PyObject *
probes_compile(PyObject *module, PyObject *const *args, Py_ssize_t n_args, PyObject *names)
{
    PyObject *sorted[N_COMPILE_ARGS] = {NULL};
    PyObject *callback = probes_callback(get_state(module), PROBES_ON_COMPILE); // borrowed
    if (callback != NULL && sort_arguments(args, n_args, names, sorted) == 0) {
        PyObject *code = compile_with_probes(callback, sorted);
        if (code != NULL || PyErr_Occurred()) {
            return code;
        }
    }
    PyObject *original = probes_callback(get_state(module), PROBES_PLAIN_COMPILE); // borrowed
    if (original == NULL) {
        PyErr_SetString(PyExc_RuntimeError, "the interpreter is being torn down");
        return NULL;
    }
    return PyObject_Vectorcall(original, args, (size_t)n_args, names);
}

static PyObject *
probes_exec_code(PyObject *module, PyObject *const *args, Py_ssize_t n_args, PyObject *names)
{
    PyObject *callback = probes_callback(get_state(module), PROBES_ON_EXEC); // borrowed
    if (callback != NULL && n_args > 0 && PyCode_Check(args[0]) && probes_has_header(args[0])) {
        PyObject *armed = PyObject_CallOneArg(callback, args[0]); // owned
        if (armed == NULL && clear_ours() < 0) {
            return NULL;
        }
        Py_XDECREF(armed);
    }
    PyObject *original = probes_callback(get_state(module), PROBES_PLAIN_EXEC); // borrowed
    if (original == NULL) {
        PyErr_SetString(PyExc_RuntimeError, "the interpreter is being torn down");
        return NULL;
    }
    return PyObject_Vectorcall(original, args, (size_t)n_args, names);
}

/* Docstrings as in builtins: pydoc and inspect.signature read the signatures off them. */
PyDoc_STRVAR(compile_doc, "compile($module, /, source, filename, mode, flags=0,\n"
                          "        dont_inherit=False, optimize=-1, *, _feature_version=-1)\n--\n\n"
                          "Compile source into a code object that can be executed by exec() or eval().");
#if PY_VERSION_HEX >= 0x030D0000
PyDoc_STRVAR(exec_doc, "exec($module, source, /, globals=None, locals=None, *, closure=None)\n--\n\n"
                       "Execute the given source in the context of globals and locals.");
#else
PyDoc_STRVAR(exec_doc, "exec($module, source, globals=None, locals=None, /, *, closure=None)\n--\n\n"
                       "Execute the given source in the context of globals and locals.");
#endif

static PyMethodDef compile_def = {"compile", (PyCFunction)(void (*)(void))probes_compile,
                                  METH_FASTCALL | METH_KEYWORDS, compile_doc};
static PyMethodDef exec_def = {"exec", (PyCFunction)(void (*)(void))probes_exec_code,
                               METH_FASTCALL | METH_KEYWORDS, exec_doc};

PyDoc_STRVAR(probes_wrap_doc,
             "probes_wrap($module, plain_compile, on_compile, plain_exec, on_exec, /)\n--\n\n"
             "Return look-alikes of compile and exec.\n\n"
             "`on_compile(source, filename, flags, optimize)` gives code or None; `on_exec(code)` arms code\n"
             "with probes before it is run.");

static PyObject *
probes_wrap(PyObject *module, PyObject *args)
{
    PyObject *callbacks[N_PROBES_CALLBACKS];
    if (!PyArg_ParseTuple(args, "OOOO:probes_wrap", &callbacks[PROBES_PLAIN_COMPILE],
                          &callbacks[PROBES_ON_COMPILE], &callbacks[PROBES_PLAIN_EXEC],
                          &callbacks[PROBES_ON_EXEC])) {
        return NULL;
    }
    probes_set_callbacks(get_state(module), callbacks);
    PyObject *name = PyUnicode_FromString("builtins"); // owned
    if (name == NULL) {
        return NULL;
    }
    PyObject *compile = PyCFunction_NewEx(&compile_def, module, name); // owned
    PyObject *exec = PyCFunction_NewEx(&exec_def, module, name);       // owned
    Py_DECREF(name);
    PyObject *pair = NULL; // owned
    if (compile != NULL && exec != NULL) {
        pair = PyTuple_Pack(2, compile, exec);
    }
    Py_XDECREF(compile);
    Py_XDECREF(exec);
    return pair;
}

static PyMethodDef hooks_methods[] = {
    {"probes_hook_main", probes_hook_main, METH_O, probes_hook_main_doc},
    {"probes_wrap", probes_wrap, METH_VARARGS, probes_wrap_doc},
    {NULL, NULL, 0, NULL},
};

int
probes_hooks_exec(PyObject *module)
{
    return PyModule_AddFunctions(module, hooks_methods);
}
