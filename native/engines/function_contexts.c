/* engines/function_contexts.c lets functions begin a context, which ends when their frame returns, yields or is left by
 * an exception, as coverage.py does with its trace function. It owns the functions that return labels. Plugins are
 * asked about each frame, which the engine `settrace` reports; functions whose name begins with "test" need no trace
 * function.
 *
 * Any code may be such a function, even code that no engine measures, so frames are seen by the interpreter's frame
 * evaluation function (PEP 523): it looks at the name of each frame. Within a test there is nothing to look for, so
 * there it is removed, and the interpreter calls functions in its own fast way. It stays while other threads run
 * Python. So a call costs some ten nanoseconds more outside of tests, and nothing inside.
 *
 * The evaluation function gets no data of ours. Hence the variables at file scope, which are the main interpreter's and
 * guarded by its GIL, and thread-local ones. */
#include "engines/function_contexts.h"

#include "compat/versions.h"
#include "core/room.h"
#include "core/unseen.h"
#include "engines/contexts.h"
#include "engines/file_tracers/evaluation.h"
#include "engines/stack_depth.h"
#include "record/recorder.h"

#define Py_BUILD_CORE
#if FRAMES_HAVE_STACK_REFS
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter" /* of the header's own functions */
#include <internal/pycore_interpframe.h>
#pragma GCC diagnostic pop
#else
#include <internal/pycore_frame.h>
#endif
#undef Py_BUILD_CORE

/* The Python call that returns a label is a few levels deep, except for the program's own `__getattr__`. */
#define ROOM 200

struct function_contexts {
    PyObject *label_of; /* owned: (code, globals, self) or (code, globals) -> str | None, of functions named test* */
    PyObject *label_of_frame; /* owned: frame -> str | None; NULL if no engine reports frames */
    _PyFrameEvalFunction before; /* what evaluated frames before */
    int owns_samples; /* the label of samples is set by us, not by a test runner */
    int has_failed;
};

/* The module state whose functions begin contexts; borrowed, NULL if none do. */
static module_state *measured;

/* State of the running thread. */
static _Thread_local struct {
    int is_in_context; /* a frame below is in a context that it began */
    const PyFrameObject *holder; /* borrowed: that frame, if an engine reports frames */
    int is_asking; /* for a label: what runs now is not run by the program */
} running;

static inline PyObject *
code_of(struct _PyInterpreterFrame *frame)
{
#if FRAMES_HAVE_STACK_REFS
    return PyStackRef_AsPyObjectBorrow(frame->f_executable);
#elif FRAMES_HAVE_EXECUTABLE
    return frame->f_executable;
#else
    return (PyObject *)frame->f_code;
#endif
}

static inline PyObject *
first_local(struct _PyInterpreterFrame *frame)
{
#if FRAMES_HAVE_STACK_REFS
    return PyStackRef_IsNull(frame->localsplus[0]) ? NULL : PyStackRef_AsPyObjectBorrow(frame->localsplus[0]);
#else
    return frame->localsplus[0];
#endif
}

static int
is_test_name(PyObject *name)
{
    Py_ssize_t size = PyUnicode_GET_LENGTH(name);
    int kind = PyUnicode_KIND(name);
    const void *text = PyUnicode_DATA(name);
    if (size >= 4 && PyUnicode_READ(kind, text, 0) == 't') {
        return PyUnicode_READ(kind, text, 1) == 'e' && PyUnicode_READ(kind, text, 2) == 's'
               && PyUnicode_READ(kind, text, 3) == 't';
    }
    return size == 7 && PyUnicode_READ(kind, text, 0) == 'r' && PyUnicode_CompareWithASCIIString(name, "runTest") == 0;
}

/* Return whether the frame will run the body of such a function, from its start or from a yield. A call of a generator
 * function only creates the generator. */
static inline int
is_test(struct _PyInterpreterFrame *frame)
{
    PyObject *code = code_of(frame); // borrowed
    if (!PyCode_Check(code) || !is_test_name(((PyCodeObject *)code)->co_name)) {
        return 0;
    }
    int makes_generator = ((PyCodeObject *)code)->co_flags & (CO_GENERATOR | CO_COROUTINE | CO_ASYNC_GENERATOR);
    return !makes_generator || frame->owner == FRAME_OWNED_BY_GENERATOR;
}

