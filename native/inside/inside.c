/* inside/inside.c is the Python side of the inside sampler: its life cycle and its functions in footfall._core. Binding
 * C; every function needs the GIL. The sampling thread runs without it and touches no Python object: while it runs,
 * struct sampler belongs to it, except `contexts` (atomic), the ring, and what `mutex` guards. */
#include "core/state.h" /* first: Python.h must come before the system headers */

#include "inside/inside.h"

#include "compat/versions.h"
#include "engines/contexts.h"
#include "engines/thread_contexts.h"
#include "inside/inside_data.h"
#include "inside/source.h"
#include "inside/watch.h"
#include "record/clocks.h"
#include "sampler/calls.h"
#include "sampler/creation.h"
#include "sampler/loop.h"
#include "sampler/native_frames/record.h"
#include "sampler/precise.h"
#include "sampler/tasks/task_tables.h"
#include "sampler/tasks/tasks.h"
#include "sampler/tick.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FINE_CLOCK_NS 200000u /* a CPU clock that does not advance for this long while we spin is coarse */

/* Return whether our CPU clock advances while we spin; some sandboxes count in ticks of 10 ms. */
static int
is_cpu_clock_fine(void)
{
    struct timespec first, now;
    uint64_t start = monotonic_ns();
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &first);
    do {
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
        if (now.tv_nsec != first.tv_nsec) {
            return 1;
        }
    } while (monotonic_ns() - start < FINE_CLOCK_NS);
    return 0;
}

/* Fill in what is known about the interpreter. -1 with an exception. */
static int
find_interpreter(sampler *s)
{
    const void *runtime = dlsym(RTLD_DEFAULT, "_PyRuntime");
    if (runtime == NULL) {
        PyErr_SetString(PyExc_RuntimeError, "this interpreter does not export _PyRuntime");
        return -1;
    }
    PyThreadState *current = PyThreadState_Get();
    s->interpreter.runtime = (uint64_t)(uintptr_t)runtime;
    s->interpreter.address = (uint64_t)(uintptr_t)PyInterpreterState_Main();
    s->interpreter.code_type = (uint64_t)(uintptr_t)&PyCode_Type;
    s->interpreter.start_thread = (uint64_t)(uintptr_t)current;
    s->interpreter.start_native_id = (uint64_t)syscall(SYS_gettid);
    if (PyThreadState_GetInterpreter(current) != PyInterpreterState_Main()) {
        PyErr_SetString(PyExc_RuntimeError, "only the main interpreter can be sampled");
        return -1;
    }
    walk_status status = walk_find_offsets(&s->memory, s->interpreter.runtime, PY_VERSION_HEX, &s->interpreter.offsets);
    if (status == WALK_UNREADABLE) {
        PyErr_SetFromErrno(PyExc_PermissionError);
        return -1;
    }
    if (status != WALK_OK) {
        PyErr_SetString(PyExc_RuntimeError, "the layout of this interpreter is not known");
        return -1;
    }
    s->interpreter.gil_address =
        (s->interpreter.offsets.gil_in_runtime ? s->interpreter.runtime : s->interpreter.address)
        + s->interpreter.offsets.gil_holder;
    return 0;
}

/* -1 with PermissionError if the kernel does not let us read our own memory safely. */
static int
check_reading(const memory_source *memory)
{
    uint64_t here = 0x666f6f7466616c6c; /* not what another address happens to contain */
    uint64_t copy = 0;
    errno = 0;
    if (memory_read(memory, (uint64_t)(uintptr_t)&here, &copy, sizeof copy) < 0 || copy != here) {
        PyErr_Format(PyExc_PermissionError, "process_vm_readv on this process: %s",
                     errno == 0 ? "it read something else" : strerror(errno));
        return -1;
    }
    return 0;
}

static void
free_sampler(sampler *s)
{
    inside_data *data = inside_data_of(s);
    sampler_delete(s);
    free(data);
}

/* `options` get the data of inside sampling, which the sampler frees. */
static sampler *
new_sampler(sampler_options *options)
{
    options->source_data = calloc(1, sizeof(inside_data));
    sampler *s = options->source_data == NULL ? NULL : sampler_new(options);
    if (s == NULL) {
        free(options->source_data);
        PyErr_NoMemory();
        return NULL;
    }
    s->pace.has_fine_clock = is_cpu_clock_fine();
    if (check_reading(&s->memory) < 0 || find_interpreter(s) < 0) {
        free_sampler(s);
        return NULL;
    }
    if (stack_walker_open(&s->walker, &s->memory, &s->interpreter.offsets, s->interpreter.address,
                          s->interpreter.gil_address)
        != WALK_OK) {
        PyErr_NoMemory();
        free_sampler(s);
        return NULL;
    }
    return s;
}

