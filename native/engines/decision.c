/* decision.c calls the scope's decision about a file from inside the program: neither the program's recursion depth nor
 * its signals make it fail, and no exception of the program is lost. It keeps no state. Threads: called with the GIL
 * held (or attached, in free-threaded builds). */
#include "engines/decision.h"
#include "core/room.h"
#include "core/unseen.h"

#include <sys/syscall.h>
#include <unistd.h>

/* A decision's calls in Python are some ten levels deep at most. */
#define ROOM 200

/* A pending call: raise an exception in the main thread. */
static int
raise_kept(void *argument)
{
    PyObject *error = argument; // owned
    PyErr_SetObject((PyObject *)Py_TYPE(error), error);
    Py_DECREF(error);
    return -1;
}

void
raise_later(PyObject *error)
{
    if (syscall(SYS_gettid) != getpid()) {
        /* No signal handler runs in this thread: another thread has sent the exception this way, by its type. */
        PyThreadState_SetAsyncExc((unsigned long)PyThread_get_thread_ident(), (PyObject *)Py_TYPE(error));
        Py_DECREF(error);
        return;
    }
    if (Py_AddPendingCall(raise_kept, error) < 0) {
        Py_DECREF(error); /* 32 calls are pending already */
    }
}

PyObject *
decision_ask(PyObject *decide, PyObject *filename)
{
    room_change(ROOM);
    PyObject *path = call_unseen(decide, &filename, 1); // owned
    if (path != NULL) {
        room_change(-ROOM);
        return path;
    }
    PyObject *type = NULL, *error = NULL, *traceback = NULL; // owned
    PyErr_Fetch(&type, &error, &traceback);
    PyErr_NormalizeException(&type, &error, &traceback);
    path = call_unseen(decide, &filename, 1);
    room_change(-ROOM);
    if (path == NULL) {
        Py_XDECREF(error); /* ours: it will fail again */
    }
    else if (error != NULL) {
        raise_later(error);
    }
    Py_XDECREF(type);
    Py_XDECREF(traceback);
    return path;
}