/* The argument `self`, as the frame has it now; NULL if there is none. Borrowed. */
static PyObject *
self_of(struct _PyInterpreterFrame *frame, PyCodeObject *code)
{
    if (code->co_argcount == 0 || PyTuple_GET_SIZE(code->co_localsplusnames) == 0
        || PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(code->co_localsplusnames, 0), "self") != 0) {
        return NULL;
    }
    PyObject *value = first_local(frame); // borrowed
    /* If functions inside it use `self`, a frame that continues has it in a cell; a frame that begins has not made the
     * cell yet. */
    if (value != NULL && frame->owner == FRAME_OWNED_BY_GENERATOR && PyCell_Check(value)) {
        value = PyCell_GET(value);
    }
    return value;
}

/* The label of a context: owned; NULL, without an exception, if none begins. */
static PyObject *
ask(PyObject *label_of, PyObject *const *arguments, size_t n_arguments)
{
    running.is_asking = 1;
    room_change(ROOM);
    PyObject *label = call_unseen(label_of, arguments, n_arguments); // owned
    room_change(-ROOM);
    running.is_asking = 0;
    if (label == NULL) {
        PyErr_Clear(); /* the program's attributes may raise anything */
    }
    else if (!PyUnicode_Check(label)) {
        Py_CLEAR(label);
    }
    return label;
}

static PyObject *
ask_by_name(struct function_contexts *contexts, struct _PyInterpreterFrame *frame)
{
    PyCodeObject *code = (PyCodeObject *)code_of(frame); // borrowed
    PyObject *self = self_of(frame, code); // borrowed from the frame, which waits
    PyObject *arguments[] = {(PyObject *)code, frame->f_globals, self};
    return ask(contexts->label_of, arguments, self == NULL ? 2 : 3);
}

/* Report once that a context could not begin or end. */
static void
fail(module_state *state)
{
    PyErr_Clear(); /* probably no memory */
    if (!state->function_contexts->has_failed && state->recorder != NULL) {
        state->function_contexts->has_failed = 1;
        recorder_add_message(state->recorder, "engine-failed", "a context was not switched to by an internal error");
    }
}

/* Switch the process to the context, "" for none. The thread is not bound to it: as with coverage.py, a context covers
 * everything that runs meanwhile. */
static void
switch_to(module_state *state, PyObject *label, int is_beginning)
{
    struct function_contexts *contexts = state->function_contexts;
    if (contexts_switch(state, label) < 0 || contexts_unbind(state) < 0) {
        fail(state);
    }
    if (is_beginning) {
        contexts->owns_samples = state->sample_label == NULL || PyUnicode_GET_LENGTH(state->sample_label) == 0;
    }
    if (contexts->owns_samples) {
        contexts_label_samples(state, label);
    }
}

/* The context has ended. A set exception stays set. */
static void
switch_back(module_state *state)
{
    PyObject *type = NULL, *value = NULL, *trace = NULL; // owned
    PyErr_Fetch(&type, &value, &trace);
    PyObject *none = PyUnicode_New(0, 0); // owned; the interpreter's own
    switch_to(state, none, 0);
    Py_DECREF(none);
    PyErr_Restore(type, value, trace);
}

void
function_contexts_call(module_state *state, PyFrameObject *frame)
{
    struct function_contexts *contexts = state->function_contexts;
    if (contexts == NULL || contexts->label_of_frame == NULL || running.holder != NULL || running.is_asking) {
        return;
    }
    PyObject *type = NULL, *value = NULL, *trace = NULL; // owned
    PyErr_Fetch(&type, &value, &trace);
    PyObject *argument = (PyObject *)frame; // borrowed
    PyObject *label = ask(contexts->label_of_frame, &argument, 1); // owned
    if (label != NULL && state->function_contexts == contexts) {
        running.holder = frame;
        switch_to(state, label, 1);
    }
    Py_XDECREF(label);
    PyErr_Restore(type, value, trace);
}