/* Create the sampler of this process, without a thread yet. -1 with an exception. */
static int
open_sampler(module_state *state, PyObject *path, sampler_options *options)
{
    if (state->sampler != NULL) {
        PyErr_SetString(PyExc_RuntimeError, "the sampler runs already");
        return -1;
    }
    sampler *s = new_sampler(options);
    if (s == NULL) {
        return -1;
    }
    if (sample_log_open(&s->log, PyBytes_AS_STRING(path), s->pid, PY_VERSION_HEX, options->interval_ns) < 0) {
        PyErr_SetFromErrnoWithFilename(PyExc_OSError, PyBytes_AS_STRING(path));
        free_sampler(s);
        return -1;
    }
    if (watch_code_start(&inside_data_of(s)->deaths.ring) < 0) {
        sample_log_close(&s->log);
        free_sampler(s);
        return -1;
    }
    state->sampler = s;
    state->sample_contexts = &s->contexts;
    contexts_publish(state);
    return 0;
}

/* Stop the thread and free everything. In a forked child that was not notified, the thread and perhaps a held lock are
 * the parent's: then everything is left as it is. */
static void
close_sampler(module_state *state)
{
    sampler *s = state->sampler;
    state->sampler = NULL;
    state->sample_contexts = NULL;
    if (s == NULL) {
        return;
    }
    watch_code_stop();
    if (s->pid != getpid()) {
        return;
    }
    sampler_thread_stop(s);
    sampler_tasks_close(s);
    sampler_log_calls(s);
    sample_log_close(&s->log);
    free_sampler(s);
}

void
sampler_free(module_state *state)
{
    close_sampler(state);
}

typedef struct start_options {
    PyObject *path; /* owned */
    sampler_options sampler;
    int precise;
    uint64_t lease_ns;
    task_tables tables;
    int wants_tasks; /* this process's own tasks */
    int native;
} start_options;

static int
parse_start(PyObject *args, PyObject *kwargs, start_options *options)
{
    static const char *const names[] = {"path",    "interval_ns", "seed",  "follow", "max_cpu_ppm",
                                        "precise", "lease_ns",    "tasks", "native", NULL};
    long long interval;
    unsigned long long seed = 0;
    unsigned long long lease_ns = 0;
    unsigned int max_cpu_ppm = 0;
    PyObject *tasks = Py_None;
    memset(options, 0, sizeof *options);
    options->sampler.source = &inside_source;
    options->sampler.read_pid = getpid();
    options->sampler.follows_cpu = 1;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O&L|KpIpKOp", (char **)(uintptr_t)names, PyUnicode_FSConverter,
                                     &options->path, &interval, &seed, &options->sampler.follows_cpu, &max_cpu_ppm,
                                     &options->precise, &lease_ns, &tasks, &options->native)) {
        return -1;
    }
    options->wants_tasks = tasks == Py_True;
    if (tasks != Py_None && !options->wants_tasks && task_tables_parse(tasks, &options->tables) < 0) {
        Py_CLEAR(options->path);
        return -1;
    }
    if (interval < MIN_INTERVAL_NS || interval > MAX_INTERVAL_NS) {
        PyErr_Format(PyExc_ValueError, "the interval must be 1 us to 1 h, not %lld ns", interval);
        Py_CLEAR(options->path);
        return -1;
    }
    options->sampler.interval_ns = (uint64_t)interval;
    options->sampler.seed = seed;
    options->sampler.max_cpu_ppm = max_cpu_ppm;
    options->sampler.follows_cpu = options->sampler.follows_cpu && !options->precise;
    options->lease_ns = lease_ns;
    return 0;
}

PyDoc_STRVAR(sampler_start_doc,
"sampler_start(path, interval_ns, seed=0, follow=True, max_cpu_ppm=0, precise=False, lease_ns=0, tasks=None,\n"
"              native=False)\n--\n\n"
"Sample all threads of the main interpreter into a new file from a native thread. With `follow`, and an\n"
"interval of 0.4 ms or more, that thread keeps to the CPU of the thread which holds the GIL: stacks stand\n"
"still while they are read, at two context switches a sample. With `max_cpu_ppm`, intervals get longer, up to\n"
"10 ms, where the thread would use more than that many millionths of the process's CPU time. With `precise`,\n"
"each thread walks its own stack in the handler of a real-time signal. With `lease_ns` sampling ends after it, unless\n"
"another process has put the moment off that is in the log's header. `tasks`: as of RemoteSampler; True: this\n"
"process's own, once it has imported asyncio. `native`: with `precise`, C stacks are recorded too.\n\n"
"Raises PermissionError where the process may not read its own memory by system calls,\n"
"RuntimeError where the interpreter's layout is not known or a sampler runs already, OSError.");

