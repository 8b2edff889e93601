/* remote.c is the Python side of sampling from outside: the type RemoteSampler in footfall._core, which the supervisor
 * uses, not measured processes. Binding C; every function needs the GIL. The sampling thread runs without it: while
 * that runs, the whole sampler belongs to it, except what its functions read for statistics. */
#include "core/state.h" /* first: Python.h must come before the system headers */

#include "remote/remote.h"

#include "remote/interpreters.h"
#include "remote/pause.h"
#include "remote/source.h"
#include "remote/snapshot.h"
#include "sampler/calls.h"
#include "sampler/creation.h"
#include "sampler/lanes.h"
#include "sampler/loop.h"
#include "sampler/tasks/task_tables.h"
#include "sampler/tasks/tasks.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

typedef struct remote_sampler {
    PyObject_HEAD
    sampler *s; /* owned; NULL until it is created, and after it is stopped */
    remote_target target;
    task_tables tables; /* all 0 if there are none */
    sample_log last; /* its counters, once stopped */
    int has_log;
} remote_sampler;

typedef struct remote_options {
    int pid;
    PyObject *path; /* owned; NULL: no log, for a single snapshot */
    unsigned long long runtime;
    unsigned long long code_type;
    unsigned int version;
    long long interval_ns;
    long long rseq_offset;
    unsigned int max_cpu_ppm;
    int pauses;
    unsigned long long seed;
    task_tables tables;
} remote_options;

static void
set_read_error(const char *what)
{
    PyErr_Format(errno == EPERM   ? PyExc_PermissionError
                 : errno == ESRCH ? PyExc_ProcessLookupError
                                  : PyExc_OSError,
                 "%s: %s", what, strerror(errno));
}

/* Fill in what is known about the target's interpreter. -1 with an exception. */
static int
find_interpreter(sampler *s, const remote_options *options)
{
    s->interpreter.runtime = options->runtime;
    s->interpreter.code_type = options->code_type;
    walk_status status =
        walk_find_offsets(&s->memory, s->interpreter.runtime, options->version, &s->interpreter.offsets);
    if (status == WALK_UNREADABLE) {
        set_read_error("reading the interpreter");
        return -1;
    }
    if (status != WALK_OK) {
        PyErr_SetString(PyExc_ValueError, "the layout of this interpreter is not known");
        return -1;
    }
    if (memory_read(&s->memory, s->interpreter.runtime + s->interpreter.offsets.runtime_interpreters,
                    &s->interpreter.address, 8)
        < 0) {
        set_read_error("reading the interpreter");
        return -1;
    }
    return 0;
}

static void
free_remote(sampler *s)
{
    sampler_thread_stop(s);
    sampler_tasks_close(s);
    remote_close_interpreters(s);
    sampler_delete(s);
}

static sampler *
new_sampler(remote_target *target, const remote_options *options)
{
    const sampler_options common = {
        .source = &remote_source,
        .source_data = target,
        .read_pid = options->pid,
        .interval_ns = (uint64_t)options->interval_ns,
        .max_cpu_ppm = options->max_cpu_ppm,
        .seed = options->seed,
        .follows_cpu = 1,
    };
    sampler *s = sampler_new(&common);
    if (s == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    s->pace.has_fine_clock = 1;
    s->follow.rseq_offset = options->rseq_offset;
    target->pauses = options->pauses;
    if (find_interpreter(s, options) < 0) {
        free_remote(s);
        return NULL;
    }
    if (stack_walker_open(&s->walker, &s->memory, &s->interpreter.offsets, 0, 0) != WALK_OK
        || remote_open_interpreters(s) < 0) {
        PyErr_NoMemory();
        free_remote(s);
        return NULL;
    }
    return s;
}

static int
parse_options(PyObject *args, PyObject *kwargs, remote_options *options)
{
    static const char *const names[] = {"pid",         "runtime",     "code_type", "version", "path",  "interval_ns",
                                        "rseq_offset", "max_cpu_ppm", "pause",     "seed",    "tasks", NULL};
    PyObject *path = Py_None;
    PyObject *tasks = Py_None;
    memset(options, 0, sizeof *options);
    options->interval_ns = 1000000;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "iKKI|OLLIpKO", (char **)(uintptr_t)names, &options->pid,
                                     &options->runtime, &options->code_type, &options->version, &path,
                                     &options->interval_ns, &options->rseq_offset, &options->max_cpu_ppm,
                                     &options->pauses, &options->seed, &tasks)) {
        return -1;
    }
    if (tasks != Py_None && task_tables_parse(tasks, &options->tables) < 0) {
        return -1;
    }
    if (options->interval_ns < MIN_INTERVAL_NS || options->interval_ns > MAX_INTERVAL_NS) {
        PyErr_Format(PyExc_ValueError, "the interval must be 1 us to 1 h, not %lld ns", options->interval_ns);
        return -1;
    }
    if (options->pid <= 0) {
        PyErr_Format(PyExc_ValueError, "a process id is greater than 0, not %d", options->pid);
        return -1;
    }
    return path == Py_None || PyUnicode_FSConverter(path, &options->path) ? 0 : -1;
}

