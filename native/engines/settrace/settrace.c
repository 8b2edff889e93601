/* settrace.c is the engine on the interpreter's trace function, the fallback if neither monitoring nor probes can be
 * used. Each line of a measured frame adds the pair (last line, this line) to a set in the record file; pairs follow
 * coverage.py's C tracer, so nothing remains to be computed after the run. Sets belong to code objects (their co_extra
 * slot), last lines to frames. Threads started later are traced because the functions of `_thread` that start them are
 * wrapped; everything runs under the GIL. */
#include "core/state.h" /* first: Python.h must come before the system headers */

#include "engines/settrace/settrace.h"

#include "compat/versions.h"
#include "core/program_starts.h"
#include "engines/code_extra.h"
#include "engines/engine.h"
#include "engines/file_tracers/evaluation.h"
#include "engines/file_tracers/frames.h"
#include "engines/function_contexts.h"
#include "engines/settrace/codes.h"
#include "engines/settrace/lines.h"
#include "engines/settrace/pairs.h"

#include <frameobject.h>

enum settrace_answer
settrace_tell(module_state *state, PyObject *code, int what)
{
    struct settrace *engine = state->settrace;
    if (engine == NULL || engine->is_off || engine->is_paused) {
        return SETTRACE_IS_OFF;
    }
    PyFrameObject *frame = PyEval_GetFrame(); // borrowed
    PyCodeObject *own = frame == NULL ? NULL : PyFrame_GetCode(frame); // owned
    Py_XDECREF(own); /* the frame keeps it alive */
    if (own == NULL || (PyObject *)own != code) {
        return SETTRACE_PASSES_OVER; /* an extension's code, which has no frame */
    }
    traced_code *traced = traced_code_find(state, own, what);
    int status = traced == NULL ? -1 : 0;
    if (traced_code_is_measured(traced)) {
        status = what == PyTrace_CALL   ? traced_frame_begins(state, frame, own, traced)
                 : what == PyTrace_LINE ? traced_frame_line(state, frame, own, traced)
                                        : traced_frame_ends(state, frame, own, traced);
    }
    if (state->settrace != engine) {
        return SETTRACE_IS_OFF; /* stopped by another thread */
    }
    if (status < 0) {
        settrace_fail(state);
        return SETTRACE_IS_OFF;
    }
    return !traced_code_is_measured(traced) ? SETTRACE_PASSES_OVER
           : traced->is_watched             ? SETTRACE_WATCHES
                                            : SETTRACE_SHOULD_WATCH;
}

enum settrace_answer
settrace_look_up(module_state *state, PyObject *code)
{
    struct settrace *engine = state->settrace;
    traced_code *traced = engine == NULL ? NULL : traced_code_find(state, (PyCodeObject *)code, PyTrace_CALL);
    if (traced == NULL) {
        return SETTRACE_IS_OFF;
    }
    return !traced_code_is_measured(traced) ? SETTRACE_PASSES_OVER
           : traced->is_watched             ? SETTRACE_WATCHES
                                            : SETTRACE_SHOULD_WATCH;
}

void
settrace_note_watched(module_state *state, PyObject *code)
{
    void *extra = NULL;
    struct settrace *engine = state->settrace;
    if (engine != NULL && PyUnstable_Code_GetExtra(code, engine->extra_index, &extra) == 0) {
        traced_code *traced = traced_code_known(engine, extra);
        if (traced_code_is_measured(traced)) {
            traced->is_watched = 1;
        }
    }
}

PyDoc_STRVAR(settrace_pass_over_doc,
             "settrace_pass_over($module, code, /)\n--\n\n"
             "Never measure those code objects of a module with probes that need none: a generator expression, for example.");