static PyObject *
start_sampler(PyObject *module, PyObject *args, PyObject *kwargs)
{
    start_options options;
    if (parse_start(args, kwargs, &options) < 0) {
        return NULL;
    }
    module_state *state = get_state(module);
    int opened = open_sampler(state, options.path, &options.sampler);
    Py_DECREF(options.path);
    if (opened < 0) {
        return NULL;
    }
    sampler *s = state->sampler;
    inside_data_of(s)->task_search.is_on = options.wants_tasks;
    int error = 0;
    walk_status status;
    if (options.tables.debug != 0 && sampler_tasks_open(s, &options.tables, &status) < 0) {
        error = status == WALK_NO_MEMORY ? ENOMEM : EINVAL;
    }
    if (options.lease_ns != 0) {
        s->is_leased = 1;
        maplog_put_u64(s->log.lease, monotonic_ns() + options.lease_ns);
    }
    if (options.precise && stack_walker_fix(&s->walker) != WALK_OK) {
        error = ENOMEM;
    }
    if (options.precise && options.native && error == 0 && native_frames_open(s) < 0) {
        error = errno;
    }
    if (options.precise && error == 0 && precise_open(s) < 0) {
        error = errno;
    }
    if (error == 0) {
        error = sampler_thread_start(s);
    }
    if (error != 0) {
        close_sampler(state);
        errno = error;
        return PyErr_SetFromErrno(PyExc_OSError);
    }
    Py_RETURN_NONE;
}

PyDoc_STRVAR(sampler_open_fallback_doc,
"sampler_open_fallback(path, interval_ns, seed=0)\n--\n\n"
"As sampler_start, but without a native thread: the caller's own thread takes the samples by\n"
"sampler_take(), with the GIL held.");

