/* remote/snapshot.c describes what a process does at one moment, as Python objects. Binding C; every function needs the
 * GIL, and none is called while the sampling thread runs. */
#include "core/state.h" /* first: Python.h must come before the system headers */

#include "remote/snapshot.h"

#include <stdio.h>
#include <stdlib.h>

/* Append a new reference to a list. -1 with an exception, also if `item` is NULL. */
static int
append_new(PyObject *list, PyObject *item)
{
    int status = item == NULL ? -1 : PyList_Append(list, item);
    Py_XDECREF(item);
    return status;
}

/* Return one frame as (address, unit, filename, qualname, first line, line table): a new reference. */
static PyObject *
build_frame(sampler *s, const raw_frame *frame)
{
    const char *mark = stack_mark_name(frame->code);
    if (frame->code == MARK_LEFT_OUT) {
        char name[64];
        snprintf(name, sizeof name, "<%llu frames left out>", (unsigned long long)frame->instr);
        code_names_set(&s->names, name);
    }
    else if (mark != NULL) {
        code_names_set(&s->names, mark);
    }
    else if (code_names_read(&s->memory, &s->interpreter.offsets, frame->code, s->interpreter.code_type, &s->names)
             != WALK_OK) {
        return NULL;
    }
    uint64_t first = frame->code + s->interpreter.offsets.code_adaptive;
    long long unit = frame->instr < first
                         ? (s->interpreter.offsets.instr_is_before && frame->instr == first - 2 ? 0 : -1)
                         : (long long)((frame->instr - first) / 2);
    if (unit >= (long long)s->names.n_units) {
        unit = -1;
    }
    const unsigned char *linetable = s->names.linetable != NULL ? s->names.linetable : (const unsigned char *)"";
    return Py_BuildValue("KLy#y#Iy#", (unsigned long long)frame->code, unit, s->names.filename,
                         (Py_ssize_t)s->names.filename_bytes, s->names.qualname, (Py_ssize_t)s->names.qualname_bytes,
                         s->names.first_line, linetable, (Py_ssize_t)s->names.linetable_bytes);
}

/* Return frames as a list, leaf first, without those that no traceback shows; None if a code object no longer existed.
 * The walker's `n_marked` is adjusted to count the list's frames. */
static PyObject *
build_stack(sampler *s, const raw_frame *raw, uint32_t n_frames, int is_leaf_last)
{
    PyObject *frames = PyList_New(0);
    uint32_t n_hidden = 0;
    for (uint32_t i = 0; frames != NULL && i < n_frames; i++) {
        PyObject *item = build_frame(s, &raw[is_leaf_last ? n_frames - 1 - i : i]);
        if (item == NULL && !PyErr_Occurred()) {
            Py_DECREF(frames);
            Py_RETURN_NONE;
        }
        if (item != NULL && code_names_is_hidden(&s->names)) {
            n_hidden += raw == s->walker.frames && i < s->walker.n_marked;
            Py_DECREF(item);
            continue;
        }
        if (item == NULL || PyList_Append(frames, item) < 0) {
            Py_CLEAR(frames);
        }
        Py_XDECREF(item);
    }
    s->walker.n_marked -= n_hidden;
    return frames;
}

static PyObject *
build_thread(sampler *s, thread_lane *lane, uint64_t interpreter)
{
    PyObject *stack;
    if (stack_walk(&s->walker, lane->thread, &lane->guess) == WALK_OK) {
        stack = build_stack(s, s->walker.frames, s->walker.n_frames, 0);
    }
    else {
        stack = Py_NewRef(Py_None);
    }
    if (stack == NULL) {
        return NULL;
    }
    return Py_BuildValue("KKiiNKK", (unsigned long long)lane->thread_id, (unsigned long long)lane->native_id,
                         (int)lane->task, lane->thread == s->threads.gil.holder, stack, (unsigned long long)interpreter,
                         (unsigned long long)(s->walker.n_frames != 0 ? s->walker.entered : 0));
}

/* The task that a thread runs. */
typedef struct running_task {
    uint64_t task; /* 0 = none */
    uint32_t n_frames; /* of its stack, 0 if the task's frame was not found */
    int is_listed;
} running_task;

/* Mark the frame of the thread's task for the following walk. */
static void
mark_task(sampler *s, task_reader *reader, const thread_lane *lane, running_task *running)
{
    task_fields task;
    *running = (running_task){0};
    s->walker.mark = 0;
    if (task_running(reader, lane->thread, &running->task) != WALK_OK) {
        running->task = 0;
    }
    if (running->task != 0 && task_read(reader, running->task, &task) == WALK_OK) {
        s->walker.mark = task_frame(reader, &task);
    }
}

