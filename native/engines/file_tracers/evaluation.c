/* file_tracers/evaluation.c finds the frames of plugins' files where there is no sys.monitoring (CPython 3.11), and lets
 * the interpreter trace these frames alone: the thread has our trace function while such a frame runs, and none, or the
 * one of the engine `settrace`, while a frame runs that it has called. So events are those of sys.settrace, and other
 * frames cost a call of our frame evaluation function (PEP 523), some ten nanoseconds.
 *
 * Where greenlets are, a thread is traced in all frames from the first one of a plugin's file on: no function of ours is
 * called when a stack gives way to another.
 *
 * A trace function of the program's own (a debugger) stays in place; frames that begin meanwhile are not measured, as
 * with every tool that traces.
 *
 * The evaluation function gets no data of ours. Hence the variable at file scope, which is the main interpreter's and
 * guarded by its GIL. */
#include "engines/file_tracers/evaluation.h"

#include "compat/versions.h"

#if TRACES_SINGLE_FRAMES

#include "engines/code_extra.h"
#include "engines/decision.h"
#include "engines/file_tracers/frames.h"
#include "engines/file_tracers/lookup.h"
#include "engines/file_tracers/places.h"
#include "engines/greenlets.h"
#include "engines/stack_depth.h"

#define Py_BUILD_CORE
#include <internal/pycore_frame.h>
#undef Py_BUILD_CORE

static struct {
    traced_frames *frames; /* owned; NULL while no frames are evaluated here */
    PyObject *function; /* owned: the trace function as the program sees it */
    _PyFrameEvalFunction before; /* what evaluated frames before */
    Py_tracefunc others; /* the trace function of frames that are not plugins': NULL, or the engine's `settrace` */
    PyObject *others_argument; /* borrowed from that engine */
    int is_deep; /* a thread is deep in its stack: all threads trace everything */
} evaluated;

/* What the co_extra slot of a code object may have, besides nothing: neither is an address. */
static void *
not_traced_mark(void)
{
    return (void *)(((uintptr_t)evaluated.frames->start << 2) | 1);
}

static void *
traced_mark(void)
{
    return (void *)(((uintptr_t)evaluated.frames->start << 2) | 3);
}

static void
free_nothing(void *Py_UNUSED(extra))
{
}

/* An exception is set that is the program's: a signal handler raised it, or its stack is full, which it will soon find
 * out itself. */
static void
pass_on(void)
{
    PyObject *type = NULL, *error = NULL, *trace = NULL; // owned
    PyErr_Fetch(&type, &error, &trace);
    PyErr_NormalizeException(&type, &error, &trace);
    if (error != NULL && !PyErr_GivenExceptionMatches(error, PyExc_RecursionError)) {
        raise_later(Py_NewRef(error));
    }
    Py_XDECREF(type);
    Py_XDECREF(error);
    Py_XDECREF(trace);
}

/* Ask about code whose file may be new. The file, NULL if no frame of it counts. A set exception stays set. */
static traced_file *
ask(PyThreadState *thread, PyCodeObject *code, PyObject *globals)
{
    traced_frames *frames = evaluated.frames;
    traced_file *file = NULL;
    PyObject *type = NULL, *error = NULL, *trace = NULL; // owned
    PyErr_Fetch(&type, &error, &trace);
    PyThreadState_EnterTracing(thread); /* what finds out is not the program */
    enum traced_answer answer = traced_files_find(frames, code, globals, &file);
    PyThreadState_LeaveTracing(thread);
    if (answer == TRACED_IS_KNOWN && file->sources == NULL && file->only == NULL) {
        answer = TRACED_IS_NONE;
    }
    int status = answer == TRACED_HAS_FAILED ? -1 : 0;
    if (answer == TRACED_IS_KNOWN || answer == TRACED_IS_NONE) {
        void *mark = answer == TRACED_IS_KNOWN ? traced_mark() : not_traced_mark();
        status = code_extra_set((PyObject *)code, frames->armed_slot, mark);
    }
    if (status < 0) {
        pass_on();
    }
    PyErr_Restore(type, error, trace);
    return answer == TRACED_IS_KNOWN ? file : NULL;
}

