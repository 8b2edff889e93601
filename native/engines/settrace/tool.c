/* settrace/tool.c gives the settrace engine its events without a trace function, by a tool of sys.monitoring: those of
 * code objects that are measured and have no probes, so that everything else runs at full speed. Code is looked at when
 * it first begins or resumes. The events are those that the interpreter makes a trace function's of. Threads: all under
 * the GIL. */
#include "core/state.h" /* first: Python.h must come before the system headers */

#include "engines/settrace/tool.h"

#include "engines/settrace/settrace.h"

/* What the callbacks share, as their self: a tuple. */
enum { OF_MODULE, OF_DISABLE, OF_ENABLING, OF_TOOL_ID, OF_EVENTS, OF_WATCHED, N_SHARED };

static PyObject *
shared(PyObject *self, int which)
{
    return PyTuple_GET_ITEM(self, which); // borrowed
}

/* Enable the events of a code object, and note it for the time when measuring ends. 0, or -1 with an exception. */
static int
watch(PyObject *self, PyObject *code)
{
    PyObject *reference = PyWeakref_NewRef(code, NULL); // owned
    int status = reference == NULL ? -1 : PyList_Append(shared(self, OF_WATCHED), reference);
    Py_XDECREF(reference);
    if (status < 0) {
        return -1;
    }
    PyObject *result = PyObject_CallFunctionObjArgs(shared(self, OF_ENABLING), shared(self, OF_TOOL_ID), code,
                                                    shared(self, OF_EVENTS), NULL); // owned
    if (result == NULL) {
        return -1;
    }
    Py_DECREF(result);
    settrace_note_watched(get_state(shared(self, OF_MODULE)), code);
    return 0;
}

/* Tell the engine of an event. Returns what it does with the code; it has all events of the code from then on. */
static enum settrace_answer
tell(PyObject *self, PyObject *code, int what)
{
    enum settrace_answer answer = settrace_tell(get_state(shared(self, OF_MODULE)), code, what);
    if (answer == SETTRACE_SHOULD_WATCH && watch(self, code) < 0) {
        PyErr_Clear(); /* there is no memory, or the program has freed the tool */
        return SETTRACE_IS_OFF;
    }
    return answer;
}

static PyObject *
on_begin(PyObject *self, PyObject *const *args, Py_ssize_t Py_UNUSED(n_args))
{
    int is_disabled = tell(self, args[0], PyTrace_CALL) == SETTRACE_PASSES_OVER;
    return Py_NewRef(is_disabled ? shared(self, OF_DISABLE) : Py_None);
}

static PyObject *
on_throw(PyObject *self, PyObject *const *args, Py_ssize_t Py_UNUSED(n_args))
{
    tell(self, args[0], PyTrace_CALL);
    Py_RETURN_NONE;
}

static PyObject *
on_line(PyObject *self, PyObject *const *args, Py_ssize_t Py_UNUSED(n_args))
{
    tell(self, args[0], PyTrace_LINE);
    Py_RETURN_NONE;
}

/* A jump back to the current line is also a line event. */
static PyObject *
on_jump(PyObject *self, PyObject *const *args, Py_ssize_t Py_UNUSED(n_args))
{
    int start = (int)PyLong_AsLong(args[1]);
    int end = (int)PyLong_AsLong(args[2]);
    int line = end >= start ? -1 : PyCode_Addr2Line((PyCodeObject *)args[0], end);
    if (line < 0 || PyCode_Addr2Line((PyCodeObject *)args[0], start) != line) {
        return Py_NewRef(shared(self, OF_DISABLE));
    }
    tell(self, args[0], PyTrace_LINE);
    Py_RETURN_NONE;
}

static PyObject *
on_end(PyObject *self, PyObject *const *args, Py_ssize_t Py_UNUSED(n_args))
{
    tell(self, args[0], PyTrace_RETURN);
    Py_RETURN_NONE;
}

static PyObject *
on_running(PyObject *self, PyObject *code)
{
    if (!PyCode_Check(code)) {
        PyErr_SetString(PyExc_TypeError, "only code objects run");
        return NULL;
    }
    enum settrace_answer answer = settrace_look_up(get_state(shared(self, OF_MODULE)), code);
    if (PyErr_Occurred() || (answer == SETTRACE_SHOULD_WATCH && watch(self, code) < 0)) {
        return NULL;
    }
    Py_RETURN_NONE;
}

#define CALLBACK(event, function) {event, (PyCFunction)(void (*)(void))function, METH_FASTCALL, NULL}

static PyMethodDef callbacks[] = {
    CALLBACK("PY_START", on_begin), CALLBACK("PY_RESUME", on_begin), CALLBACK("PY_THROW", on_throw),
    CALLBACK("LINE", on_line),      CALLBACK("JUMP", on_jump),       CALLBACK("PY_RETURN", on_end),
    CALLBACK("PY_YIELD", on_end),   CALLBACK("PY_UNWIND", on_end),   {"watch", on_running, METH_O, NULL},
};

PyDoc_STRVAR(settrace_tool_doc,
             "settrace_tool($module, tool_id, events, watched, /)\n--\n\n"
             "Return the callbacks of a tool of sys.monitoring by the names of their events.\n\n"
             "They enable the local `events` in code that the engine measures, and append weak references to it to the\n"
             "list `watched`. The further function `watch(code)` does so for code that runs already.");

static PyObject *
settrace_tool(PyObject *module, PyObject *args)
{
    PyObject *tool_id, *events, *watched; // borrowed
    if (!PyArg_ParseTuple(args, "OOO!:settrace_tool", &tool_id, &events, &PyList_Type, &watched)) {
        return NULL;
    }
    PyObject *monitoring = PySys_GetObject("monitoring"); // borrowed
    if (monitoring == NULL) {
        PyErr_SetString(PyExc_RuntimeError, "there is no sys.monitoring");
        return NULL;
    }
    PyObject *disable = PyObject_GetAttrString(monitoring, "DISABLE");           // owned
    PyObject *enabling = PyObject_GetAttrString(monitoring, "set_local_events"); // owned
    PyObject *self = NULL;                                                       // owned
    PyObject *found = NULL;                                                      // owned
    if (disable != NULL && enabling != NULL) {
        self = PyTuple_Pack(N_SHARED, module, disable, enabling, tool_id, events, watched);
    }
    Py_XDECREF(disable);
    Py_XDECREF(enabling);
    found = self == NULL ? NULL : PyDict_New();
    for (size_t i = 0; found != NULL && i < sizeof callbacks / sizeof callbacks[0]; i++) {
        PyObject *callback = PyCFunction_New(&callbacks[i], self); // owned
        if (callback == NULL || PyDict_SetItemString(found, callbacks[i].ml_name, callback) < 0) {
            Py_CLEAR(found);
        }
        Py_XDECREF(callback);
    }
    Py_XDECREF(self);
    return found;
}

static PyMethodDef module_methods[] = {
    {"settrace_tool", settrace_tool, METH_VARARGS, settrace_tool_doc},
    {NULL, NULL, 0, NULL},
};

int
settrace_tool_exec(PyObject *module)
{
    return PyModule_AddFunctions(module, module_methods);
}