void
function_contexts_return(module_state *state, const PyFrameObject *frame)
{
    if (running.holder != frame) {
        return;
    }
    running.holder = NULL;
    if (state->function_contexts != NULL) {
        switch_back(state);
    }
}

static PyObject *evaluate(PyThreadState *thread, struct _PyInterpreterFrame *frame, int throwing);

/* Evaluate a frame; for the program it is no deeper in C than when the interpreter calls it in its own way. */
static PyObject *
evaluate_next(_PyFrameEvalFunction next, PyThreadState *thread, struct _PyInterpreterFrame *frame, int throwing)
{
#if COUNTS_C_RECURSION
    thread->c_recursion_remaining += EVALUATION_C_UNITS;
    PyObject *result = next(thread, frame, throwing); // owned
    thread->c_recursion_remaining -= EVALUATION_C_UNITS;
    return result;
#else
    return next(thread, frame, throwing);
#endif
}

static int
is_only_thread(PyThreadState *thread)
{
    return PyInterpreterState_ThreadHead(thread->interp) == thread && PyThreadState_Next(thread) == NULL;
}

/* Stop seeing frames that begin from now on. */
static void
look_away(PyThreadState *thread)
{
    if (_PyInterpreterState_GetEvalFrameFunc(thread->interp) == evaluate) {
        _PyInterpreterState_SetEvalFrameFunc(thread->interp, measured->function_contexts->before);
    }
}

static void
look_again(PyInterpreterState *interpreter)
{
    if (measured != NULL && _PyInterpreterState_GetEvalFrameFunc(interpreter) == measured->function_contexts->before) {
        _PyInterpreterState_SetEvalFrameFunc(interpreter, evaluate);
    }
}

/* Evaluate a frame that may begin a context. */
static PyObject *
evaluate_test(PyThreadState *thread, struct _PyInterpreterFrame *frame, int throwing)
{
    module_state *state = measured;
    _PyFrameEvalFunction next = state->function_contexts->before;
    PyObject *type = NULL, *value = NULL, *trace = NULL; // owned
    PyErr_Fetch(&type, &value, &trace); /* an exception that is thrown into a generator */
    PyObject *label = ask_by_name(state->function_contexts, frame); // owned
    int begins = label != NULL && measured == state;
    if (begins) {
        running.is_in_context = 1;
        switch_to(state, label, 1);
        if (is_only_thread(thread)) {
            look_away(thread);
        }
    }
    Py_XDECREF(label);
    PyErr_Restore(type, value, trace);
    PyObject *result = evaluate_next(next, thread, frame, throwing); // owned
    if (!begins) {
        return result;
    }
    running.is_in_context = 0;
    if (measured == state) {
        switch_back(state);
        look_again(thread->interp);
    }
    return result;
}

static PyObject *
evaluate(PyThreadState *thread, struct _PyInterpreterFrame *frame, int throwing)
{
    module_state *state = measured;
    if (state == NULL) {
        return _PyEval_EvalFrameDefault(thread, frame, throwing);
    }
    _PyFrameEvalFunction next = state->function_contexts->before;
    if (running.is_in_context || running.is_asking) {
        return evaluate_next(next, thread, frame, throwing);
    }
    if (stack_is_half_used()) { /* a program that recurses deeper than usual must not overflow it */
        look_away(thread);
        PyObject *result = next(thread, frame, throwing); // owned
        look_again(thread->interp);
        return result;
    }
    return is_test(frame) ? evaluate_test(thread, frame, throwing) : evaluate_next(next, thread, frame, throwing);
}

_PyFrameEvalFunction
function_contexts_evaluator(PyInterpreterState *interpreter)
{
    return measured != NULL && interpreter == PyInterpreterState_Main() ? evaluate : _PyEval_EvalFrameDefault;
}

PyDoc_STRVAR(function_contexts_start_doc,
             "function_contexts_start($module, label_of, is_waiting, /)\n--\n\n"
             "Let functions named test* and runTest begin the context `label_of(code, globals[, self])`, None for none.\n\n"
             "`is_waiting` when what evaluates frames now gives way of itself. RuntimeError in a further interpreter.");

