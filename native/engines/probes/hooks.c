/* engines/probes/hooks.c has the hooks of the probes engine that must be in C, since a Python wrapper would be
 * visible: for the main script, which no Python code compiles, and wrappers of `compile`, `exec` and `eval`, which
 * work on their caller's frame. Each calls a Python callback; if that has no answer, the original runs. Threads: all
 * under the GIL. */
#include "core/state.h" /* first: Python.h must come before the system headers */

#include "engines/probes/hooks.h"

#include "compat/versions.h"
#include "core/unseen.h"
#include "engines/file_tracers/evaluation.h"
#include "engines/function_contexts.h"
#include "engines/probes/captures/copies.h"
#include "engines/probes/probes.h"

#include <string.h>

/* After a callback, which raises nothing of ours: clear an error from having no room to call it. 0, or -1 with an
 * exception of the program's own that was raised meanwhile, by a signal handler. */
static int
clear_ours(void)
{
    if (!PyErr_ExceptionMatches(PyExc_RecursionError) && !PyErr_ExceptionMatches(PyExc_MemoryError)) {
        return -1;
    }
    PyErr_Clear();
    return 0;
}

#if HAS_PROBES

#define Py_BUILD_CORE
#include <internal/pycore_frame.h>
#undef Py_BUILD_CORE
#include <opcode.h>

#define MODULE_KEY "footfall.main_hook" /* in the interpreter's dict */

static PyCodeObject *
code_of_frame(struct _PyInterpreterFrame *frame)
{
#if FRAMES_HAVE_EXECUTABLE
    return PyCode_Check(frame->f_executable) ? (PyCodeObject *)frame->f_executable : NULL;
#else
    return frame->f_code;
#endif
}

static int
ends_with_pyc(PyObject *file)
{
    Py_ssize_t size = 0;
    const char *text = PyUnicode_AsUTF8AndSize(file, &size); // borrowed
    if (text == NULL) {
        PyErr_Clear(); /* a lone surrogate */
        return 0;
    }
    return size > 4 && memcmp(text + size - 4, ".pyc", 4) == 0;
}

/* Return whether the frame is about to run a script, or a script's bytecode, as __main__: its globals have that name
 * and its file. */
static int
is_main_script(struct _PyInterpreterFrame *frame, PyCodeObject *code)
{
    if (code == NULL || PyUnicode_CompareWithASCIIString(code->co_name, "<module>") != 0 || frame->f_globals == NULL
        || frame->f_globals != frame->f_locals) {
        return 0;
    }
    PyObject *name = PyDict_GetItemString(frame->f_globals, "__name__"); // borrowed
    PyObject *file = PyDict_GetItemString(frame->f_globals, "__file__"); // borrowed
    return name != NULL && PyUnicode_Check(name) && PyUnicode_CompareWithASCIIString(name, "__main__") == 0
           && file != NULL && PyUnicode_Check(file)
           && (PyUnicode_Compare(file, code->co_filename) == 0 || ends_with_pyc(file));
}

/* Get the script's code with probes: owned; NULL if there is none, with an exception if the program was interrupted
 * meanwhile. */
static PyObject *
main_code(PyCodeObject *plain, PyObject *globals)
{
    PyObject *dict = PyInterpreterState_GetDict(PyInterpreterState_Get()); // borrowed
    PyObject *callback = dict == NULL ? NULL : PyDict_GetItemString(dict, MODULE_KEY); // borrowed
    if (callback == NULL) {
        return NULL;
    }
    Py_INCREF(callback);
    PyDict_DelItemString(dict, MODULE_KEY);
    PyObject *code = PyObject_CallFunctionObjArgs(callback, (PyObject *)plain, globals, NULL); // owned
    Py_DECREF(callback);
    if (code == NULL) {
        clear_ours();
    }
    else if (!PyCode_Check(code)) {
        Py_CLEAR(code);
    }
    return code;
}

/* Make the code return at once. It was compiled for this one run and nobody else has it. */
static void
write_stub(PyCodeObject *code)
{
#if HAS_RETURN_CONST
    const unsigned char stub[] = {RETURN_CONST, 0};
#else
    const unsigned char stub[] = {LOAD_CONST, 0, RETURN_VALUE, 0};
#endif
    memcpy(_PyCode_CODE(code), stub, sizeof stub);
}