static PyObject *
open_fallback(PyObject *module, PyObject *args, PyObject *kwargs)
{
    start_options options; /* those for a thread have no meaning here */
    if (parse_start(args, kwargs, &options) < 0) {
        return NULL;
    }
    options.sampler.read_pid = MEMORY_DIRECT;
    int opened = open_sampler(get_state(module), options.path, &options.sampler);
    Py_DECREF(options.path);
    if (opened < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

PyDoc_STRVAR(sampler_take_doc,
"sampler_take()\n--\n\n"
"Take one sample of every thread but the caller's. Returns False when the log has ended, or all other threads have:\n"
"the process lives for as long as the caller does.");

static PyObject *
take_sample(PyObject *module, PyObject *Py_UNUSED(ignored))
{
    sampler *s = get_state(module)->sampler;
    if (s == NULL || s->memory.pid != MEMORY_DIRECT || s->pid != getpid()) {
        Py_RETURN_FALSE;
    }
    uint64_t now = monotonic_ns();
    if (now >= s->thread.last_thread.next_ns && last_thread_is_this(&s->thread.last_thread, now)) {
        Py_RETURN_FALSE;
    }
    s->threads.skip_native_id = (uint64_t)syscall(SYS_gettid);
    sampler_tick(s, now);
    s->busy_ns += monotonic_ns() - now;
    return PyBool_FromLong(sample_log_is_open(&s->log));
}

PyDoc_STRVAR(sampler_stop_doc,
"sampler_stop()\n--\n\n"
"Stop sampling and close the log. Does nothing when no sampler runs.");

static PyObject *
stop_sampler(PyObject *module, PyObject *Py_UNUSED(ignored))
{
    close_sampler(get_state(module));
    Py_RETURN_NONE;
}

PyDoc_STRVAR(sampler_before_fork_doc,
"sampler_before_fork()\n--\n\n"
"End the native thread for the time of a fork: os.fork warns of programs with threads, and this one\n"
"is not the program's. sampler_after_fork_parent() goes on.");

static PyObject *
before_fork(PyObject *module, PyObject *Py_UNUSED(ignored))
{
    sampler *s = get_state(module)->sampler;
    if (s != NULL && s->pid == getpid()) {
        sampler_thread_stop(s);
    }
    Py_RETURN_NONE;
}

/* Restart the thread that before_fork ended. 0; -1 with an exception. */
static int
go_on(PyObject *module)
{
    sampler *s = get_state(module)->sampler;
    if (s == NULL || s->pid != getpid() || s->thread.is_there || s->memory.pid == MEMORY_DIRECT) {
        return 0;
    }
    int error = sampler_thread_start(s);
    if (error != 0) {
        errno = error;
        PyErr_SetFromErrno(PyExc_OSError);
        return -1;
    }
    return 0;
}

#if COUNTS_THREADS_AFTER_FORK_HOOKS

/* CPython counts the threads that it warns about after the parent's hooks. If the main thread forks, we restart at the
 * next opportunity, which is a pending call in the main thread. If another thread forks, there are threads to warn
 * about anyway, and the main one may wait for a long time. */
static int
go_on_pending(void *module)
{
    int status = go_on(module);
    Py_DECREF((PyObject *)module);
    return status;
}

static int
go_on_soon(PyObject *module)
{
    if (syscall(SYS_gettid) != getpid()) {
        return go_on(module);
    }
    if (Py_AddPendingCall(go_on_pending, Py_NewRef(module)) < 0) {
        Py_DECREF(module);
        return go_on(module);
    }
    return 0;
}

#else

static int
go_on_soon(PyObject *module)
{
    return go_on(module);
}

#endif

PyDoc_STRVAR(sampler_after_fork_parent_doc,
"sampler_after_fork_parent()\n--\n\n"
"Go on sampling after sampler_before_fork().");

static PyObject *
after_fork_parent(PyObject *module, PyObject *Py_UNUSED(ignored))
{
    if (go_on_soon(module) < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

PyDoc_STRVAR(sampler_after_fork_child_doc,
"sampler_after_fork_child()\n--\n\n"
"Forget the parent's sampler without touching its log. A new one may be started then.");

static PyObject *
after_fork_child(PyObject *module, PyObject *Py_UNUSED(ignored))
{
    module_state *state = get_state(module);
    thread_contexts_after_fork(state);
    if (state->sampler != NULL) {
        /* Its memory is not freed: some kilobytes, shared with the parent until they are written. */
        state->sampler = NULL;
        state->sample_contexts = NULL;
        watch_code_stop();
    }
    Py_RETURN_NONE;
}

PyDoc_STRVAR(sampler_set_context_doc,
"sampler_set_context(context_id)\n--\n\n"
"Give samples from now on this context (an id of the record file).");

static PyObject *
set_context(PyObject *module, PyObject *argument)
{
    unsigned long context = PyLong_AsUnsignedLong(argument);
    if (context == (unsigned long)-1 && PyErr_Occurred()) {
        return NULL;
    }
    sampler *s = get_state(module)->sampler;
    if (s != NULL) {
        atomic_store_explicit(&s->contexts.process, (uint32_t)context, memory_order_relaxed);
    }
    Py_RETURN_NONE;
}

PyDoc_STRVAR(sampler_stats_doc,
"sampler_stats()\n--\n\n"
"What the running sampler has counted, as a dict of int; empty when none runs. Times in nanoseconds:\n"
"busy_ns is wall time in ticks, cpu_ns what the native thread used. Counters are read while they change.");

static PyObject *
get_stats(PyObject *module, PyObject *Py_UNUSED(ignored))
{
    const sampler *s = get_state(module)->sampler;
    if (s == NULL) {
        return PyDict_New();
    }
    uint64_t cpu_ns = 0;
    clockid_t clock;
    struct timespec used;
    if (s->thread.is_there && pthread_getcpuclockid(s->thread.handle, &clock) == 0
        && clock_gettime(clock, &used) == 0) {
        cpu_ns = (uint64_t)used.tv_sec * 1000000000u + (uint64_t)used.tv_nsec;
    }
    const uint64_t *n = s->log.n;
    return Py_BuildValue("{sK sK sK sK sK sK sK sK sK sK sK sK}", "ticks", n[COUNT_TICKS], "samples", n[COUNT_SAMPLES],
                         "torn", n[COUNT_TORN], "unreadable", n[COUNT_UNREADABLE], "late", n[COUNT_LATE], "codes",
                         n[COUNT_CODES], "nodes", n[COUNT_NODES], "full", n[COUNT_FULL], "walks", s->n_walks, "busy_ns",
                         s->busy_ns, "cpu_ns", cpu_ns, "moves", s->follow.n_moves);
}

static PyMethodDef sampler_methods[] = {
    {"sampler_start", (PyCFunction)(void (*)(void))start_sampler, METH_VARARGS | METH_KEYWORDS, sampler_start_doc},
    {"sampler_open_fallback", (PyCFunction)(void (*)(void))open_fallback, METH_VARARGS | METH_KEYWORDS,
     sampler_open_fallback_doc},
    {"sampler_take", take_sample, METH_NOARGS, sampler_take_doc},
    {"sampler_stop", stop_sampler, METH_NOARGS, sampler_stop_doc},
    {"sampler_before_fork", before_fork, METH_NOARGS, sampler_before_fork_doc},
    {"sampler_after_fork_parent", after_fork_parent, METH_NOARGS, sampler_after_fork_parent_doc},
    {"sampler_after_fork_child", after_fork_child, METH_NOARGS, sampler_after_fork_child_doc},
    {"sampler_set_context", set_context, METH_O, sampler_set_context_doc},
    {"sampler_stats", get_stats, METH_NOARGS, sampler_stats_doc},
    {NULL, NULL, 0, NULL},
};

int
sampler_exec(PyObject *module)
{
    return PyModule_AddFunctions(module, sampler_methods);
}
