/* settrace/lines.c owns the last line of each running frame: from it and the line of an event it makes the pairs, which
 * follow coverage.py's C tracer. */
#include "core/state.h" /* first: Python.h must come before the system headers */

#include "engines/settrace/lines.h"

#include "compat/versions.h"
#include "engines/decision.h"
#include "engines/settrace/pairs.h"

#include <frameobject.h>
#include <opcode.h>

/* From the place of a frame that yields to the RESUME after it. */
#define YIELD_TO_RESUME_BYTES (YIELDS_STAND_AT_RESUME ? 0 : 2)

/* A program may get our function from sys.gettrace and set it again later: then the interpreter calls the frame's
 * own. */
static int
set_f_trace(module_state *state, PyFrameObject *frame)
{
    struct settrace *engine = state->settrace;
    settrace_enter(state); /* the previous value may be an object of the program that is freed here */
    int status = PyObject_SetAttr((PyObject *)frame, engine->f_trace, engine->function);
    return settrace_leave(state, engine) < 0 || status < 0 ? -1 : 0;
}

/* Return whether a frame that begins continues after a yield: it is at a RESUME, whose argument is 0 at the start. */
static int
is_going_on(PyFrameObject *frame, traced_code *traced)
{
    int unit = PyFrame_GetLasti(frame);
    return unit >= 0 && unit + 1 < PyBytes_GET_SIZE(traced->bytecode)
           && PyBytes_AS_STRING(traced->bytecode)[unit + 1] != 0;
}

int
traced_frame_begins(module_state *state, PyFrameObject *frame, PyCodeObject *code, traced_code *traced)
{
    struct settrace *engine = state->settrace;
    if (!engine->has_tool && set_f_trace(state, frame) < 0) {
        return -1;
    }
    int is_resumed = is_going_on(frame, traced);
    int32_t last = is_resumed ? PyFrame_GetLineNumber(frame) : -code->co_firstlineno;
    if (frame_lines_put(&engine->running, frame, last) < 0) {
        PyErr_NoMemory();
        return -1;
    }
    return 0;
}

int
traced_frame_line(module_state *state, PyFrameObject *frame, PyCodeObject *code, traced_code *traced)
{
    struct settrace *engine = state->settrace;
    int32_t line = PyFrame_GetLineNumber(frame);
    frame_line *running = frame_lines_find(&engine->running, frame);
    int32_t last = running != NULL ? running->last_line : NO_LINE;
    if (running != NULL) {
        running->last_line = line;
    }
    else if (engine->only_new) {
        return 0;
    }
    else if (frame_lines_put(&engine->running, frame, line) < 0) { /* it began before measuring */
        PyErr_NoMemory();
        return -1;
    }
    return traced_pairs_add(state, code, traced, last, line);
}

static int
is_yield(PyFrameObject *frame, traced_code *traced)
{
    Py_ssize_t size = PyBytes_GET_SIZE(traced->bytecode);
    Py_ssize_t at = PyFrame_GetLasti(frame);
    if (at < 0 || at == size - 2) {
        return 0;
    }
    at += YIELD_TO_RESUME_BYTES;
    return at < size && (unsigned char)PyBytes_AS_STRING(traced->bytecode)[at] == RESUME;
}

int
traced_frame_ends(module_state *state, PyFrameObject *frame, PyCodeObject *code, traced_code *traced)
{
    frame_line *running = frame_lines_find(&state->settrace->running, frame);
    if (running == NULL) {
        return 0;
    }
    int32_t last = running->last_line;
    frame_lines_remove(&state->settrace->running, running);
    if (is_yield(frame, traced)) {
        return 0;
    }
#if RETURNS_ON_UNTOLD_LINES
    int32_t line = PyFrame_GetLineNumber(frame); /* it can be a new one, without an event */
    if (line != last) {
        if (traced_pairs_add(state, code, traced, last, line) < 0) {
            return -1;
        }
        last = line;
    }
#endif
    return traced_pairs_add(state, code, traced, last, -code->co_firstlineno);
}

int
traced_frame_tell_plugin(module_state *state, PyFrameObject *frame, traced_code *traced, int what)
{
    struct settrace *engine = state->settrace;
    if (what == PyTrace_CALL && set_f_trace(state, frame) < 0) {
        return -1;
    }
    traced_frames *frames = (traced_frames *)Py_NewRef(engine->traced_frames); // owned
    int status = 0;
    settrace_enter(state);
    if (what == PyTrace_CALL) {
        PyCodeObject *code = PyFrame_GetCode(frame); // owned
        int32_t last = is_going_on(frame, traced) ? PyFrame_GetLineNumber(frame) : -code->co_firstlineno;
        status = traced_frames_begin(frames, traced->plugin_file, frame, last);
        Py_DECREF(code);
    }
    else if (what == PyTrace_LINE) {
        status = traced_frames_line(frames, frame);
    }
    else {
        traced_frames_end(frames, frame, !is_yield(frame, traced));
    }
    PyObject *type = NULL, *error = NULL, *traceback = NULL; // owned
    if (status < 0) {
        PyErr_Fetch(&type, &error, &traceback);
        PyErr_NormalizeException(&type, &error, &traceback);
        if (error != NULL && !PyErr_GivenExceptionMatches(error, PyExc_RecursionError)) {
            raise_later(Py_NewRef(error)); /* the program will soon find out itself that its stack is full */
        }
    }
    Py_XDECREF(type);
    Py_XDECREF(error);
    Py_XDECREF(traceback);
    Py_DECREF(frames);
    return settrace_leave(state, engine);
}