/* Return whether a plugin measures code, in frames with these globals. */
static inline int
is_traced(PyThreadState *thread, PyCodeObject *code, PyObject *globals)
{
    void *extra = NULL;
    PyUnstable_Code_GetExtra((PyObject *)code, evaluated.frames->armed_slot, &extra);
    if (extra == not_traced_mark()) {
        return 0;
    }
    return extra == traced_mark() || (!_Py_IsFinalizing() && ask(thread, code, globals) != NULL);
}

/* Return whether a frame that begins continues after a yield: it is at a RESUME, whose argument is 0 at the start. */
static int
goes_on(PyFrameObject *frame)
{
    int at = PyFrame_GetLasti(frame);
    PyObject *bytecode = frame_bytecode(frame); // owned
    int is_going_on =
        bytecode != NULL && at >= 0 && at + 1 < PyBytes_GET_SIZE(bytecode) && !bytecode_has(bytecode, at + 1, 0);
    Py_XDECREF(bytecode);
    return is_going_on;
}

/* A frame begins or continues. 1 if it counts, 0 if not, -1 with an exception. */
static int
tell_call(PyFrameObject *frame)
{
    PyCodeObject *code = PyFrame_GetCode(frame); // owned
    PyObject *globals = PyFrame_GetGlobals(frame); // owned
    traced_file *file = NULL;
    int status = 0;
    if (is_traced(PyThreadState_Get(), code, globals)) {
        status = traced_files_find(evaluated.frames, code, globals, &file) == TRACED_HAS_FAILED ? -1 : 0;
    }
    if (file != NULL) {
        int32_t last = goes_on(frame) ? PyFrame_GetLineNumber(frame) : -code->co_firstlineno;
        status = traced_frames_begin(evaluated.frames, file, frame, last);
    }
    Py_DECREF(globals);
    Py_DECREF(code);
    return status;
}

static int trace(PyObject *function, PyFrameObject *frame, int what, PyObject *arg);

/* Set a thread's trace function for the frames that begin, and the one that runs, without the audit event of
 * sys.settrace. */
static void
set_trace(PyThreadState *thread, Py_tracefunc function, PyObject *argument)
{
    PyObject *old = thread->c_traceobj; // owned
    thread->c_tracefunc = function;
    thread->c_traceobj = Py_XNewRef(argument);
    thread->cframe->use_tracing = function != NULL || thread->c_profilefunc != NULL ? 255 : 0;
    Py_XDECREF(old);
}

static void
set_ours(PyThreadState *thread)
{
    set_trace(thread, trace, evaluated.function);
}

static void
set_others(PyThreadState *thread)
{
    set_trace(thread, evaluated.others, evaluated.others_argument);
}

/* Return whether a thread keeps our trace function for all frames, once it has it: another thread is deep in its stack, or
 * stacks may be set aside (greenlets), so that any of them may continue with what the thread has then. */
static int
traces_everything(void)
{
    return evaluated.is_deep || has_greenlets();
}

/* Tell the trace function of other frames, if there is one, of an event in a frame that it would have seen. */
static int
tell_others(PyFrameObject *frame, int what, PyObject *arg)
{
    if (evaluated.others == NULL) {
        return 0;
    }
    PyObject *argument = Py_NewRef(evaluated.others_argument); // owned
    int status = evaluated.others(argument, frame, what, arg);
    Py_DECREF(argument);
    return status;
}

/* Return whether the thread's trace function is nobody's or footfall's. */
static int
is_free(PyThreadState *thread)
{
    return thread->c_tracefunc == NULL || thread->c_tracefunc == trace || thread->c_tracefunc == evaluated.others;
}

/* The trace function. Always 0: the program must not see our failures. */
static int
trace(PyObject *Py_UNUSED(function), PyFrameObject *frame, int what, PyObject *arg)
{
    int status = 0;
    if (what == PyTrace_CALL) {
        status = tell_call(frame);
        if (status == 0 && !traces_everything()) {
            set_others(PyThreadState_Get()); /* nothing of this frame counts */
        }
        else if (status == 0) {
            tell_others(frame, what, arg);
        }
    }
    else if (!traced_frames_counts(evaluated.frames, frame)) {
        tell_others(frame, what, arg);
    }
    else if (what == PyTrace_LINE) {
        status = traced_frames_line(evaluated.frames, frame);
    }
    else if (what == PyTrace_RETURN) {
        traced_frames_end(evaluated.frames, frame, !frame_stands_at_yield(frame));
    }
    if (status < 0) {
        pass_on();
    }
    return 0;
}