static PyObject *
function_contexts_start(PyObject *module, PyObject *args)
{
    module_state *state = get_state(module);
    PyObject *label_of; // borrowed
    int is_waiting;
    if (!PyArg_ParseTuple(args, "Op:function_contexts_start", &label_of, &is_waiting)) {
        return NULL;
    }
    PyInterpreterState *interpreter = PyInterpreterState_Get();
    if (measured != NULL || interpreter != PyInterpreterState_Main()) {
        PyErr_SetString(PyExc_RuntimeError, "functions begin contexts already, or this is a further interpreter");
        return NULL;
    }
    struct function_contexts *contexts = PyMem_Calloc(1, sizeof *contexts);
    if (contexts == NULL) {
        return PyErr_NoMemory();
    }
    _PyFrameEvalFunction now = _PyInterpreterState_GetEvalFrameFunc(interpreter);
    contexts->label_of = Py_NewRef(label_of);
    is_waiting = is_waiting && !traced_frames_are_evaluated();
    contexts->before = is_waiting ? _PyEval_EvalFrameDefault : now;
    state->function_contexts = contexts;
    measured = state;
    if (!is_waiting || now == _PyEval_EvalFrameDefault) {
        look_again(interpreter);
    }
    Py_RETURN_NONE;
}

PyDoc_STRVAR(function_contexts_trace_doc,
             "function_contexts_trace($module, label_of, /)\n--\n\n"
             "Let frames begin the context `label_of(frame)`, None for none, as the engine settrace tells of them.");

static PyObject *
function_contexts_trace(PyObject *module, PyObject *label_of)
{
    module_state *state = get_state(module);
    if (state->function_contexts != NULL) {
        PyErr_SetString(PyExc_RuntimeError, "functions begin contexts already");
        return NULL;
    }
    struct function_contexts *contexts = PyMem_Calloc(1, sizeof *contexts);
    if (contexts == NULL) {
        return PyErr_NoMemory();
    }
    contexts->label_of_frame = Py_NewRef(label_of);
    state->function_contexts = contexts;
    Py_RETURN_NONE;
}

PyDoc_STRVAR(function_contexts_look_doc,
             "function_contexts_look($module, /)\n--\n\n"
             "A thread is about to start: see its frames, also where the present one is in a test.");

static PyObject *
function_contexts_look(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored))
{
    look_again(PyInterpreterState_Get());
    Py_RETURN_NONE;
}

PyDoc_STRVAR(function_contexts_stop_doc, "function_contexts_stop($module, /)\n--\n\n"
                                         "Let no function begin a context any more. Does nothing when none does.");

static PyObject *
function_contexts_stop(PyObject *module, PyObject *Py_UNUSED(ignored))
{
    function_contexts_clear(get_state(module));
    Py_RETURN_NONE;
}

static PyMethodDef function_contexts_methods[] = {
    {"function_contexts_start", function_contexts_start, METH_VARARGS, function_contexts_start_doc},
    {"function_contexts_trace", function_contexts_trace, METH_O, function_contexts_trace_doc},
    {"function_contexts_look", function_contexts_look, METH_NOARGS, function_contexts_look_doc},
    {"function_contexts_stop", function_contexts_stop, METH_NOARGS, function_contexts_stop_doc},
    {NULL, NULL, 0, NULL},
};

int
function_contexts_exec(PyObject *module)
{
    return PyModule_AddFunctions(module, function_contexts_methods);
}

int
function_contexts_traverse(module_state *state, visitproc visit, void *arg)
{
    if (state->function_contexts != NULL) {
        Py_VISIT(state->function_contexts->label_of);
        Py_VISIT(state->function_contexts->label_of_frame);
    }
    return 0;
}

void
function_contexts_clear(module_state *state)
{
    struct function_contexts *contexts = state->function_contexts;
    if (contexts == NULL) {
        return;
    }
    if (measured == state) {
        look_away(PyThreadState_Get());
        measured = NULL;
    }
    state->function_contexts = NULL;
    Py_CLEAR(contexts->label_of);
    Py_CLEAR(contexts->label_of_frame);
    PyMem_Free(contexts);
}
