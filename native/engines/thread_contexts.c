/* engines/thread_contexts.c keeps the threads that began in a context, for the sampler, which can't read a thread's
 * context variable. Events don't need it: they read the variable. Binding C: every function needs the GIL. */
#include "engines/thread_contexts.h"

#include "engines/context_labels.h"
#include "engines/sample_contexts.h"
#include "record/recorder.h"

#include <sys/syscall.h>
#include <unistd.h>

static void
free_thread(context_thread *thread)
{
    Py_DECREF(thread->label);
    PyMem_RawFree(thread);
}

context_thread *
thread_context_begin(module_state *state, PyObject *label)
{
    uint64_t native_id = (uint64_t)syscall(SYS_gettid);
    if (state->sample_contexts == NULL || state->recorder == NULL || PyUnicode_GET_LENGTH(label) == 0) {
        return NULL;
    }
    for (const context_thread *at = state->context_threads; at != NULL; at = at->next) {
        if (at->native_id == native_id) {
            return NULL; /* this thread runs another such function: it already has its context */
        }
    }
    context_thread *thread = PyMem_RawCalloc(1, sizeof *thread);
    if (thread == NULL) {
        return NULL;
    }
    thread->thread = pthread_self();
    thread->native_id = native_id;
    thread->label = Py_NewRef(label);
    thread->next = state->context_threads;
    state->context_threads = thread;
    thread_contexts_publish(state);
    return thread;
}

void
thread_context_end(module_state *state, context_thread *thread)
{
    for (context_thread **at = &state->context_threads; *at != NULL; at = &(*at)->next) {
        if (*at == thread) { /* else it was forgotten */
            *at = thread->next;
            if (state->sample_contexts != NULL) {
                sample_contexts_drop(state->sample_contexts, thread->native_id);
            }
            free_thread(thread);
            return;
        }
    }
}

void
thread_contexts_publish(module_state *state)
{
    if (state->sample_contexts == NULL || state->recorder == NULL) {
        return;
    }
    sample_contexts *published = state->sample_contexts;
    uint32_t n = 0;
    for (const context_thread *at = state->context_threads; at != NULL && n < MAX_CONTEXT_THREADS; at = at->next) {
        uint32_t context;
        if (context_has_same_owner(at->label, state->recorder->context_label)) {
            continue;
        }
        if (recorder_context_id(state->recorder, at->label, &context) < 0) {
            PyErr_Clear(); /* out of memory: it counts for the process's context */
            continue;
        }
        atomic_store_explicit(&published->threads[n++], at->native_id << 32 | context, memory_order_relaxed);
    }
    /* Pairs with the acquire in sample_contexts.h: who reads the new number also sees the threads. */
    atomic_store_explicit(&published->n_threads, n, memory_order_release);
}

/* Keep only `kept`, which may be NULL. */
static void
forget_others(module_state *state, context_thread *kept)
{
    context_thread *at = state->context_threads;
    state->context_threads = kept;
    while (at != NULL) {
        context_thread *next = at->next;
        if (at != kept) {
            free_thread(at);
        }
        at = next;
    }
    if (kept != NULL) {
        kept->next = NULL;
    }
}

void
thread_contexts_after_fork(module_state *state)
{
    context_thread *running = state->context_threads;
    while (running != NULL && !pthread_equal(running->thread, pthread_self())) {
        running = running->next;
    }
    forget_others(state, running);
    if (running != NULL) {
        running->native_id = (uint64_t)syscall(SYS_gettid);
    }
}

void
thread_contexts_free(module_state *state)
{
    forget_others(state, NULL);
}
