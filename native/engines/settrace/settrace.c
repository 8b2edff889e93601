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
#include "engines/context_labels.h"
#include "engines/decision.h"
#include "engines/engine.h"
#include "engines/file_tracers/evaluation.h"
#include "engines/file_tracers/frames.h"
#include "engines/function_contexts.h"
#include "engines/other_context_events.h"
#include "engines/probes/probes.h"
#include "record/recorder.h"

#include <frameobject.h>
#include <opcode.h>
#include <string.h>

/* From the place of a frame that yields to the RESUME after it. */
#define YIELD_TO_RESUME_BYTES (YIELDS_STAND_AT_RESUME ? 0 : 2)
#define UNITS_PER_PAIR 4 /* a guess: code units for each pair of lines that will run */
#define NO_LINE 0 /* `from` of a pair of which only the line is known */

/* What a measured code object has in its co_extra slot. */
typedef struct traced_code {
    pair_set pairs;
    other_context_pairs *other_pairs; /* owned list */
    PyObject *bytecode; /* owned: bytes, without instrumentation */
    PyObject *filename; /* owned: co_filename */
    traced_file *plugin_file; /* borrowed from the engine's `traced_frames`, which records its frames; else NULL */
    uint32_t start; /* the start of the engine that it belongs to */
    uint32_t generation; /* the recorder's when registered */
    int is_watched; /* the tool has its events */
    int is_dirty; /* in the list of code objects with a pair in this context */
    int is_orphan; /* its code object was freed: the list owns it */
    int needs_none; /* the slot had needs_no_probes() */
    struct traced_code *next_dirty;
} traced_code;

struct settrace {
    PyObject *decide; /* owned: scope decision, str -> str | None, or a TracedFile for a plugin's file */
    traced_frames *traced_frames; /* owned; NULL if there are no plugins */
    PyObject *decisions; /* owned: dict co_filename -> the same */
    PyObject *function; /* owned: the trace function as the program sees it */
    PyObject *f_trace; /* owned: the interned name */
    frame_lines running;
    traced_code *dirty; /* first of the list */
    Py_ssize_t extra_index;
    uint32_t start; /* module_state.n_starts */
    int with_arcs;
    int only_new; /* frames that began before the engine are ignored */
    int has_tool; /* settrace/tool.c gives it the events of some code: no thread has its trace function */
    int is_off; /* after an internal failure */
    int n_callers; /* calls that wait for Python code; another thread may stop the engine meanwhile */
    int is_stopped; /* the last of them frees this */
};

/* Marks the slot of a code object that the engine does not measure: not an address, since these are even. */
static traced_code *
not_measured(const struct settrace *engine)
{
    return (traced_code *)(((uintptr_t)engine->start << 1) | 1);
}

static int
is_measured(const traced_code *traced)
{
    return traced != NULL && ((uintptr_t)traced & 1) == 0;
}

/* Marks the slot of a code object without probes whose module has some, for all engines. */
static void *
needs_no_probes(void)
{
    return (void *)(uintptr_t)1; /* no engine starts as number 0 */
}

/* Whether a slot has this mark, or what replaced it. */
static int
is_marked(void *extra)
{
    return extra == needs_no_probes() || (is_measured(extra) && ((traced_code *)extra)->needs_none);
}

/* What this engine has put into a slot; NULL if nothing, whatever an earlier engine has put there. An engine that is
 * `only_new` measures modules with probes too: probes don't see all pairs of lines. */
static traced_code *
known_code(const struct settrace *engine, void *extra)
{
    traced_code *traced = extra;
    int is_ours = is_measured(traced) ? traced->start == engine->start : traced == not_measured(engine);
    if (is_ours) {
        return traced;
    }
    return !engine->only_new && is_marked(extra) ? not_measured(engine) : NULL;
}

static void
free_traced_code(void *extra)
{
    traced_code *traced = extra;
    if (!is_measured(traced)) {
        return;
    }
    Py_CLEAR(traced->bytecode);
    other_context_pairs_free(&traced->other_pairs);
    if (traced->is_dirty) {
        traced->is_orphan = 1; /* its pairs still have to be recorded when the context ends */
        return;
    }
    Py_XDECREF(traced->filename);
    PyMem_RawFree(traced);
}

static void
mark_dirty(struct settrace *engine, traced_code *traced)
{
    if (!traced->is_dirty) {
        traced->is_dirty = 1;
        traced->next_dirty = engine->dirty;
        engine->dirty = traced;
    }
}