static void
set_tasks_error(walk_status status)
{
    if (status == WALK_NO_MEMORY) {
        PyErr_NoMemory();
    }
    else if (status == WALK_UNREADABLE) {
        set_read_error("reading the tasks");
    }
    else {
        PyErr_SetString(PyExc_ValueError, "the layout of this interpreter's tasks is not known");
    }
}

/* Open target, sampler and log. -1 with an exception. */
static int
open_remote(remote_sampler *self, const remote_options *options)
{
    if (remote_target_open(&self->target, options->pid) < 0) {
        set_read_error("opening /proc");
        return -1;
    }
    self->s = new_sampler(&self->target, options);
    if (self->s == NULL) {
        return -1;
    }
    self->tables = options->tables;
    if (options->path == NULL) {
        self->s->log.n[COUNT_FULL] = ENOSPC; /* nothing is logged */
        return 0;
    }
    walk_status status;
    if (options->tables.debug != 0 && sampler_tasks_open(self->s, &options->tables, &status) < 0) {
        set_tasks_error(status);
        return -1;
    }
    const char *path = PyBytes_AS_STRING(options->path);
    if (sample_log_open(&self->s->log, path, options->pid, options->version, (uint64_t)options->interval_ns) < 0) {
        PyErr_SetFromErrnoWithFilename(PyExc_OSError, path);
        return -1;
    }
    self->has_log = 1;
    return 0;
}

static PyObject *
remote_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    remote_options options;
    if (parse_options(args, kwargs, &options) < 0) {
        return NULL;
    }
    remote_sampler *self = (remote_sampler *)type->tp_alloc(type, 0);
    if (self != NULL) {
        self->target.proc = self->target.pid_file = -1;
        if (open_remote(self, &options) < 0) {
            Py_CLEAR(self);
        }
    }
    Py_XDECREF(options.path);
    return (PyObject *)self;
}

static void
close_remote(remote_sampler *self)
{
    sampler *s = self->s;
    self->s = NULL;
    if (s != NULL) {
        Py_BEGIN_ALLOW_THREADS sampler_thread_stop(s);
        if (self->has_log) {
            sampler_log_calls(s);
        }
        Py_END_ALLOW_THREADS sampler_tasks_close(s);
        if (self->has_log) {
            sample_log_close(&s->log);
        }
        memcpy(self->last.n, s->log.n, sizeof self->last.n);
        free_remote(s);
    }
    remote_target_close(&self->target);
}

static void
remote_dealloc(PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);
    close_remote((remote_sampler *)object);
    type->tp_free(object);
    Py_DECREF(type);
}

PyDoc_STRVAR(remote_start_doc,
"start()\n--\n\n"
"Start the native thread that samples. Raises OSError, or RuntimeError when it runs or was stopped.");

static PyObject *
remote_start(PyObject *object, PyObject *Py_UNUSED(ignored))
{
    remote_sampler *self = (remote_sampler *)object;
    if (self->s == NULL || self->s->thread.is_there || !self->has_log) {
        PyErr_SetString(PyExc_RuntimeError, "this sampler can't be started");
        return NULL;
    }
    int error = sampler_thread_start(self->s);
    if (error != 0) {
        errno = error;
        return PyErr_SetFromErrno(PyExc_OSError);
    }
    Py_RETURN_NONE;
}

PyDoc_STRVAR(remote_stop_doc,
"stop()\n--\n\n"
"Stop sampling and close the log. Does nothing the second time.");

static PyObject *
remote_stop(PyObject *object, PyObject *Py_UNUSED(ignored))
{
    close_remote((remote_sampler *)object);
    Py_RETURN_NONE;
}

PyDoc_STRVAR(remote_stats_doc,
"stats()\n--\n\n"
"What was counted so far, as a dict of int. `end`: why sampling ended by itself: 0 it goes on, 1 the process ended,\n"
"2 its interpreter is no longer where it was, 3 it may no longer be read. `full`: the errno that ended the log.");

