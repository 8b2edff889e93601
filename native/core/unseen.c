/* unseen.c calls Python functions of ours inside the program, hidden from the program's trace and profile functions
 * (profilers, debuggers), to which they would be lines of a file that is not the program's. Signals are held back
 * meanwhile; their handlers are the program's, too. It keeps no state. Threads: called with the GIL held (or attached,
 * in free-threaded builds). */
#include "core/unseen.h"
#include "core/state.h"

#include <pthread.h>
#include <signal.h>

/* Hold back signals to this thread, except those of faults and the real-time ones; `before` receives the old mask. */
static void
hold_signals(sigset_t *before)
{
    sigset_t held;
    sigemptyset(&held);
    for (int number = 1; number < 32; number++) {
        sigaddset(&held, number);
    }
    const int faults[] = {SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV};
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        sigdelset(&held, faults[i]);
    }
    pthread_sigmask(SIG_BLOCK, &held, before);
}

PyObject *
call_unseen(PyObject *function, PyObject *const *arguments, size_t n_arguments)
{
    sigset_t before;
    hold_signals(&before);
    PyThreadState *thread = PyThreadState_Get();
    PyThreadState_EnterTracing(thread);
    PyObject *result = PyObject_Vectorcall(function, arguments, n_arguments, NULL); // owned
    PyThreadState_LeaveTracing(thread);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return result;
}

PyDoc_STRVAR(unseen_doc, "unseen($module, function, /, *arguments)\n--\n\n"
                         "Call the function while signals wait; trace and profile functions see none of its frames.");

static PyObject *
unseen(PyObject *Py_UNUSED(module), PyObject *const *arguments, Py_ssize_t n_arguments)
{
    if (n_arguments == 0) {
        PyErr_SetString(PyExc_TypeError, "unseen() needs a function");
        return NULL;
    }
    return call_unseen(arguments[0], arguments + 1, (size_t)n_arguments - 1);
}

static PyMethodDef unseen_methods[] = {
    {"unseen", (PyCFunction)(void (*)(void))unseen, METH_FASTCALL, unseen_doc},
    {NULL, NULL, 0, NULL},
};

int
unseen_exec(PyObject *module)
{
    return PyModule_AddFunctions(module, unseen_methods);
}