/* Remove the first code object from the list, and return it. */
static traced_code *
pop_dirty(struct settrace *engine)
{
    traced_code *first = engine->dirty;
    if (first != NULL) {
        engine->dirty = first->next_dirty;
        first->is_dirty = 0;
    }
    return first;
}

static void
free_settrace(struct settrace *engine)
{
    Py_CLEAR(engine->decide);
    Py_CLEAR(engine->traced_frames);
    Py_CLEAR(engine->decisions);
    Py_CLEAR(engine->function);
    Py_CLEAR(engine->f_trace);
    for (traced_code *traced = pop_dirty(engine); traced != NULL; traced = pop_dirty(engine)) {
        if (traced->is_orphan) {
            free_traced_code(traced);
        }
    }
    frame_lines_free(&engine->running);
    PyMem_Free(engine);
}

/* Python code may run from here to leave(), during which threads may switch: one may stop the engine. */
static void
enter(module_state *state)
{
    state->settrace->n_callers++;
}

/* 0 if the engine continues; -1 if it was stopped: then it may be gone, and no exception is set. */
static int
leave(module_state *state, struct settrace *engine)
{
    engine->n_callers--;
    if (state->settrace == engine) {
        return 0;
    }
    PyErr_Clear(); /* nobody needs it any more */
    if (engine->is_stopped && engine->n_callers == 0) {
        free_settrace(engine);
    }
    return -1;
}

/* A failure of ours must not reach the program: measuring stops, with one message. */
static void
fail(module_state *state)
{
    struct settrace *engine = state->settrace;
    PyObject *type = NULL, *value = NULL, *traceback = NULL; // owned
    PyErr_Fetch(&type, &value, &traceback);
    if (!engine->is_off) {
        engine->is_off = 1;
        recorder_add_message(state->recorder, "engine-failed", "coverage stopped by an internal error");
        PySys_FormatStderr("footfall: coverage stopped by an internal error: %R. What ran before "
                           "is kept; please report it. [engine-failed]\n",
                           value == NULL ? Py_None : value);
    }
    Py_XDECREF(type);
    Py_XDECREF(value);
    Py_XDECREF(traceback);
    PyErr_Clear();
}

/* The absolute path if this file is measured, else None. Borrowed; NULL with an exception, or without one if the engine
 * was stopped meanwhile. */
static PyObject *
decision_for(module_state *state, PyObject *filename)
{
    struct settrace *engine = state->settrace;
    PyObject *known = PyDict_GetItemWithError(engine->decisions, filename); // borrowed
    if (known != NULL || PyErr_Occurred()) {
        return known;
    }
    enter(state);
    PyObject *path = decision_ask(engine->decide, filename); // owned
    if (leave(state, engine) < 0) {
        Py_XDECREF(path);
        return NULL;
    }
    if (path == NULL) {
        return NULL;
    }
    int stored = PyDict_SetItem(engine->decisions, filename, path);
    Py_DECREF(path);
    return stored < 0 ? NULL : PyDict_GetItemWithError(engine->decisions, filename); /* the dict keeps it alive */
}

/* Give the code object a new set with room for `n_expected` pairs; its older sets stay in the file. */
static int
begin_set(module_state *state, PyCodeObject *code, traced_code *traced, uint32_t n_expected)
{
    PyObject *path = decision_for(state, code->co_filename); // borrowed
    if (path == NULL) {
        return -1;
    }
    uint32_t n_slots = pair_set_room(n_expected);
    traced->generation = state->recorder->generation;
    traced->pairs.slots = (uint64_t *)(void *)recorder_add_trace(state->recorder, code->co_filename, path, n_slots,
                                                                 (uint32_t)state->settrace->with_arcs);
    traced->pairs.n_slots = n_slots;
    traced->pairs.n_used = 0;
    return PyErr_Occurred() ? -1 : 0;
}

