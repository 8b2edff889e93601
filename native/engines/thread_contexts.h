/* Threads that began in a context, and the context of their samples once the process is in another. */
#ifndef FOOTFALL_ENGINES_THREAD_CONTEXTS_H
#define FOOTFALL_ENGINES_THREAD_CONTEXTS_H

#include "core/state.h"

#include <pthread.h>
#include <stdint.h>

typedef struct context_thread {
    struct context_thread *next;
    pthread_t thread;
    uint64_t native_id; /* the kernel's id; changes in a forked child */
    PyObject *label; /* owned */
} context_thread;

/* Note that the running thread belongs to the context `label` from now on. NULL, without an exception, if nothing needs
 * to know. */
context_thread *thread_context_begin(module_state *state, PyObject *label);
/* The thread ends, perhaps with an exception set. */
void thread_context_end(module_state *state, context_thread *thread);

/* Tell the sampler which of these threads belong to a context other than the process's. Sets no exception. */
void thread_contexts_publish(module_state *state);

/* In a forked child: only the running thread exists. */
void thread_contexts_after_fork(module_state *state);

void thread_contexts_free(module_state *state);

#endif
