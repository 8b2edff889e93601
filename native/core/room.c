/* room.c calls a Python function with more room for recursion than the program's limit and stack allow: in a native
 * thread with a large stack, while the caller waits. The program's own limit stays unchanged, and reads as before.
 * Threads: the new one holds the GIL while it runs; as in any call, others may run in between. */
#include "core/room.h"
#include "compat/versions.h"
#include "core/state.h"

#include <pthread.h>
#include <signal.h>

/* The compiler uses up to 1 KiB of stack for each level of an expression, and CPython 3.11 gives its compiler three
 * levels for each one of the limit. Only the part that is used takes memory. */
#define STACK_BYTES ((size_t)256 << 20)
#define ROOM 50000

typedef struct {
    PyInterpreterState *interpreter;
    PyObject *function; /* borrowed from the caller, which waits */
    PyObject *result;   /* owned; NULL with the exception below, or if there was no memory */
    PyObject *type;     /* owned */
    PyObject *value;    /* owned */
    PyObject *trace;    /* owned */
} room_call;

void
room_change(int levels)
{
    PyThreadState *thread = PyThreadState_Get();
#if HAS_PYTHON_RECURSION_LIMIT
    thread->py_recursion_remaining += levels;
#else
    thread->recursion_remaining += levels;
#endif
#if COUNTS_C_RECURSION
    thread->c_recursion_remaining += levels;
#endif
}

static void *
run_with_room(void *argument)
{
    room_call *call = argument;
    PyThreadState *thread = PyThreadState_New(call->interpreter);
    if (thread == NULL) {
        return NULL;
    }
    PyEval_RestoreThread(thread);
    room_change(ROOM);
    call->result = PyObject_CallNoArgs(call->function);
    if (call->result == NULL) {
        PyErr_Fetch(&call->type, &call->value, &call->trace);
    }
    PyThreadState_Clear(thread);
    PyThreadState_DeleteCurrent();
    return NULL;
}

/* Run the call to its end; 0, or an error number if no such thread can be created. The thread receives no signals. */
static int
join_thread(room_call *call)
{
    pthread_attr_t attributes;
    pthread_t thread;
    sigset_t all;
    sigset_t before;
    int failed = pthread_attr_init(&attributes);
    if (failed) {
        return failed;
    }
    failed = pthread_attr_setstacksize(&attributes, STACK_BYTES);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    failed = failed ? failed : pthread_create(&thread, &attributes, run_with_room, call);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    if (!failed) {
        Py_BEGIN_ALLOW_THREADS;
        pthread_join(thread, NULL);
        Py_END_ALLOW_THREADS;
    }
    return failed;
}

PyDoc_STRVAR(call_with_room_doc,
             "call_with_room($module, function, /)\n--\n\n"
             "Call the function in a native thread where it may recurse 50,000 levels further.\n\n"
             "Raises RecursionError where no such thread can be had.");

static PyObject *
call_with_room(PyObject *Py_UNUSED(module), PyObject *function)
{
    room_call call = {.interpreter = PyInterpreterState_Get(), .function = function};
    int failed = join_thread(&call);
    if (call.result == NULL && call.type == NULL) {
        PyErr_Format(PyExc_RecursionError, "no thread with a stack of %zu bytes (error %d)", STACK_BYTES, failed);
    }
    else if (call.result == NULL) {
        PyErr_Restore(call.type, call.value, call.trace);
    }
    return call.result;
}

static PyMethodDef room_methods[] = {
    {"call_with_room", call_with_room, METH_O, call_with_room_doc},
    {NULL, NULL, 0, NULL},
};

int
room_exec(PyObject *module)
{
    return PyModule_AddFunctions(module, room_methods);
}
