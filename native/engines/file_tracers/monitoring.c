/* file_tracers/monitoring.c has the callbacks of a separate sys.monitoring tool, whose events are the same as
 * sys.settrace's. Every code object is looked at once, when it first begins; those of other files never again. Line
 * events are enabled in code objects of which a measured frame was seen, and stay enabled: the plugin decides each time
 * what lines a frame runs. */
#include "engines/file_tracers/monitoring.h"

#include "engines/code_extra.h"
#include "engines/file_tracers/callbacks.h"
#include "engines/file_tracers/frames.h"
#include "engines/file_tracers/lookup.h"
#include "engines/file_tracers/places.h"

#include <frameobject.h>

static PyObject *
disable(const traced_frames *frames)
{
    return Py_NewRef(frames->disable);
}

/* The frame that an event belongs to. Borrowed; NULL if the code is not Python's, which has no frame. */
static PyFrameObject *
frame_of(PyObject *code)
{
    PyFrameObject *frame = PyEval_GetFrame(); // borrowed
    if (frame == NULL) {
        return NULL;
    }
    PyCodeObject *own = PyFrame_GetCode(frame); // owned
    Py_DECREF(own); /* the frame keeps it alive */
    return (PyObject *)own == code ? frame : NULL;
}

/* The value of a co_extra slot that has no memory of its own. */
static void *
armed_mark(const traced_frames *frames)
{
    return (void *)(((uintptr_t)frames->start << 1) | 1);
}

static void
free_nothing(void *Py_UNUSED(extra))
{
}

/* Enable the events that report the frames of a code object. 0, or -1 with an exception. */
static int
arm(traced_frames *frames, PyObject *code)
{
    void *extra = NULL;
    if (PyUnstable_Code_GetExtra(code, frames->armed_slot, &extra) < 0) {
        return -1;
    }
    if (extra == armed_mark(frames)) {
        return 0;
    }
    PyObject *result =
        PyObject_CallFunctionObjArgs(frames->arming, frames->tool_id, code, frames->local_events, NULL); // owned
    if (result != NULL && frames->global_events != NULL) {
        PyObject *events = frames->global_events; // owned
        frames->global_events = NULL;
        Py_SETREF(result, PyObject_CallFunctionObjArgs(frames->set_events, frames->tool_id, events, NULL));
        Py_DECREF(events);
    }
    Py_XDECREF(result);
    return result == NULL ? -1 : code_extra_set(code, frames->armed_slot, armed_mark(frames));
}