static PyObject *
remote_stats(PyObject *object, PyObject *Py_UNUSED(ignored))
{
    const remote_sampler *self = (remote_sampler *)object;
    const uint64_t *n = self->s != NULL ? self->s->log.n : self->last.n;
    return Py_BuildValue("{sK sK sK sK sK sK sK sK sK sK si}", "ticks", n[COUNT_TICKS], "samples", n[COUNT_SAMPLES],
                         "torn", n[COUNT_TORN], "unreadable", n[COUNT_UNREADABLE], "late", n[COUNT_LATE], "codes",
                         n[COUNT_CODES], "nodes", n[COUNT_NODES], "full", n[COUNT_FULL], "cpu_ns", n[COUNT_CPU],
                         "walks", self->s != NULL ? self->s->n_walks : (uint64_t)0, "end", (int)self->target.end);
}

static int
check_can_be_asked(const remote_sampler *self)
{
    if (self->s == NULL || self->s->thread.is_there) {
        PyErr_SetString(PyExc_RuntimeError, "this sampler can't be asked for stacks");
        return -1;
    }
    return 0;
}

PyDoc_STRVAR(remote_interpreters_doc,
"interpreters()\n--\n\n"
"The addresses and ids of the process's interpreters, and where the GIL that each uses has its last holder, as a list of\n"
"tuples; empty when it has none (yet, any longer).\n"
"Raises RuntimeError while sampling.");

static PyObject *
remote_interpreters(PyObject *object, PyObject *Py_UNUSED(ignored))
{
    const remote_sampler *self = (remote_sampler *)object;
    PyObject *found = PyList_New(0);
    if (found == NULL || check_can_be_asked(self) < 0) {
        Py_XDECREF(found);
        return NULL;
    }
    remote_find_interpreters(self->s);
    for (uint32_t i = 0; i < self->target.n_views; i++) {
        const interpreter_view *view = &self->target.views[i];
        PyObject *item = view->interp == 0
                             ? NULL
                             : Py_BuildValue("KKK", (unsigned long long)view->interp, (unsigned long long)view->id,
                                             (unsigned long long)view->gil_address);
        if (item == NULL && !PyErr_Occurred()) {
            continue; /* it has none yet */
        }
        if (item == NULL || PyList_Append(found, item) < 0) {
            Py_XDECREF(item);
            Py_DECREF(found);
            return NULL;
        }
        Py_DECREF(item);
    }
    return found;
}

PyDoc_STRVAR(remote_stacks_doc,
"stacks()\n--\n\n"
"Look once at all thread states of all interpreters, newest first: a list of (pthread_t, native id there, thread id here\n"
"or 0, holds the GIL, frames, interpreter id, entered). `frames` is None when the stack changed while it was read, else a\n"
"list, leaf first, of (address, code unit or -1, filename, qualname, first line, line table). `entered` is the place on the\n"
"thread's C stack of the evaluation loop that the state entered last, 0 without: of several states of a thread the one\n"
"with the lowest runs.\n\n"
"Raises RuntimeError while sampling, OSError when the process can't be read (any longer).");

/* Read all threads, and the tasks if a reader is given, with the process stopped if that was requested. */
static PyObject *
build_snapshot(remote_sampler *self, task_reader *reader)
{
    sampler *s = self->s;
    if (self->target.pauses && remote_pause(self->target.pid) < 0 && errno != ESRCH) {
        set_read_error("stopping the process");
        return NULL;
    }
    remote_find_interpreters(s);
    PyObject *threads = PyList_New(0);
    PyObject *tasks = reader != NULL ? PyList_New(0) : Py_NewRef(Py_None);
    int status = threads == NULL || tasks == NULL ? -1 : 0;
    for (uint32_t i = 0; status == 0 && i < self->target.n_views; i++) {
        remote_select(s, i);
        if (sampler_find_threads(s) != WALK_OK) {
            set_read_error("reading the threads");
            status = -1;
        }
        else {
            status = remote_add_snapshot(s, self->target.views[i].id, reader, threads, tasks);
        }
    }
    if (self->target.pauses) {
        remote_resume();
    }
    PyObject *found = NULL;
    if (status == 0) {
        found = reader == NULL ? Py_NewRef(threads) : PyTuple_Pack(2, threads, tasks);
    }
    Py_XDECREF(threads);
    Py_XDECREF(tasks);
    return found;
}

static PyObject *
remote_stacks(PyObject *object, PyObject *Py_UNUSED(ignored))
{
    remote_sampler *self = (remote_sampler *)object;
    return check_can_be_asked(self) < 0 ? NULL : build_snapshot(self, NULL);
}

PyDoc_STRVAR(remote_stacks_and_tasks_doc,
"stacks_and_tasks()\n--\n\n"
"Look once at all threads and all asyncio tasks: what stacks() returns, and a list of (interpreter id, tasks) with tasks as\n"
"a list of (address, name, pthread_t of its thread or 0, state, awaiters, frames, n). The state is 0 it waits, 1 it runs, 2 it has ended; `awaiters` are the addresses\n"
"of the tasks that wait for it. `frames` is None when it changed while it was read, else as a thread's, of one that runs\n"
"empty: its frames are the first `n` of its thread's. A list is None when the tasks could not be read whole.\n\n"
"Raises as stacks() does; ValueError when the sampler was made without `tasks`, or their layout is not known.");

