/* file_tracers/lookup.c keeps, for each name of a code file, which plugin measures it, and asks
 * observe/file_tracers/files.py about new ones. Threads: everything needs the GIL. */
#include "engines/file_tracers/lookup.h"

#include "core/room.h"

/* The calls in Python that find out about a file are some ten levels deep, plugins aside. */
#define ROOM 200

static enum traced_answer
look_up(traced_frames *frames, PyObject *filename, PyObject *globals, traced_file **file)
{
    PyObject *name = PyUnicode_FromString("look_up"); // owned
    if (name == NULL) {
        return TRACED_HAS_FAILED;
    }
    room_change(ROOM);
    PyObject *traced = PyObject_CallMethodObjArgs(frames->files, name, filename, globals == NULL ? Py_None : globals,
                                                  NULL); // owned
    room_change(-ROOM);
    Py_DECREF(name);
    if (traced == NULL || traced == frames->undecided) {
        Py_XDECREF(traced);
        return traced == NULL ? TRACED_HAS_FAILED : TRACED_IS_UNDECIDED;
    }
    *file = traced == Py_None ? NULL : traced_frames_file(frames, traced);
    int is_failed = traced != Py_None && *file == NULL;
    Py_DECREF(traced);
    PyObject *address = is_failed ? NULL : PyLong_FromVoidPtr(*file); // owned
    int status = address == NULL ? -1 : PyDict_SetItem(frames->known, filename, address);
    Py_XDECREF(address);
    return status < 0 ? TRACED_HAS_FAILED : *file == NULL ? TRACED_IS_NONE : TRACED_IS_KNOWN;
}

enum traced_answer
traced_files_find(traced_frames *frames, PyCodeObject *code, PyObject *globals, traced_file **file)
{
    PyObject *known = PyDict_GetItemWithError(frames->known, code->co_filename); // borrowed
    if (known == NULL) {
        return PyErr_Occurred() ? TRACED_HAS_FAILED : look_up(frames, code->co_filename, globals, file);
    }
    *file = PyLong_AsVoidPtr(known);
    return *file == NULL ? TRACED_IS_NONE : TRACED_IS_KNOWN;
}
