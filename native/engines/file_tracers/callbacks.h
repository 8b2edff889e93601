/* Callbacks of sys.monitoring that are C functions called at once. */
#ifndef FOOTFALL_ENGINES_FILE_TRACERS_CALLBACKS_H
#define FOOTFALL_ENGINES_FILE_TRACERS_CALLBACKS_H

#include "core/state.h"

#include "engines/file_tracers/frames.h"

typedef struct traced_callback {
    PyObject_HEAD
    vectorcallfunc function;
    traced_frames *frames; /* owned */
} traced_callback;

/* An object whose calls are calls of the function, with the object first. Owned; NULL with an exception. */
PyObject *traced_callback_new(traced_frames *frames, vectorcallfunc function);

static inline traced_frames *
traced_callback_frames(PyObject *callback)
{
    return ((traced_callback *)callback)->frames;
}

int traced_callbacks_exec(PyObject *module);

#endif