/* The frame evaluation function between start-up and the main script. It runs the script's code with probes in place of
 * the code that the interpreter compiled; the interpreter does everything else, so a measured `__main__` is no
 * different. */
static PyObject *
evaluate_until_main(PyThreadState *tstate, struct _PyInterpreterFrame *frame, int throwing)
{
    PyCodeObject *plain = code_of_frame(frame); // borrowed
    if (throwing || !is_main_script(frame, plain)) {
        return _PyEval_EvalFrameDefault(tstate, frame, throwing);
    }
    PyInterpreterState *interpreter = PyThreadState_GetInterpreter(tstate);
    if (!traced_frames_main_has_come()) {
        _PyInterpreterState_SetEvalFrameFunc(interpreter, function_contexts_evaluator(interpreter));
    }
    PyObject *code = main_code(plain, frame->f_globals); // owned
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
    /* This releases the frame as this version does it. */
    PyObject *nothing = _PyEval_EvalFrameDefault(tstate, frame, 0); // owned
    Py_XDECREF(nothing);
    PyErr_Restore(type, value, trace);
    return result;
}

PyDoc_STRVAR(probes_hook_main_doc,
             "probes_hook_main($module, code_for, /)\n--\n\n"
             "Run `code_for(code, globals)` in place of the main script's code, unless it gives none.");

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

/* Call the function that a wrapper stands for, at the same stack depth as the program's own call of it. */
static PyObject *
call_plain(PyObject *plain, PyObject *const *args, Py_ssize_t n_args, PyObject *names)
{
    if (PyCFunction_CheckExact(plain) && PyCFunction_GET_FLAGS(plain) == (METH_FASTCALL | METH_KEYWORDS)) {
        /* A call through the interpreter would count as one more level of recursion. */
        _PyCFunctionFastWithKeywords function =
            (_PyCFunctionFastWithKeywords)(void (*)(void))PyCFunction_GET_FUNCTION(plain);
        return function(PyCFunction_GET_SELF(plain), args, n_args, names);
    }
    return PyObject_Vectorcall(plain, args, (size_t)n_args, names);
}

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
        while (at < N_COMPILE_ARGS && PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(names, i), known[at]) != 0) {
            at++;
        }
        if (at == N_COMPILE_ARGS || sorted[at] != NULL) {
            return -1;
        }
        sorted[at] = args[n_args + i];
    }
    return 0;
}

/* Read an int argument. 0, or -1 without an exception if it is not an int of that size. */
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

/* Instrumented code of the text to compile: owned; NULL if it is not for us, with an exception if the program was
 * interrupted meanwhile. */
static PyObject *
compile_with_probes(PyObject *callback, PyObject **sorted)
{
    PyObject *filename = sorted[FILENAME];
    PyObject *mode = sorted[MODE];
    int flags = 0;
    int dont_inherit = 0;
    int optimize = -1;
    if (sorted[SOURCE] == NULL || !(PyUnicode_CheckExact(sorted[SOURCE]) || PyBytes_CheckExact(sorted[SOURCE]))
        || filename == NULL || !PyUnicode_CheckExact(filename) || PyUnicode_GET_LENGTH(filename) == 0
        || PyUnicode_READ_CHAR(filename, 0) == '<' || mode == NULL || !PyUnicode_CheckExact(mode)
        || PyUnicode_CompareWithASCIIString(mode, "exec") != 0 || read_int(sorted[FLAGS], 0, &flags) < 0
        || (flags & PyCF_ONLY_AST) != 0 || read_int(sorted[DONT_INHERIT], 0, &dont_inherit) < 0
        || read_int(sorted[OPTIMIZE], -1, &optimize) < 0) {
        return NULL;
    }
    PyCompilerFlags merged = {.cf_flags = flags, .cf_feature_version = PY_MINOR_VERSION};
    if (!dont_inherit) {
        PyEval_MergeCompilerFlags(&merged); /* the caller's `from __future__` imports */
    }
    PyObject *arguments[] = {sorted[SOURCE], filename, PyLong_FromLong(merged.cf_flags),
                             PyLong_FromLong(optimize)}; // the last two owned
    PyObject *code = NULL;                               // owned
    if (arguments[2] != NULL && arguments[3] != NULL) {
        code = call_unseen(callback, arguments, 4);
    }
    Py_XDECREF(arguments[2]);
    Py_XDECREF(arguments[3]);
    if (code == NULL) {
        clear_ours(); /* the original reports what it could not compile */
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
    return call_plain(original, args, n_args, names);
}

/* The globals in which `exec` or `eval` will run code; borrowed, None if they are not known. */
static PyObject *
find_globals(PyObject *const *args, Py_ssize_t n_args, PyObject *names)
{
    PyObject *globals = n_args > 1 ? args[1] : NULL;
    Py_ssize_t n_names = names == NULL ? 0 : PyTuple_GET_SIZE(names);
    for (Py_ssize_t i = 0; i < n_names; i++) {
        if (PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(names, i), "globals") == 0) {
            globals = args[n_args + i];
        }
    }
    if (globals == NULL || globals == Py_None) {
        globals = PyEval_GetGlobals();
    }
    return globals == NULL || !PyDict_Check(globals) ? Py_None : globals;
}