static PyObject *
remote_stacks_and_tasks(PyObject *object, PyObject *Py_UNUSED(ignored))
{
    remote_sampler *self = (remote_sampler *)object;
    task_reader reader;
    if (check_can_be_asked(self) < 0) {
        return NULL;
    }
    walk_status status = task_reader_open(&reader, &self->s->memory, &self->s->interpreter.offsets,
                                          self->s->interpreter.runtime, &self->tables);
    if (status != WALK_OK) {
        set_tasks_error(status);
        return NULL;
    }
    PyObject *found = build_snapshot(self, &reader);
    task_reader_close(&reader);
    return found;
}

PyDoc_STRVAR(remote_doc,
"RemoteSampler(pid, runtime, code_type, version, path=None, interval_ns=1000000, rseq_offset=0, max_cpu_ppm=0,\n"
"              pause=False, seed=0, tasks=None)\n--\n\n"
"Sample the threads of all interpreters of another process, whose _PyRuntime and PyCode_Type are at these addresses and\n"
"whose PY_VERSION_HEX is `version`, into the new file `path`. A thread that has states in several interpreters gives one\n"
"sample, whose stack is theirs joined. With `rseq_offset`, the distance from a thread's pthread_t to its CPU number, the sampling thread keeps to the CPU of the\n"
"thread that holds the GIL. With `pause` the process's threads are stopped while they are read. Without a path only\n"
"stacks(), stacks_and_tasks() and interpreters() can be asked for. `tasks` are the addresses of the section .AsyncioDebug,\n"
"PyCoro_Type, PyGen_Type, PyAsyncGen_Type and _PyAsyncGenASend_Type, 0 where not known: with the first, stacks of tasks are\n"
"joined with those of the tasks that wait for them, and waiting tasks are counted.\n\n"
"Raises PermissionError, ProcessLookupError, OSError when the process can't be read; ValueError when the layout of its\n"
"interpreter is not known.");

static PyMethodDef remote_methods[] = {
    {"start", remote_start, METH_NOARGS, remote_start_doc},
    {"stop", remote_stop, METH_NOARGS, remote_stop_doc},
    {"stats", remote_stats, METH_NOARGS, remote_stats_doc},
    {"interpreters", remote_interpreters, METH_NOARGS, remote_interpreters_doc},
    {"stacks", remote_stacks, METH_NOARGS, remote_stacks_doc},
    {"stacks_and_tasks", remote_stacks_and_tasks, METH_NOARGS, remote_stacks_and_tasks_doc},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot remote_slots[] = {
    {Py_tp_new, remote_new},
    {Py_tp_dealloc, remote_dealloc},
    {Py_tp_methods, remote_methods},
    {Py_tp_doc, (void *)(uintptr_t)remote_doc},
    {0, NULL},
};

static PyType_Spec remote_spec = {
    .name = "footfall._core.RemoteSampler",
    .basicsize = sizeof(remote_sampler),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = remote_slots,
};

PyDoc_STRVAR(read_memory_doc,
"read_memory(pid, address, size)\n--\n\n"
"Read up to 64 KiB of another process's memory, as bytes. Raises PermissionError, ProcessLookupError, OSError.");

static PyObject *
read_memory(PyObject *Py_UNUSED(module), PyObject *args)
{
    int pid;
    unsigned long long address;
    unsigned int size;
    if (!PyArg_ParseTuple(args, "iKI", &pid, &address, &size)) {
        return NULL;
    }
    if (pid <= 0 || size > 1u << 16) {
        PyErr_SetString(PyExc_ValueError, "no such process, or too much at once");
        return NULL;
    }
    memory_source source = {.pid = pid};
    PyObject *bytes = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)size);
    if (bytes != NULL && memory_read(&source, address, PyBytes_AS_STRING(bytes), size) < 0) {
        Py_DECREF(bytes);
        set_read_error("reading the process");
        return NULL;
    }
    return bytes;
}

static PyMethodDef module_methods[] = {
    {"read_memory", read_memory, METH_VARARGS, read_memory_doc},
    {NULL, NULL, 0, NULL},
};

int
remote_exec(PyObject *module)
{
    PyObject *type = PyType_FromModuleAndSpec(module, &remote_spec, NULL);
    if (type == NULL) {
        return -1;
    }
    int status = PyModule_AddType(module, (PyTypeObject *)type);
    Py_DECREF(type);
    return status < 0 ? -1 : PyModule_AddFunctions(module, module_methods);
}