/* As traced_code_of. */
static traced_code *
register_code(module_state *state, PyCodeObject *code)
{
    PyObject *path = decision_for(state, code->co_filename); // borrowed
    void *extra = NULL;
    if (path == NULL || PyUnstable_Code_GetExtra((PyObject *)code, state->settrace->extra_index, &extra) < 0) {
        return NULL;
    }
    traced_code *traced = known_code(state->settrace, extra);
    if (traced != NULL) {
        return traced; /* another thread was faster while this one decided */
    }
    int needs_none = is_marked(extra);
    traced = not_measured(state->settrace);
    if (path == Py_None && needs_none) {
        return traced; /* the mark stays */
    }
    /* When both engines run, probes measure code that has some. */
    if (path != Py_None && (state->settrace->only_new || !probes_is_armed(state, (PyObject *)code))) {
        traced = PyMem_RawCalloc(1, sizeof *traced);
        if (traced == NULL) {
            PyErr_NoMemory();
            return NULL;
        }
        traced->start = state->settrace->start;
        traced->needs_none = needs_none;
        traced->filename = Py_NewRef(code->co_filename);
        traced->bytecode = PyCode_GetCode(code);
        int is_plugins = state->settrace->traced_frames != NULL && !PyUnicode_Check(path);
        if (is_plugins) {
            traced->plugin_file = traced_frames_file(state->settrace->traced_frames, path);
        }
        if (traced->bytecode == NULL || (is_plugins && traced->plugin_file == NULL)) {
            free_traced_code(traced);
            return NULL;
        }
        if (!is_plugins
            && begin_set(state, code, traced, (uint32_t)PyBytes_GET_SIZE(traced->bytecode) / 2 / UNITS_PER_PAIR) < 0) {
            free_traced_code(traced);
            return NULL;
        }
    }
    if (code_extra_set((PyObject *)code, state->settrace->extra_index, traced) < 0) {
        free_traced_code(traced);
        return NULL;
    }
    return traced;
}

/* What the code of an event's frame has in its slot (`what` is the event); not_measured(); or NULL after a failure, and
 * if the engine was stopped meanwhile. */
static traced_code *
traced_code_of(module_state *state, PyCodeObject *code, int what)
{
    void *extra = NULL;
    if (PyUnstable_Code_GetExtra((PyObject *)code, state->settrace->extra_index, &extra) < 0) {
        return NULL;
    }
    traced_code *traced = known_code(state->settrace, extra);
    if (traced == NULL && state->settrace->only_new && what != PyTrace_CALL) {
        return not_measured(state->settrace); /* of a frame that began earlier: its file must not count */
    }
    return traced != NULL ? traced : register_code(state, code);
}

/* Move the pairs of a full set into a bigger one; if killed in between, they are in both. */
static int
grow_set(module_state *state, PyCodeObject *code, traced_code *traced)
{
    pair_set old = traced->pairs;
    if (begin_set(state, code, traced, old.n_slots) < 0) {
        return -1;
    }
    if (traced->pairs.slots == NULL || traced->pairs.n_slots <= old.n_slots) {
        return 0; /* recording is off; or no set is larger, and the full one stays as it is */
    }
    for (uint32_t i = 0; i < old.n_slots; i++) {
        pair_set_add(&traced->pairs, (int32_t)(uint32_t)old.slots[i], (int32_t)(old.slots[i] >> 32));
    }
    memset(old.slots, 0, old.n_slots * sizeof *old.slots);
    return 0;
}

/* Record a pair of work in a context other than the process's, at once and only once. */
static int
add_other_pair(module_state *state, PyCodeObject *code, traced_code *traced, int32_t from, int32_t to,
               uint32_t context_id)
{
    recorder *rec = state->recorder;
    PyObject *path = decision_for(state, code->co_filename); // borrowed
    if (path == NULL) {
        return -1;
    }
    if (other_context_pairs_add(&traced->other_pairs, context_id, rec->generation, from, to) > 0) {
        uint64_t pair = pair_of(from, to);
        recorder_add_trace_pairs(rec, code->co_filename, path, &pair, 1, 1, (uint32_t)state->settrace->with_arcs,
                                 context_id);
    }
    return 0;
}

static int
add_pair(module_state *state, PyCodeObject *code, traced_code *traced, int32_t from, int32_t to)
{
    if (!state->settrace->with_arcs) {
        if (to < 0) {
            return 0; /* an exit is not a line */
        }
        from = to == 0 ? -1 : NO_LINE; /* (0, 0) is an empty slot */
    }
    uint32_t context_id;
    if (context_is_other(state, &context_id)) {
        return add_other_pair(state, code, traced, from, to, context_id);
    }
    if (traced->generation != state->recorder->generation) {
        /* a forked child has a file of its own */
        if (begin_set(state, code, traced, traced->pairs.n_used + 1) < 0) {
            return -1;
        }
    }
    mark_dirty(state->settrace, traced);
    if (pair_set_add(&traced->pairs, from, to) || state->recorder->is_off) {
        return 0;
    }
    if (grow_set(state, code, traced) < 0) {
        return -1;
    }
    pair_set_add(&traced->pairs, from, to);
    return 0;
}