/* Return whether it is a module's code into which nobody has put probes, of a file that was not decided about
 * before. */
static int
is_plain_news(module_state *state, PyCodeObject *code)
{
    if (PyUnicode_CompareWithASCIIString(code->co_name, "<module>") != 0 || PyUnicode_GET_LENGTH(code->co_filename) == 0
        || PyUnicode_READ_CHAR(code->co_filename, 0) == '<' || probes_is_armed(state, (PyObject *)code)) {
        return 0;
    }
    int is_settled = probes_is_settled(state, code->co_filename);
    if (is_settled < 0) {
        PyErr_Clear(); /* no memory for a name's hash */
    }
    return is_settled == 0;
}

/* The code to run in place of code: owned; NULL if that is the code itself, with an exception if the program was
 * interrupted meanwhile. */
static PyObject *
find_substitute(module_state *state, PyObject *code, PyObject *globals)
{
    if (probes_has_header(code)) {
        PyObject *callback = probes_callback(state, PROBES_ON_UNARMED); // borrowed
        PyObject *armed = callback == NULL ? NULL : call_unseen(callback, &code, 1); // owned
        if (armed == NULL && PyErr_Occurred()) {
            clear_ours();
        }
        Py_XDECREF(armed); /* the same code */
        return NULL;
    }
    PyObject *callback = probes_callback(state, PROBES_ON_PLAIN); // borrowed
    if (callback == NULL || !is_plain_news(state, (PyCodeObject *)code)) {
        return NULL;
    }
    PyObject *answer = PyObject_CallFunctionObjArgs(callback, code, globals, NULL); // owned
    if (answer == NULL) {
        clear_ours();
        return NULL;
    }
    if (PyCode_Check(answer)) {
        return answer;
    }
    if (answer == Py_False && probes_settle(state, ((PyCodeObject *)code)->co_filename) < 0) {
        PyErr_Clear(); /* no memory: it will be asked again */
    }
    Py_DECREF(answer);
    return NULL;
}

/* `exec` and `eval` have six arguments at most. */
enum { MAX_RUN_ARGS = 8 };

static PyObject *
run_code(PyObject *module, PyObject *const *args, Py_ssize_t n_args, PyObject *names, enum probes_callback which)
{
    module_state *state = get_state(module);
    PyObject *changed[MAX_RUN_ARGS];
    PyObject *substitute = NULL; // owned
    Py_ssize_t n_all = n_args + (names == NULL ? 0 : PyTuple_GET_SIZE(names));
    if (n_args > 0 && PyCode_Check(args[0]) && n_all <= MAX_RUN_ARGS) {
        substitute = find_substitute(state, args[0], find_globals(args, n_args, names));
        if (PyErr_Occurred()) {
            Py_XDECREF(substitute);
            return NULL;
        }
    }
    if (substitute != NULL) {
        memcpy(changed, args, (size_t)n_all * sizeof changed[0]);
        changed[0] = substitute;
        args = changed;
    }
    PyObject *original = probes_callback(state, which); // borrowed
    PyObject *result = NULL;                            // owned
    if (original == NULL) {
        PyErr_SetString(PyExc_RuntimeError, "the interpreter is being torn down");
    }
    else {
        result = call_plain(original, args, n_args, names);
    }
    Py_XDECREF(substitute);
    return result;
}

