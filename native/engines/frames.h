/* The frames of this process's threads without frame objects, which would have to be created for each frame and live as
 * long as it runs. Every function needs the GIL. */
#ifndef FOOTFALL_ENGINES_FRAMES_H
#define FOOTFALL_ENGINES_FRAMES_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "compat/versions.h"

/* The offsets of two fields of a frame. */
typedef struct frame_layout {
    uint32_t previous;
    uint32_t owner;
} frame_layout;

/* 0, or -1 with RuntimeError if the layout of this interpreter is not known. */
int frame_layout_find(frame_layout *layout);

/* The innermost frame of a thread, including the evaluation loop's own frames; NULL if there is none. */
static inline struct _PyInterpreterFrame *
frame_of_thread(PyThreadState *thread)
{
#if HAS_CFRAME
    return thread->cframe->current_frame;
#else
    return thread->current_frame;
#endif
}

/* That of the running thread. In a native callback it is the frame that the event belongs to. */
static inline struct _PyInterpreterFrame *
frame_running(void)
{
    return frame_of_thread(PyThreadState_Get());
}

#if HAS_SHIM_FRAMES
/* This frame or the next caller that runs Python code; NULL if there is none. */
struct _PyInterpreterFrame *frame_with_code(const frame_layout *layout, struct _PyInterpreterFrame *frame);

struct _PyInterpreterFrame *frame_caller(const frame_layout *layout, struct _PyInterpreterFrame *frame);
#endif

#endif