/* The same for a program that sets the result of sys.gettrace: it gives way, and the next frames are seen again. */
static PyObject *
trace_from_python(PyObject *Py_UNUSED(self), PyObject *Py_UNUSED(args))
{
    PyEval_SetTrace(NULL, NULL);
    Py_RETURN_NONE;
}

static PyMethodDef trace_function = {"footfall_trace", trace_from_python, METH_VARARGS, "footfall's trace function."};

/* CPython before 3.11.4 has an instruction that calls `__getitem__` past the evaluation function, but only in functions
 * that are called in the usual way. */
static PyObject *
call_unspecialized(PyObject *function, PyObject *const *args, size_t n_args, PyObject *names)
{
    return _PyFunction_Vectorcall(function, args, n_args, names);
}

static void
keep_general(struct _PyInterpreterFrame *frame)
{
    if (frame->f_func != NULL && frame->f_func->vectorcall == _PyFunction_Vectorcall
        && PyUnicode_CompareWithASCIIString(frame->f_code->co_name, "__getitem__") == 0) {
        frame->f_func->vectorcall = call_unspecialized;
    }
}

/* Evaluate a frame of a plugin's file. */
static PyObject *
evaluate_traced(PyThreadState *thread, struct _PyInterpreterFrame *frame, int throwing)
{
    keep_general(frame);
    if (!is_free(thread)) {
        return evaluated.before(thread, frame, throwing);
    }
    int is_called_by_ours = thread->c_tracefunc == trace;
    set_ours(thread);
    PyObject *result = evaluated.before(thread, frame, throwing); // owned
    if (is_called_by_ours && is_free(thread)) {
        set_ours(thread);
    }
    else if (!is_called_by_ours && thread->c_tracefunc == trace && !traces_everything()) {
        set_others(thread);
    }
    return result;
}

/* Evaluate a frame that one of a plugin's files has called. */
static PyObject *
evaluate_called(PyThreadState *thread, struct _PyInterpreterFrame *frame, int throwing)
{
    if (traces_everything()) {
        return evaluated.before(thread, frame, throwing);
    }
    set_others(thread);
    PyObject *result = evaluated.before(thread, frame, throwing); // owned
    if (is_free(thread)) {
        set_ours(thread);
    }
    return result;
}

/* Let all threads trace all frames. A thread may keep this when it is no longer needed: then it is only slower. */
static void
trace_everything(PyThreadState *running)
{
    for (PyThreadState *thread = PyInterpreterState_ThreadHead(running->interp); thread != NULL;
         thread = PyThreadState_Next(thread)) {
        if (is_free(thread) && thread->tracing == 0) {
            set_ours(thread);
        }
    }
}

/* Evaluate a frame deep in the stack: the interpreter calls what it calls in its own way, without our function, so all of
 * it is traced. */
static PyObject *
evaluate_deep(PyThreadState *thread, struct _PyInterpreterFrame *frame, int throwing)
{
    PyInterpreterState *interpreter = thread->interp;
    _PyFrameEvalFunction now = _PyInterpreterState_GetEvalFrameFunc(interpreter);
    Py_tracefunc function = thread->c_tracefunc;
    if (now == _PyEval_EvalFrameDefault) { /* another thread is deep, too */
        return evaluated.before(thread, frame, throwing);
    }
    evaluated.is_deep = 1;
    trace_everything(thread);
    _PyInterpreterState_SetEvalFrameFunc(interpreter, _PyEval_EvalFrameDefault);
    PyObject *result = evaluated.before(thread, frame, throwing); // owned
    evaluated.is_deep = 0;
    if (_PyInterpreterState_GetEvalFrameFunc(interpreter) == _PyEval_EvalFrameDefault) {
        _PyInterpreterState_SetEvalFrameFunc(interpreter, now);
    }
    if (thread->c_tracefunc == trace && function != trace && !traces_everything()) {
        set_others(thread);
    }
    return result;
}