static PyObject *
probes_exec_code(PyObject *module, PyObject *const *args, Py_ssize_t n_args, PyObject *names)
{
    return run_code(module, args, n_args, names, PROBES_PLAIN_EXEC);
}

static PyObject *
probes_eval_code(PyObject *module, PyObject *const *args, Py_ssize_t n_args, PyObject *names)
{
    return run_code(module, args, n_args, names, PROBES_PLAIN_EVAL);
}

/* Call an unmarshalling function, and make the probes record in what it returns. `data` is borrowed, NULL if it reads a
 * file. */
static PyObject *
unmarshal(PyObject *module, PyObject *const *args, Py_ssize_t n_args, PyObject *names, enum probes_callback which,
          PyObject *data)
{
    module_state *state = get_state(module);
    PyObject *original = probes_callback(state, which); // borrowed
    if (original == NULL) {
        PyErr_SetString(PyExc_RuntimeError, "the interpreter is being torn down");
        return NULL;
    }
    PyObject *value = call_plain(original, args, n_args, names); // owned
    if (value != NULL) {
        copies_arm(state, value, data);
    }
    return value;
}

static PyObject *
probes_marshal_loads(PyObject *module, PyObject *const *args, Py_ssize_t n_args, PyObject *names)
{
    return unmarshal(module, args, n_args, names, PROBES_PLAIN_LOADS, n_args > 0 ? args[0] : NULL);
}

static PyObject *
probes_marshal_load(PyObject *module, PyObject *const *args, Py_ssize_t n_args, PyObject *names)
{
    return unmarshal(module, args, n_args, names, PROBES_PLAIN_LOAD, NULL);
}

/* Docstrings as in builtins: pydoc and inspect.signature read the signatures from them. */
PyDoc_STRVAR(compile_doc, "compile($module, /, source, filename, mode, flags=0,\n"
                          "        dont_inherit=False, optimize=-1, *, _feature_version=-1)\n--\n\n"
                          "Compile source into a code object that can be executed by exec() or eval().");
#define EVAL_TEXT                                                                                                      \
    "Evaluate the given source in the context of globals and locals.\n\n"                                              \
    "The source may be a string representing a Python expression\n"                                                    \
    "or a code object as returned by compile()."
#if EXEC_TAKES_KEYWORDS
PyDoc_STRVAR(exec_doc, "exec($module, source, /, globals=None, locals=None, *, closure=None)\n--\n\n"
                       "Execute the given source in the context of globals and locals.");
PyDoc_STRVAR(eval_doc, "eval($module, source, /, globals=None, locals=None)\n--\n\n" EVAL_TEXT);
#else
PyDoc_STRVAR(exec_doc, "exec($module, source, globals=None, locals=None, /, *, closure=None)\n--\n\n"
                       "Execute the given source in the context of globals and locals.");
PyDoc_STRVAR(eval_doc, "eval($module, source, globals=None, locals=None, /)\n--\n\n" EVAL_TEXT);
#endif

static PyMethodDef compile_def = {"compile", (PyCFunction)(void (*)(void))probes_compile, METH_FASTCALL | METH_KEYWORDS,
                                  compile_doc};
static PyMethodDef exec_def = {"exec", (PyCFunction)(void (*)(void))probes_exec_code, METH_FASTCALL | METH_KEYWORDS,
                               exec_doc};

static PyMethodDef eval_def = {"eval", (PyCFunction)(void (*)(void))probes_eval_code, METH_FASTCALL | METH_KEYWORDS,
                               eval_doc};

#if HAS_MARSHAL_ALLOW_CODE
#define ALLOW_CODE ", *, allow_code=True"
#else
#define ALLOW_CODE ""
#endif
PyDoc_STRVAR(loads_doc, "loads($module, bytes, /" ALLOW_CODE ")\n--\n\nConvert the bytes-like object to a value.");
PyDoc_STRVAR(load_doc, "load($module, file, /" ALLOW_CODE ")\n--\n\nRead one value from the open file and return it.");