static PyObject *
build_awaiters(const task_reader *reader, const task_fields *task)
{
    uint64_t *awaiters = malloc(MAX_AWAITERS * sizeof *awaiters);
    if (awaiters == NULL) {
        return PyErr_NoMemory();
    }
    uint32_t n = task_awaiters(reader, task, awaiters, MAX_AWAITERS);
    PyObject *found = PyList_New(0);
    for (uint32_t i = 0; found != NULL && i < n; i++) {
        if (append_new(found, PyLong_FromUnsignedLongLong(awaiters[i])) < 0) {
            Py_CLEAR(found);
        }
    }
    free(awaiters);
    return found;
}

/* Return one task, as stacks_and_tasks() describes it. `running` is its thread's if that runs it, else NULL. */
static PyObject *
build_task(sampler *s, task_reader *reader, const task_fields *task, uint64_t thread_id, const running_task *running)
{
    char name[MAX_TASK_NAME_BYTES];
    int64_t number;
    enum task_state state = TASK_RUNS;
    PyObject *frames = NULL;
    if (running != NULL && running->n_frames != 0) {
        frames = PyList_New(0);
    }
    else if (running == NULL && task_read_frames(reader, task, &state) == WALK_OK && state != TASK_RUNS) {
        frames = build_stack(s, reader->frames, reader->n_frames, 1);
    }
    else {
        frames = Py_NewRef(Py_None);
    }
    if (frames == NULL) {
        return NULL;
    }
    PyObject *awaiters = build_awaiters(reader, task);
    if (awaiters == NULL) {
        Py_DECREF(frames);
        return NULL;
    }
    task_read_name(reader, task, name, &number);
    return Py_BuildValue("KyKiNNI", (unsigned long long)task->address, name, (unsigned long long)thread_id, (int)state,
                         awaiters, frames, running != NULL ? running->n_frames : 0u);
}

/* Add the tasks that were just read, with what status. 1; 0 if the list could not be read whole; -1 with an
 * exception. */
static int
add_listed(sampler *s, task_reader *reader, walk_status read, uint64_t thread_id, running_task *running, PyObject *to)
{
    if (read != WALK_OK) {
        return 0;
    }
    for (uint32_t i = 0; i < reader->n_tasks; i++) {
        task_fields task = reader->tasks[i];
        int is_running = running != NULL && running->task == task.address;
        if (is_running) {
            running->is_listed = 1;
        }
        if (append_new(to, build_task(s, reader, &task, thread_id, is_running ? running : NULL)) < 0) {
            return -1;
        }
    }
    return 1;
}

/* Add the tasks of a thread. A task that was started eagerly is in no list until it waits. Returns as above. */
static int
add_tasks_of(sampler *s, task_reader *reader, const thread_lane *lane, running_task *running, PyObject *to)
{
    task_fields task;
    int status = add_listed(s, reader, tasks_read_of_thread(reader, lane->thread), lane->thread_id, running, to);
    if (status > 0 && running->task != 0 && !running->is_listed && task_read(reader, running->task, &task) == WALK_OK
        && task.is_task) {
        status = append_new(to, build_task(s, reader, &task, lane->thread_id, running)) < 0 ? -1 : 1;
    }
    return status;
}

/* Return the tasks of all threads, and those left by ended threads; None if a list could not be read whole. */
static PyObject *
build_tasks(sampler *s, task_reader *reader, running_task *running)
{
    PyObject *tasks = PyList_New(0);
    int status = tasks == NULL ? -1 : 1;
    for (uint32_t i = 0; status > 0 && i < s->threads.n_lanes; i++) {
        if (s->threads.lanes[i].native_id != 0) {
            status = add_tasks_of(s, reader, &s->threads.lanes[i], &running[i], tasks);
        }
    }
    if (status > 0) {
        status = add_listed(s, reader, tasks_read_left(reader, s->interpreter.address), 0, NULL, tasks);
    }
    if (status > 0) {
        return tasks;
    }
    Py_XDECREF(tasks);
    if (status < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

int
remote_add_snapshot(sampler *s, uint64_t interpreter, task_reader *reader, PyObject *threads, PyObject *tasks)
{
    running_task *running = calloc(s->threads.n_lanes + 1, sizeof *running);
    int status = 0;
    if (running == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    for (uint32_t i = 0; status == 0 && i < s->threads.n_lanes; i++) {
        if (reader != NULL) {
            mark_task(s, reader, &s->threads.lanes[i], &running[i]);
        }
        status = append_new(threads, build_thread(s, &s->threads.lanes[i], interpreter));
        running[i].n_frames = s->walker.n_marked;
    }
    s->walker.mark = 0;
    if (reader != NULL && status == 0) {
        PyObject *found = build_tasks(s, reader, running);
        status = found == NULL ? -1 : append_new(tasks, Py_BuildValue("KN", (unsigned long long)interpreter, found));
    }
    free(running);
    return status;
}