static PyObject *
on_start(PyObject *self, PyObject *const *args, size_t Py_UNUSED(n_args), PyObject *Py_UNUSED(names))
{
    traced_frames *frames = traced_callback_frames(self);
    traced_file *file = NULL;
    switch (traced_files_find(frames, (PyCodeObject *)args[0], PyEval_GetGlobals(), &file)) {
    case TRACED_HAS_FAILED:
        return NULL;
    case TRACED_IS_UNDECIDED:
        Py_RETURN_NONE;
    case TRACED_IS_NONE:
        return disable(frames);
    case TRACED_IS_KNOWN:
        break;
    }
    PyFrameObject *frame = frame_of(args[0]); // borrowed
    if (frame == NULL || !file->is_on || (file->sources == NULL && file->only == NULL)) {
        return disable(frames);
    }
    int counts = traced_frames_begin(frames, file, frame, -((PyCodeObject *)args[0])->co_firstlineno);
    if (counts < 0 || (counts && arm(frames, args[0]) < 0)) {
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *
on_resume(PyObject *self, PyObject *const *args, size_t Py_UNUSED(n_args), PyObject *Py_UNUSED(names))
{
    traced_frames *frames = traced_callback_frames(self);
    traced_file *file = NULL;
    enum traced_answer answer = traced_files_find(frames, (PyCodeObject *)args[0], PyEval_GetGlobals(), &file);
    PyFrameObject *frame = frame_of(args[0]); // borrowed
    if (answer == TRACED_HAS_FAILED
        || (answer == TRACED_IS_KNOWN && frame != NULL
            && traced_frames_begin(frames, file, frame, PyFrame_GetLineNumber(frame)) < 0)) {
        return NULL;
    }
    Py_RETURN_NONE;
}

/* Return whether a frame at a RESUME begins there: the instruction's argument says so. */
static int
begins(PyFrameObject *frame)
{
    PyObject *bytecode = frame_bytecode(frame); // owned
    int is_beginning = bytecode != NULL && bytecode_has(bytecode, (Py_ssize_t)PyFrame_GetLasti(frame) + 1, 0);
    Py_XDECREF(bytecode);
    return is_beginning;
}

static PyObject *
on_throw(PyObject *self, PyObject *const *args, size_t Py_UNUSED(n_args), PyObject *Py_UNUSED(names))
{
    traced_frames *frames = traced_callback_frames(self);
    traced_file *file = NULL;
    enum traced_answer answer = traced_files_find(frames, (PyCodeObject *)args[0], PyEval_GetGlobals(), &file);
    PyFrameObject *frame = answer == TRACED_IS_KNOWN ? frame_of(args[0]) : NULL; // borrowed
    if (answer == TRACED_HAS_FAILED) {
        return NULL;
    }
    if (frame != NULL) {
        int32_t last = begins(frame) ? -((PyCodeObject *)args[0])->co_firstlineno : PyFrame_GetLineNumber(frame);
        if (traced_frames_begin(frames, file, frame, last) < 0) {
            return NULL;
        }
    }
    Py_RETURN_NONE;
}

/* The running frame is at a line. */
static PyObject *
tell_line(traced_frames *frames)
{
    PyFrameObject *frame = PyEval_GetFrame(); // borrowed
    if (frame != NULL && traced_frames_line(frames, frame) < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *
on_line(PyObject *self, PyObject *const *Py_UNUSED(args), size_t Py_UNUSED(n_args), PyObject *Py_UNUSED(names))
{
    return tell_line(traced_callback_frames(self));
}

/* A jump back to the current line is also a line event, as for sys.settrace. */
static PyObject *
on_jump(PyObject *self, PyObject *const *args, size_t Py_UNUSED(n_args), PyObject *Py_UNUSED(names))
{
    traced_frames *frames = traced_callback_frames(self);
    int start = (int)PyLong_AsLong(args[1]);
    int end = (int)PyLong_AsLong(args[2]);
    int line = end >= start ? -1 : PyCode_Addr2Line((PyCodeObject *)args[0], end);
    if (line < 0 || PyCode_Addr2Line((PyCodeObject *)args[0], start) != line) {
        return disable(frames);
    }
    return tell_line(frames);
}

/* The running frame has ended, or waits. */
static PyObject *
tell_end(traced_frames *frames, int is_left)
{
    PyFrameObject *frame = PyEval_GetFrame(); // borrowed
    if (frame != NULL) {
        traced_frames_end(frames, frame, is_left);
    }
    Py_RETURN_NONE;
}

static PyObject *
on_return(PyObject *self, PyObject *const *Py_UNUSED(args), size_t Py_UNUSED(n_args), PyObject *Py_UNUSED(names))
{
    return tell_end(traced_callback_frames(self), 1);
}

static PyObject *
on_yield(PyObject *self, PyObject *const *Py_UNUSED(args), size_t Py_UNUSED(n_args), PyObject *Py_UNUSED(names))
{
    return tell_end(traced_callback_frames(self), 0);
}

static PyObject *
on_unwind(PyObject *self, PyObject *const *args, size_t Py_UNUSED(n_args), PyObject *Py_UNUSED(names))
{
    traced_frames *frames = traced_callback_frames(self);
    PyObject *known = PyDict_GetItemWithError(frames->known, ((PyCodeObject *)args[0])->co_filename); // borrowed
    if (known == NULL && PyErr_Occurred()) {
        return NULL;
    }
    if (known == NULL || PyLong_AsVoidPtr(known) == NULL) {
        Py_RETURN_NONE;
    }
    PyFrameObject *frame = PyEval_GetFrame(); // borrowed
    return tell_end(frames, frame == NULL || !frame_stands_at_yield(frame));
}

static const struct {
    const char *event;
    vectorcallfunc function;
} callbacks[] = {
    {"PY_START", on_start}, {"PY_RESUME", on_resume}, {"PY_THROW", on_throw}, {"LINE", on_line},
    {"JUMP", on_jump},      {"PY_RETURN", on_return}, {"PY_YIELD", on_yield}, {"PY_UNWIND", on_unwind},
};

PyDoc_STRVAR(traced_frames_monitor_doc,
             "traced_frames_monitor($module, frames, tool_id, local_events, global_events, /)\n--\n\n"
             "Return the callbacks of a tool of sys.monitoring, by the names of their events.\n\n"
             "PY_START is to be on everywhere. The events are switched on when the first frame of a file counts, the local\n"
             "ones in each code object of which one does.");

static PyObject *
traced_frames_monitor(PyObject *module, PyObject *args)
{
    module_state *state = get_state(module);
    PyObject *self, *tool_id, *local_events, *global_events; // borrowed
    if (!PyArg_ParseTuple(args, "O!OOO:traced_frames_monitor", state->traced_frames_type, &self, &tool_id,
                          &local_events, &global_events)) {
        return NULL;
    }
    traced_frames *frames = (traced_frames *)self;
    PyObject *monitoring = PySys_GetObject("monitoring"); // borrowed
    if (monitoring == NULL || frames->disable != NULL) {
        PyErr_SetString(PyExc_RuntimeError, "there is no sys.monitoring, or these frames have a tool already");
        return NULL;
    }
    frames->disable = PyObject_GetAttrString(monitoring, "DISABLE");
    frames->arming = PyObject_GetAttrString(monitoring, "set_local_events");
    frames->set_events = PyObject_GetAttrString(monitoring, "set_events");
    frames->tool_id = Py_NewRef(tool_id);
    frames->local_events = Py_NewRef(local_events);
    frames->global_events = Py_NewRef(global_events);
    frames->armed_slot = code_extra_slot(&state->armed_code_slot, free_nothing);
    frames->start = ++state->n_starts;
    PyObject *found = PyDict_New(); // owned
    if (frames->disable == NULL || frames->arming == NULL || frames->set_events == NULL || found == NULL) {
        Py_XDECREF(found);
        return NULL;
    }
    if (frames->armed_slot < 0) {
        Py_DECREF(found);
        PyErr_SetString(PyExc_RuntimeError, "no co_extra slot is free");
        return NULL;
    }
    for (size_t i = 0; i < sizeof callbacks / sizeof callbacks[0]; i++) {
        PyObject *callback = traced_callback_new(frames, callbacks[i].function); // owned
        int status = callback == NULL ? -1 : PyDict_SetItemString(found, callbacks[i].event, callback);
        Py_XDECREF(callback);
        if (status < 0) {
            Py_DECREF(found);
            return NULL;
        }
    }
    return found;
}

static PyMethodDef module_methods[] = {
    {"traced_frames_monitor", traced_frames_monitor, METH_VARARGS, traced_frames_monitor_doc},
    {NULL, NULL, 0, NULL},
};

int
traced_frames_monitoring_exec(PyObject *module)
{
    return traced_callbacks_exec(module) < 0 ? -1 : PyModule_AddFunctions(module, module_methods);
}
