/* file_tracers/frames.c asks plugins of coverage.py what their frames run, and makes pairs of lines from it: the same
 * as coverage.py's C tracer. A plugin is asked for the source when a frame begins or continues, and for the lines at
 * each line. This file does not know how an engine sees frames. Threads: everything needs the GIL; while a plugin
 * answers, other threads run, and change the table of frames. */
#include "engines/file_tracers/frames.h"

#include <string.h>

#define END_OF_LINES (1 << 24) /* no source is this long */

traced_file *
traced_frames_file(traced_frames *frames, PyObject *traced)
{
    traced_file *file = frames->first;
    while (file != NULL && file->traced != traced) {
        file = file->next;
    }
    if (file == NULL) {
        file = traced_file_new(traced);
        if (file != NULL) {
            file->next = frames->first;
            frames->first = file;
        }
    }
    return file;
}

/* The plugin has raised the exception that is set. 0, or -1 if it is the program's and is passed on. */
static int
plugin_failed(traced_frames *frames, traced_file *file)
{
    if (!PyErr_ExceptionMatches(PyExc_Exception) && !PyErr_ExceptionMatches(PyExc_SystemExit)) {
        return -1;
    }
    PyObject *type = NULL, *error = NULL, *trace = NULL; // owned
    PyErr_Fetch(&type, &error, &trace);
    PyErr_NormalizeException(&type, &error, &trace);
    if (trace != NULL) {
        PyException_SetTraceback(error, trace);
    }
    PyObject *name = PyUnicode_FromString("failed"); // owned
    PyObject *result = name == NULL ? NULL : PyObject_CallMethodObjArgs(frames->files, name, file->plugin, error, NULL);
    Py_XDECREF(name);
    Py_XDECREF(type);
    Py_XDECREF(error);
    Py_XDECREF(trace);
    Py_XDECREF(result);
    return result == NULL ? -1 : 0;
}

/* Decide about a source that a plugin names for the first time. 0, or -1 with an exception. */
static int
decide_source(traced_frames *frames, traced_file *file, PyObject *name, PyFrameObject *frame, traced_source **source)
{
    PyObject *method = PyUnicode_FromString("decide_source"); // owned
    PyObject *path = method == NULL ? NULL
                                    : PyObject_CallMethodObjArgs(frames->files, method, file->traced, name,
                                                                 (PyObject *)frame, NULL); // owned
    Py_XDECREF(method);
    if (path == NULL) {
        return -1;
    }
    *source = path == Py_None ? NULL : traced_source_new(file, path);
    int is_failed = path != Py_None && *source == NULL;
    Py_DECREF(path);
    PyObject *address = is_failed ? NULL : PyLong_FromVoidPtr(*source); // owned
    int status = address == NULL ? -1 : PyDict_SetItem(file->sources, name, address);
    Py_XDECREF(address);
    return status;
}

/* Ask for the source that a frame runs for, NULL if it is not measured. 0, or -1 with an exception. */
static int
ask_source(traced_frames *frames, traced_file *file, PyFrameObject *frame, traced_source **source)
{
    PyObject *name = plugin_function_call(&file->source_of, file->filename, (PyObject *)frame); // owned
    if (name == NULL) {
        return -1;
    }
    int status = 0;
    if (name != Py_None) {
        PyObject *known = PyDict_GetItemWithError(file->sources, name); // borrowed
        if (known != NULL) {
            *source = PyLong_AsVoidPtr(known);
        }
        else {
            status = PyErr_Occurred() ? -1 : decide_source(frames, file, name, frame, source);
        }
    }
    Py_DECREF(name);
    return status;
}

static void
forget_frame(traced_frames *frames, const PyFrameObject *frame)
{
    frame_line *running = frame_lines_find(&frames->running, frame);
    if (running != NULL) {
        frame_lines_remove(&frames->running, running);
    }
}