/* Record and clear the pairs of one code object, which is no longer in the list. */
static void
flush_traced(module_state *state, traced_code *traced)
{
    recorder *rec = state->recorder;
    PyObject *path = decision_for(state, traced->filename); // borrowed
    if (path == NULL) {
        PyErr_Clear(); /* it was decided when the code was registered */
    }
    /* Of another generation: a forked child records none of it; the slots are the parent's. */
    if (path == NULL || traced->pairs.slots == NULL || traced->generation != rec->generation) {
        return;
    }
    if (recorder_add_trace_pairs(rec, traced->filename, path, traced->pairs.slots, traced->pairs.n_slots,
                                 traced->pairs.n_used, (uint32_t)state->settrace->with_arcs, rec->context_id)
        == 0) {
        memset(traced->pairs.slots, 0, traced->pairs.n_slots * sizeof *traced->pairs.slots);
        traced->pairs.n_used = 0;
    }
}

static int
settrace_flush(module_state *state)
{
    struct settrace *engine = state->settrace;
    if (engine == NULL || engine->is_off) {
        return 0;
    }
    for (traced_code *traced = pop_dirty(engine); traced != NULL; traced = pop_dirty(engine)) {
        flush_traced(state, traced);
        if (traced->is_orphan) {
            free_traced_code(traced);
        }
    }
    return 0;
}

/* A program may get our function from sys.gettrace and set it again later: then the interpreter calls the frame's
 * own. */
static int
set_f_trace(module_state *state, PyFrameObject *frame)
{
    struct settrace *engine = state->settrace;
    enter(state); /* the previous value may be an object of the program that is freed here */
    int status = PyObject_SetAttr((PyObject *)frame, engine->f_trace, engine->function);
    return leave(state, engine) < 0 || status < 0 ? -1 : 0;
}

/* Return whether a frame that begins continues after a yield: it is at a RESUME, whose argument is 0 at the start. */
static int
is_going_on(PyFrameObject *frame, traced_code *traced)
{
    int unit = PyFrame_GetLasti(frame);
    return unit >= 0 && unit + 1 < PyBytes_GET_SIZE(traced->bytecode)
           && PyBytes_AS_STRING(traced->bytecode)[unit + 1] != 0;
}

static int
on_call(module_state *state, PyFrameObject *frame, PyCodeObject *code, traced_code *traced)
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

static int
on_line(module_state *state, PyFrameObject *frame, PyCodeObject *code, traced_code *traced)
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
    return add_pair(state, code, traced, last, line);
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

static int
on_return(module_state *state, PyFrameObject *frame, PyCodeObject *code, traced_code *traced)
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
        if (add_pair(state, code, traced, last, line) < 0) {
            return -1;
        }
        last = line;
    }
#endif
    return add_pair(state, code, traced, last, -code->co_firstlineno);
}

/* Handle an event in a frame of a plugin's file. Exceptions of the plugin are caught; another exception is the
 * program's (a signal handler's), and is raised there. */
static int
tell_plugin(module_state *state, PyFrameObject *frame, traced_code *traced, int what)
{
    struct settrace *engine = state->settrace;
    if (what == PyTrace_CALL && set_f_trace(state, frame) < 0) {
        return -1;
    }
    traced_frames *frames = (traced_frames *)Py_NewRef(engine->traced_frames); // owned
    int status = 0;
    enter(state);
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
    return leave(state, engine);
}

enum settrace_answer
settrace_tell(module_state *state, PyObject *code, int what)
{
    struct settrace *engine = state->settrace;
    if (engine == NULL || engine->is_off) {
        return SETTRACE_IS_OFF;
    }
    PyFrameObject *frame = PyEval_GetFrame(); // borrowed
    PyCodeObject *own = frame == NULL ? NULL : PyFrame_GetCode(frame); // owned
    Py_XDECREF(own); /* the frame keeps it alive */
    if (own == NULL || (PyObject *)own != code) {
        return SETTRACE_PASSES_OVER; /* an extension's code, which has no frame */
    }
    traced_code *traced = traced_code_of(state, own, what);
    int status = traced == NULL ? -1 : 0;
    if (is_measured(traced)) {
        status = what == PyTrace_CALL   ? on_call(state, frame, own, traced)
                 : what == PyTrace_LINE ? on_line(state, frame, own, traced)
                                        : on_return(state, frame, own, traced);
    }
    if (state->settrace != engine) {
        return SETTRACE_IS_OFF; /* stopped by another thread */
    }
    if (status < 0) {
        fail(state);
        return SETTRACE_IS_OFF;
    }
    return !is_measured(traced) ? SETTRACE_PASSES_OVER : traced->is_watched ? SETTRACE_WATCHES : SETTRACE_SHOULD_WATCH;
}

