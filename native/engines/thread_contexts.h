/* Threads that began in a context, and what their samples count for once the process is in another. */
#ifndef FOOTFALL_ENGINES_THREAD_CONTEXTS_H
#define FOOTFALL_ENGINES_THREAD_CONTEXTS_H

#include "core/state.h"

#include <pthread.h>
#include <stdint.h>

typedef struct context_thread {
    struct context_thread *next;
    pthread_t thread;
    uint64_t native_id; /* the kernel's id; another one in the child of a fork */
    PyObject *label; /* owned */
} context_thread;

/* The running thread is of the context `label` from now on. NULL, without an exception, where nothing needs to know. */
context_thread *thread_context_begin(module_state *state, PyObject *label);
/* It ends, with an exception set perhaps. */
void thread_context_end(module_state *state, context_thread *thread);

/* Tell the sampler which of these threads are of another context than the process. Sets no exception. */
void thread_contexts_publish(module_state *state);

/* In the child of a fork only the running one exists. */
void thread_contexts_after_fork(module_state *state);

void thread_contexts_free(module_state *state);

#endif