int
traced_frames_begin(traced_frames *frames, traced_file *file, PyFrameObject *frame, int32_t last)
{
    traced_source *source = file->only;
    int status = 0;
    if (file->is_on && file->sources != NULL) {
        source = NULL;
        status = ask_source(frames, file, frame, &source);
    }
    if (status == 0 && file->is_on && source != NULL) {
        status = traced_source_note(frames->state, source);
    }
    if (status < 0) {
        source = NULL;
        status = plugin_failed(frames, file);
    }
    if (source == NULL || !file->is_on || frame_lines_put_source(&frames->running, frame, last, source) < 0) {
        forget_frame(frames, frame);
        return status;
    }
    return 1;
}

/* Read the result of line_number_range. 0, or -1 with an exception. */
static int
read_lines(PyObject *answer, int32_t *first, int32_t *last)
{
    if (!PyTuple_Check(answer) || PyTuple_GET_SIZE(answer) != 2) {
        PyErr_Format(PyExc_TypeError, "line_number_range must return 2-tuple, not %R", answer);
        return -1;
    }
    long both[2];
    for (Py_ssize_t i = 0; i < 2; i++) {
        both[i] = PyLong_AsLong(PyTuple_GET_ITEM(answer, i));
        if (both[i] == -1 && PyErr_Occurred()) {
            return -1;
        }
    }
    if (both[0] <= -END_OF_LINES || both[1] > END_OF_LINES) {
        PyErr_Format(PyExc_ValueError, "line_number_range returned %R: no source is so long", answer);
        return -1;
    }
    /* The narrower type loses nothing: values that do not fit mean no line. */
    int is_none = both[0] == -1 || both[0] > both[1];
    *first = is_none ? -1 : (int32_t)both[0];
    *last = is_none ? -1 : (int32_t)both[1];
    return 0;
}

int
traced_frames_counts(const traced_frames *frames, const PyFrameObject *frame)
{
    return frame_lines_find(&frames->running, frame) != NULL;
}

int
traced_frames_line(traced_frames *frames, PyFrameObject *frame)
{
    frame_line *running = frame_lines_find(&frames->running, frame);
    if (running == NULL) {
        return 0;
    }
    traced_source *source = running->source;
    traced_file *file = source->file;
    if (!file->is_on) {
        return 0;
    }
    PyObject *answer = plugin_function_call(&file->line_range, (PyObject *)frame, NULL); // owned
    int32_t first = -1, last = -1;
    int status = answer == NULL ? -1 : read_lines(answer, &first, &last);
    Py_XDECREF(answer);
    if (status < 0) {
        return plugin_failed(frames, file);
    }
    running = frame_lines_find(&frames->running, frame);
    if (running == NULL || first == -1) {
        return 0;
    }
    int32_t before = running->last_line;
    running->last_line = last;
    for (int32_t line = first; line <= last; line++) {
        traced_source_add(frames->state, source, frames->with_arcs ? before : 0, line, frames->with_arcs);
        before = line;
    }
    return 0;
}

void
traced_frames_end(traced_frames *frames, PyFrameObject *frame, int is_left)
{
    frame_line *running = frame_lines_find(&frames->running, frame);
    if (running == NULL) {
        return;
    }
    traced_source *source = running->source;
    int32_t last = running->last_line;
    frame_lines_remove(&frames->running, running);
    if (is_left && frames->with_arcs && source->file->is_on) {
        PyCodeObject *code = PyFrame_GetCode(frame); // owned
        traced_source_add(frames->state, source, last, -code->co_firstlineno, 1);
        Py_DECREF(code);
    }
}

PyDoc_STRVAR(switch_off_doc, "switch_off($self, plugin, /)\n--\n\n"
                             "Drop the results of a plugin that has failed, and ask it no more.");

static PyObject *
switch_off(PyObject *self, PyObject *plugin)
{
    traced_frames *frames = (traced_frames *)self;
    for (traced_file *file = frames->first; file != NULL; file = file->next) {
        if (file->plugin == plugin) {
            traced_file_switch_off(frames->state, file);
        }
    }
    Py_RETURN_NONE;
}