static PyMethodDef loads_def = {"loads", (PyCFunction)(void (*)(void))probes_marshal_loads,
                                METH_FASTCALL | METH_KEYWORDS, loads_doc};
static PyMethodDef load_def = {"load", (PyCFunction)(void (*)(void))probes_marshal_load, METH_FASTCALL | METH_KEYWORDS,
                               load_doc};

PyDoc_STRVAR(probes_wrap_loads_doc,
             "probes_wrap_loads($module, plain_loads, plain_load, token, decide, /)\n--\n\n"
             "Return look-alikes of marshal.loads and marshal.load that let probes record in copies of code.\n\n"
             "`token` is bytes that tell what numbers probes; `decide(co_filename)` gives the path of a measured file.");

static PyObject *
probes_wrap_loads(PyObject *module, PyObject *args)
{
    PyObject *plain_loads, *plain_load, *token, *decide; // borrowed
    if (!PyArg_ParseTuple(args, "OOSO:probes_wrap_loads", &plain_loads, &plain_load, &token, &decide)) {
        return NULL;
    }
    module_state *state = get_state(module);
    probes_set_callback(state, PROBES_PLAIN_LOADS, plain_loads);
    probes_set_callback(state, PROBES_PLAIN_LOAD, plain_load);
    copies_expect(state, token, decide);
    PyObject *name = PyUnicode_FromString("marshal"); // owned
    PyObject *pair = name == NULL ? NULL
                                  : Py_BuildValue("NN", PyCFunction_NewEx(&loads_def, module, name),
                                                  PyCFunction_NewEx(&load_def, module, name)); // owned
    Py_XDECREF(name);
    return pair;
}

PyDoc_STRVAR(probes_wrap_doc,
             "probes_wrap($module, plain_compile, on_compile, plain_exec, plain_eval, on_unarmed,\n"
             "            on_plain, /)\n--\n\n"
             "Return look-alikes of compile, exec and eval.\n\n"
             "`on_compile(source, filename, flags, optimize)` gives code or None; `on_unarmed(code)` arms code\n"
             "with probes before it is run; `on_plain(code, globals)` gives what is to run in place of a module's\n"
             "code without probes, None when that is the code itself, False when it is for all code of its file.");

static PyObject *
probes_wrap(PyObject *module, PyObject *args)
{
    PyObject *callbacks[N_PROBES_CALLBACKS] = {NULL}; // borrowed
    if (!PyArg_ParseTuple(args, "OOOOOO:probes_wrap", &callbacks[PROBES_PLAIN_COMPILE], &callbacks[PROBES_ON_COMPILE],
                          &callbacks[PROBES_PLAIN_EXEC], &callbacks[PROBES_PLAIN_EVAL], &callbacks[PROBES_ON_UNARMED],
                          &callbacks[PROBES_ON_PLAIN])) {
        return NULL;
    }
    for (int i = 0; i < N_PROBES_CALLBACKS; i++) {
        if (callbacks[i] != NULL) {
            probes_set_callback(get_state(module), (enum probes_callback)i, callbacks[i]);
        }
    }
    PyObject *name = PyUnicode_FromString("builtins"); // owned
    if (name == NULL) {
        return NULL;
    }
    PyObject *compile = PyCFunction_NewEx(&compile_def, module, name); // owned
    PyObject *exec = PyCFunction_NewEx(&exec_def, module, name);       // owned
    PyObject *eval = PyCFunction_NewEx(&eval_def, module, name);       // owned
    Py_DECREF(name);
    PyObject *all = NULL; // owned
    if (compile != NULL && exec != NULL && eval != NULL) {
        all = PyTuple_Pack(3, compile, exec, eval);
    }
    Py_XDECREF(compile);
    Py_XDECREF(exec);
    Py_XDECREF(eval);
    return all;
}

static PyMethodDef hooks_methods[] = {
    {"probes_hook_main", probes_hook_main, METH_O, probes_hook_main_doc},
    {"probes_wrap", probes_wrap, METH_VARARGS, probes_wrap_doc},
    {"probes_wrap_loads", probes_wrap_loads, METH_VARARGS, probes_wrap_loads_doc},
    {NULL, NULL, 0, NULL},
};

int
probes_hooks_exec(PyObject *module)
{
    return PyModule_AddFunctions(module, hooks_methods);
}