static PyObject *
evaluate(PyThreadState *thread, struct _PyInterpreterFrame *frame, int throwing)
{
    if (thread->tracing) { /* within a trace function nothing is traced */
        return evaluated.before(thread, frame, throwing);
    }
    if (stack_is_half_used()) {
        return evaluate_deep(thread, frame, throwing);
    }
    if (is_traced(thread, frame->f_code, frame->f_globals)) {
        return evaluate_traced(thread, frame, throwing);
    }
    return thread->c_tracefunc == trace ? evaluate_called(thread, frame, throwing)
                                        : evaluated.before(thread, frame, throwing);
}

int
traced_frames_are_evaluated(void)
{
    return evaluated.frames != NULL;
}

int
traced_frames_main_has_come(void)
{
    evaluated.before = _PyEval_EvalFrameDefault;
    return evaluated.frames != NULL;
}

void
traced_frames_note_tracer(Py_tracefunc function, PyObject *argument)
{
    if (PyInterpreterState_Get() == PyInterpreterState_Main()) {
        evaluated.others = function;
        evaluated.others_argument = argument;
    }
}

void
traced_frames_thread_begins(void)
{
    PyThreadState *thread = PyThreadState_Get();
    if (evaluated.is_deep && is_free(thread)) {
        set_ours(thread);
    }
}

int
traced_frames_trace(const PyThreadState *thread)
{
    return thread->c_tracefunc == trace;
}

static PyObject *
traced_frames_evaluate(PyObject *module, PyObject *frames)
{
    module_state *state = get_state(module);
    PyInterpreterState *interpreter = PyInterpreterState_Get();
    if (!Py_IS_TYPE(frames, state->traced_frames_type)) {
        PyErr_SetString(PyExc_TypeError, "traced_frames_evaluate() needs a TracedFrames");
        return NULL;
    }
    if (evaluated.frames != NULL || interpreter != PyInterpreterState_Main()) {
        PyErr_SetString(PyExc_RuntimeError, "frames are traced already, or this is a further interpreter");
        return NULL;
    }
    PyObject *function = PyCFunction_New(&trace_function, module); // owned
    if (function == NULL) {
        return NULL;
    }
    Py_ssize_t slot = code_extra_slot(&state->armed_code_slot, free_nothing);
    if (slot < 0) {
        Py_DECREF(function);
        PyErr_SetString(PyExc_RuntimeError, "no co_extra slot is free");
        return NULL;
    }
    evaluated.function = function;
    evaluated.frames = (traced_frames *)Py_NewRef(frames);
    evaluated.frames->armed_slot = slot;
    evaluated.frames->start = ++state->n_starts;
    evaluated.before = _PyInterpreterState_GetEvalFrameFunc(interpreter);
    _PyInterpreterState_SetEvalFrameFunc(interpreter, evaluate);
    Py_RETURN_NONE;
}

#else

int
traced_frames_are_evaluated(void)
{
    return 0;
}

int
traced_frames_main_has_come(void)
{
    return 0;
}

void
traced_frames_note_tracer(Py_tracefunc Py_UNUSED(function), PyObject *Py_UNUSED(argument))
{
}

void
traced_frames_thread_begins(void)
{
}

int
traced_frames_trace(const PyThreadState *Py_UNUSED(thread))
{
    return 0;
}

static PyObject *
traced_frames_evaluate(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(frames))
{
    PyErr_SetString(PyExc_RuntimeError, "single frames can't be traced on this version");
    return NULL;
}

#endif

PyDoc_STRVAR(traced_frames_evaluate_doc,
             "traced_frames_evaluate($module, frames, /)\n--\n\n"
             "Trace the frames alone that run code of the plugins' files, until the process ends.\n\n"
             "RuntimeError in a further interpreter, if this was done before, and from CPython 3.12 on.");

static PyMethodDef module_methods[] = {
    {"traced_frames_evaluate", traced_frames_evaluate, METH_O, traced_frames_evaluate_doc},
    {NULL, NULL, 0, NULL},
};

int
traced_frames_evaluation_exec(PyObject *module)
{
    return PyModule_AddFunctions(module, module_methods);
}