static int
frames_traverse(PyObject *self, visitproc visit, void *arg)
{
    traced_frames *frames = (traced_frames *)self;
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(frames->module);
    Py_VISIT(frames->files);
    Py_VISIT(frames->known);
    Py_VISIT(frames->undecided);
    Py_VISIT(frames->disable);
    Py_VISIT(frames->arming);
    Py_VISIT(frames->set_events);
    for (traced_file *file = frames->first; file != NULL; file = file->next) {
        int status = traced_file_traverse(file, visit, arg);
        if (status != 0) {
            return status;
        }
    }
    return 0;
}

/* Clears what may form cycles; the files stay until the end, because frames of them may be running. */
static int
frames_clear(PyObject *self)
{
    Py_CLEAR(((traced_frames *)self)->files);
    return 0;
}

static void
frames_dealloc(PyObject *self)
{
    traced_frames *frames = (traced_frames *)self;
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    while (frames->first != NULL) {
        traced_file *file = frames->first;
        frames->first = file->next;
        traced_file_free(file);
    }
    frame_lines_free(&frames->running);
    Py_XDECREF(frames->files);
    Py_XDECREF(frames->known);
    Py_XDECREF(frames->undecided);
    Py_XDECREF(frames->disable);
    Py_XDECREF(frames->arming);
    Py_XDECREF(frames->tool_id);
    Py_XDECREF(frames->local_events);
    Py_XDECREF(frames->global_events);
    Py_XDECREF(frames->set_events);
    Py_XDECREF(frames->module);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMethodDef frames_methods[] = {
    {"switch_off", switch_off, METH_O, switch_off_doc},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot frames_slots[] = {
    {Py_tp_doc, "Frames of files that plugins of coverage.py measure; `traced_frames` makes it."},
    {Py_tp_traverse, frames_traverse},
    {Py_tp_clear, frames_clear},
    {Py_tp_dealloc, frames_dealloc},
    {Py_tp_methods, frames_methods},
    {0, NULL},
};

static PyType_Spec frames_spec = {
    .name = "footfall._core.TracedFrames",
    .basicsize = sizeof(traced_frames),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = frames_slots,
};

PyDoc_STRVAR(traced_frames_doc, "traced_frames($module, files, undecided, with_arcs, /)\n--\n\n"
                                "Return the frames of the files that `files`, a FileTracers, finds; it knows none yet.\n\n"
                                "`undecided` is what its `look_up` returns where it can't tell. A record file must be open.");

static PyObject *
make_frames(PyObject *module, PyObject *args)
{
    PyObject *files, *undecided; // borrowed
    int with_arcs;
    if (!PyArg_ParseTuple(args, "OOp:traced_frames", &files, &undecided, &with_arcs)) {
        return NULL;
    }
    module_state *state = get_state(module);
    traced_frames *frames = PyObject_GC_New(traced_frames, state->traced_frames_type);
    if (frames == NULL) {
        return NULL;
    }
    memset((char *)frames + sizeof(PyObject), 0, sizeof *frames - sizeof(PyObject));
    frames->state = state;
    frames->module = Py_NewRef(module);
    frames->files = Py_NewRef(files);
    frames->undecided = Py_NewRef(undecided);
    frames->with_arcs = with_arcs;
    frames->known = PyDict_New();
    PyObject_GC_Track(frames);
    if (frames->known == NULL) {
        Py_DECREF(frames);
        return NULL;
    }
    return (PyObject *)frames;
}

static PyMethodDef module_methods[] = {
    {"traced_frames", make_frames, METH_VARARGS, traced_frames_doc},
    {NULL, NULL, 0, NULL},
};

int
traced_frames_exec(PyObject *module)
{
    PyObject *type = PyType_FromModuleAndSpec(module, &frames_spec, NULL); // owned
    if (type == NULL || PyModule_AddType(module, (PyTypeObject *)type) < 0) {
        Py_XDECREF(type);
        return -1;
    }
    get_state(module)->traced_frames_type = (PyTypeObject *)type;
    return PyModule_AddFunctions(module, module_methods);
}