enum settrace_answer
settrace_look_up(module_state *state, PyObject *code)
{
    struct settrace *engine = state->settrace;
    traced_code *traced = engine == NULL ? NULL : traced_code_of(state, (PyCodeObject *)code, PyTrace_CALL);
    if (traced == NULL) {
        return SETTRACE_IS_OFF;
    }
    return !is_measured(traced) ? SETTRACE_PASSES_OVER : traced->is_watched ? SETTRACE_WATCHES : SETTRACE_SHOULD_WATCH;
}

void
settrace_note_watched(module_state *state, PyObject *code)
{
    void *extra = NULL;
    struct settrace *engine = state->settrace;
    if (engine != NULL && PyUnstable_Code_GetExtra(code, engine->extra_index, &extra) == 0) {
        traced_code *traced = known_code(engine, extra);
        if (is_measured(traced)) {
            traced->is_watched = 1;
        }
    }
}

/* Pass over code without probes from now on, also within other code. 0, or -1 with an exception. */
static int
pass_over(module_state *state, PyObject *code, Py_ssize_t slot)
{
    if (Py_EnterRecursiveCall("")) {
        return -1;
    }
    int status = probes_is_armed(state, code) ? 0 : code_extra_set(code, slot, needs_no_probes());
    PyObject *constants = ((PyCodeObject *)code)->co_consts; // borrowed
    for (Py_ssize_t i = 0; status == 0 && i < PyTuple_GET_SIZE(constants); i++) {
        PyObject *constant = PyTuple_GET_ITEM(constants, i); // borrowed
        status = PyCode_Check(constant) ? pass_over(state, constant, slot) : 0;
    }
    Py_LeaveRecursiveCall();
    return status;
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
    Py_ssize_t slot = code_extra_slot(&state->traced_code_slot, free_traced_code);
    if (slot >= 0 && pass_over(state, code, slot) < 0) {
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
    if (engine == NULL || engine->is_off) {
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
    traced_code *traced = traced_code_of(state, code, what);
    int status = traced == NULL ? -1 : 0;
    if (is_measured(traced)) {
        status = traced->plugin_file != NULL ? tell_plugin(state, frame, traced, what)
                 : what == PyTrace_CALL      ? on_call(state, frame, code, traced)
                 : what == PyTrace_LINE      ? on_line(state, frame, code, traced)
                                             : on_return(state, frame, code, traced);
    }
    if (status < 0 && state->settrace == engine) {
        fail(state); /* else it was stopped by another thread */
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
    if (engine == NULL || engine->is_off) {
        Py_RETURN_NONE;
    }
    int what = PyUnicode_CompareWithASCIIString(args[1], "call") == 0     ? PyTrace_CALL
               : PyUnicode_CompareWithASCIIString(args[1], "line") == 0   ? PyTrace_LINE
               : PyUnicode_CompareWithASCIIString(args[1], "return") == 0 ? PyTrace_RETURN
                                                                          : PyTrace_EXCEPTION;
    PyObject *function = Py_NewRef(engine->function); // owned
    trace(function, (PyFrameObject *)args[0], what, Py_None);
    if (what == PyTrace_CALL && state->settrace == engine && !engine->is_off) {
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
        && !state->settrace->has_tool) {
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
    engine->extra_index = code_extra_slot(&state->traced_code_slot, free_traced_code);
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
        free_settrace(engine);
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

static PyMethodDef settrace_methods[] = {
    {"settrace_pass_over", settrace_pass_over, METH_O, settrace_pass_over_doc},
    {"settrace_ask_again", settrace_ask_again, METH_O, settrace_ask_again_doc},
    {"settrace_wrap_thread", settrace_wrap_thread, METH_O, settrace_wrap_thread_doc},
    {"settrace_start", settrace_start, METH_VARARGS, settrace_start_doc},
    {"settrace_stop", settrace_stop, METH_NOARGS, settrace_stop_doc},
    {NULL, NULL, 0, NULL},
};

static const engine_functions settrace_engine = {settrace_flush, NULL, settrace_traverse, settrace_clear};

int
settrace_exec(PyObject *module)
{
    engine_register(get_state(module), &settrace_engine);
    return PyModule_AddFunctions(module, settrace_methods);
}