static PyObject *
settrace_pass_over(PyObject *module, PyObject *code)
{
    module_state *state = get_state(module);
    if (!PyCode_Check(code)) {
        PyErr_SetString(PyExc_TypeError, "settrace_pass_over() needs a code object");
        return NULL;
    }
    Py_ssize_t slot = code_extra_slot(&state->traced_code_slot, traced_code_free);
    if (slot >= 0 && traced_code_pass_over(state, code, slot) < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

/* The trace function. Always 0: the program must not see our failures. */
static int
trace(PyObject *function, PyFrameObject *frame, int what, PyObject *Py_UNUSED(arg))
{
    module_state *state = get_state(PyCFunction_GET_SELF(function));
    struct settrace *engine = state->settrace;
    if (engine == NULL || engine->is_off || engine->is_paused) {
        PyEval_SetTrace(NULL, NULL); /* stopped by another thread */
        return 0;
    }
    if (what != PyTrace_CALL && what != PyTrace_LINE && what != PyTrace_RETURN) {
        return 0;
    }
    if (what == PyTrace_CALL) {
        function_contexts_call(state, frame);
        if (state->settrace != engine) {
            return 0; /* it was stopped meanwhile */
        }
    }
    PyCodeObject *code = PyFrame_GetCode(frame); // owned
    traced_code *traced = traced_code_find(state, code, what);
    int status = traced == NULL ? -1 : 0;
    if (traced_code_is_measured(traced)) {
        status = traced->plugin_file != NULL ? traced_frame_tell_plugin(state, frame, traced, what)
                 : what == PyTrace_CALL      ? traced_frame_begins(state, frame, code, traced)
                 : what == PyTrace_LINE      ? traced_frame_line(state, frame, code, traced)
                                             : traced_frame_ends(state, frame, code, traced);
    }
    if (status < 0 && state->settrace == engine) {
        settrace_fail(state); /* else it was stopped by another thread */
    }
    if (what == PyTrace_RETURN) {
        function_contexts_return(state, frame);
    }
    Py_DECREF(code);
    return 0;
}

/* The same for programs that call the result of sys.gettrace: a Python trace function. */
static PyObject *
trace_from_python(PyObject *module, PyObject *const *args, Py_ssize_t n_args)
{
    module_state *state = get_state(module);
    struct settrace *engine = state->settrace;
    if (n_args < 2 || !PyFrame_Check(args[0]) || !PyUnicode_Check(args[1])) {
        PyErr_SetString(PyExc_TypeError, "a trace function takes a frame, an event and a value");
        return NULL;
    }
    if (engine == NULL || engine->is_off || engine->is_paused) {
        Py_RETURN_NONE;
    }
    int what = PyUnicode_CompareWithASCIIString(args[1], "call") == 0     ? PyTrace_CALL
               : PyUnicode_CompareWithASCIIString(args[1], "line") == 0   ? PyTrace_LINE
               : PyUnicode_CompareWithASCIIString(args[1], "return") == 0 ? PyTrace_RETURN
                                                                          : PyTrace_EXCEPTION;
    PyObject *function = Py_NewRef(engine->function); // owned
    trace(function, (PyFrameObject *)args[0], what, Py_None);
    if (what == PyTrace_CALL && state->settrace == engine && !engine->is_off && !engine->is_paused) {
        PyEval_SetTrace(trace, function); /* back to the fast way, now that a frame begins */
    }
    return function;
}

static PyMethodDef trace_function = {"footfall_trace", (PyCFunction)(void (*)(void))trace_from_python, METH_FASTCALL,
                                     "footfall's trace function."};

/* What a new thread runs: self is (module, the program's function). */
static PyObject *
run_thread(PyObject *self, PyObject *args, PyObject *kwargs)
{
    module_state *state = get_state(PyTuple_GET_ITEM(self, 0));
    /* There may be a trace function: a debugger's, whose own wrapper for starting threads is around ours, or, if
     * "threads" are greenlets, that of the thread that continues here. */
    int is_traced = PyThreadState_Get()->c_tracefunc != NULL;
    if (!is_traced && state != NULL && state->settrace != NULL && !state->settrace->is_off
        && !state->settrace->is_paused && !state->settrace->has_tool) {
        PyEval_SetTrace(trace, state->settrace->function);
    }
    traced_frames_thread_begins();
    return PyObject_Call(PyTuple_GET_ITEM(self, 1), args, kwargs);
}

static PyMethodDef run_thread_def = {"footfall_run_thread", (PyCFunction)(void (*)(void))run_thread,
                                     METH_VARARGS | METH_KEYWORDS, NULL};

PyDoc_STRVAR(settrace_wrap_thread_doc,
             "settrace_wrap_thread($module, function, /)\n--\n\n"
             "Return a look-alike of `function` that, as a thread's, is traced while the engine runs.");

static PyObject *
settrace_wrap_thread(PyObject *module, PyObject *function)
{
    PyObject *self = PyTuple_Pack(2, module, function); // owned
    PyObject *runner = self == NULL ? NULL : PyCFunction_New(&run_thread_def, self); // owned
    PyObject *dressed = runner == NULL ? NULL : program_starts_dress(get_state(module), runner, function); // owned
    Py_XDECREF(runner);
    Py_XDECREF(self);
    return dressed;
}

static int
trace_all_threads(Py_tracefunc function, PyObject *argument)
{
#if HAS_TRACE_ALL_THREADS
    PyEval_SetTraceAllThreads(function, argument);
    return PyErr_Occurred() ? -1 : 0;
#else
    PyThreadState *thread = PyInterpreterState_ThreadHead(PyInterpreterState_Get());
    for (; thread != NULL; thread = PyThreadState_Next(thread)) {
        if (!traced_frames_trace(thread) && _PyEval_SetTrace(thread, function, argument) < 0) {
            return -1;
        }
    }
    return 0;
#endif
}

PyDoc_STRVAR(settrace_start_doc,
             "settrace_start($module, decide, with_arcs, only_new, traced_frames, has_tool=False, /)\n--\n\n"
             "Trace all threads; measure files for which `decide(co_filename)` gives a path.\n\n"
             "Where it gives a TracedFile, `traced_frames`, else None, record it. The record file must be open.\n"
             "If it `has_tool`, no thread is traced: events come from the callbacks of `settrace_tool`.");

static PyObject *
settrace_start(PyObject *module, PyObject *args)
{
    module_state *state = get_state(module);
    PyObject *decide; // borrowed
    int with_arcs;
    int only_new;
    PyObject *frames; // borrowed
    int has_tool = 0;
    if (!PyArg_ParseTuple(args, "OppO|p:settrace_start", &decide, &with_arcs, &only_new, &frames, &has_tool)) {
        return NULL;
    }
    if (frames != Py_None && !Py_IS_TYPE(frames, state->traced_frames_type)) {
        PyErr_SetString(PyExc_TypeError, "traced_frames is a TracedFrames or None");
        return NULL;
    }
    if (state->recorder == NULL || state->settrace != NULL) {
        PyErr_SetString(PyExc_RuntimeError, "no record file is open, or the engine runs already");
        return NULL;
    }
    struct settrace *engine = PyMem_Calloc(1, sizeof *engine);
    if (engine == NULL) {
        return PyErr_NoMemory();
    }
    state->settrace = engine;
    engine->with_arcs = with_arcs;
    engine->only_new = only_new;
    engine->has_tool = has_tool;
    engine->decide = Py_NewRef(decide);
    engine->traced_frames = frames == Py_None ? NULL : (traced_frames *)Py_NewRef(frames);
    engine->decisions = PyDict_New();
    engine->f_trace = PyUnicode_InternFromString("f_trace");
    engine->function = PyCFunction_New(&trace_function, module);
    engine->extra_index = code_extra_slot(&state->traced_code_slot, traced_code_free);
    engine->start = ++state->n_starts;
    if (engine->decisions == NULL || engine->f_trace == NULL || engine->function == NULL) {
        return NULL;
    }
    if (engine->extra_index < 0) {
        PyErr_SetString(PyExc_RuntimeError, "no co_extra slot is free");
        return NULL;
    }
    if (!has_tool) {
        if (trace_all_threads(trace, engine->function) < 0) {
            return NULL;
        }
        traced_frames_note_tracer(trace, engine->function);
    }
    Py_RETURN_NONE;
}

PyDoc_STRVAR(settrace_ask_again_doc,
             "settrace_ask_again($module, filename, /)\n--\n\n"
             "Forget what was decided about a file, for code of it that has not run yet.");

static PyObject *
settrace_ask_again(PyObject *module, PyObject *filename)
{
    struct settrace *engine = get_state(module)->settrace;
    if (engine != NULL && PyDict_Contains(engine->decisions, filename) == 1
        && PyDict_DelItem(engine->decisions, filename) < 0) {
        return NULL;
    }
    if (PyErr_Occurred()) {
        return NULL;
    }
    Py_RETURN_NONE;
}

static int
settrace_traverse(module_state *state, visitproc visit, void *arg)
{
    struct settrace *engine = state->settrace;
    if (engine != NULL) {
        Py_VISIT(engine->decide);
        Py_VISIT(engine->traced_frames);
        Py_VISIT(engine->decisions);
        Py_VISIT(engine->function);
    }
    return 0;
}

static void
settrace_clear(module_state *state)
{
    struct settrace *engine = state->settrace;
    if (engine == NULL) {
        return;
    }
    state->settrace = NULL;
    engine->is_stopped = 1;
    if (!engine->has_tool) {
        traced_frames_note_tracer(NULL, NULL);
    }
    if (engine->n_callers == 0) {
        settrace_free(engine);
    }
}

PyDoc_STRVAR(settrace_stop_doc, "settrace_stop($module, /)\n--\n\n"
                                "Trace no thread any more. Does nothing when the engine does not run.");

static PyObject *
settrace_stop(PyObject *module, PyObject *Py_UNUSED(ignored))
{
    module_state *state = get_state(module);
    if (state->settrace != NULL) {
        int has_tool = state->settrace->has_tool;
        settrace_clear(state); /* remaining calls of the trace function find no engine, and unset it */
        if (!has_tool && trace_all_threads(NULL, NULL) < 0) {
            return NULL;
        }
    }
    Py_RETURN_NONE;
}

PyDoc_STRVAR(settrace_pause_doc, "settrace_pause($module, /)\n--\n\n"
                                 "Trace no thread until `settrace_resume`. False if that can't be.");

static PyObject *
settrace_pause(PyObject *module, PyObject *Py_UNUSED(ignored))
{
    struct settrace *engine = get_state(module)->settrace;
    if (engine == NULL || engine->is_off || engine->has_tool || engine->traced_frames != NULL || !engine->only_new) {
        Py_RETURN_FALSE;
    }
    engine->is_paused = 1;
    frame_lines_free(&engine->running); /* frames that are running then are not measured any more */
    if (trace_all_threads(NULL, NULL) < 0) {
        return NULL;
    }
    traced_frames_note_tracer(NULL, NULL);
    Py_RETURN_TRUE;
}

PyDoc_STRVAR(settrace_resume_doc, "settrace_resume($module, /)\n--\n\n"
                                  "Trace all threads again, in what begins from now on. False if that can't be.");

static PyObject *
settrace_resume(PyObject *module, PyObject *Py_UNUSED(ignored))
{
    struct settrace *engine = get_state(module)->settrace;
    if (engine == NULL || engine->is_off || !engine->is_paused) {
        Py_RETURN_FALSE;
    }
    engine->is_paused = 0;
    frame_lines_free(&engine->running);
    if (trace_all_threads(trace, engine->function) < 0) {
        return NULL;
    }
    traced_frames_note_tracer(trace, engine->function);
    Py_RETURN_TRUE;
}

static PyMethodDef settrace_methods[] = {
    {"settrace_pass_over", settrace_pass_over, METH_O, settrace_pass_over_doc},
    {"settrace_ask_again", settrace_ask_again, METH_O, settrace_ask_again_doc},
    {"settrace_wrap_thread", settrace_wrap_thread, METH_O, settrace_wrap_thread_doc},
    {"settrace_pause", settrace_pause, METH_NOARGS, settrace_pause_doc},
    {"settrace_resume", settrace_resume, METH_NOARGS, settrace_resume_doc},
    {"settrace_start", settrace_start, METH_VARARGS, settrace_start_doc},
    {"settrace_stop", settrace_stop, METH_NOARGS, settrace_stop_doc},
    {NULL, NULL, 0, NULL},
};

static const engine_functions settrace_engine = {traced_pairs_flush, NULL, settrace_traverse, settrace_clear};

int
settrace_exec(PyObject *module)
{
    engine_register(get_state(module), &settrace_engine);
    return PyModule_AddFunctions(module, settrace_methods);
}
