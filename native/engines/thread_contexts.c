/* engines/thread_contexts.c keeps the threads that began in a context, for the sampler, which can't ask a thread for its context
 * variable. Hits don't need it: they ask. Binding C: every function needs the GIL. */
#include "engines/thread_contexts.h"

#include "engines/contexts.h"
#include "record/recorder.h"
#include "sampler/loop.h"

#include <sys/syscall.h>
#include <unistd.h>

static void
free_thread(carried_thread *thread)
{
    Py_DECREF(thread->label);
    PyMem_RawFree(thread);
}

carried_thread *
carried_begin(module_state *state, PyObject *label)
{
    uint64_t native_id = (uint64_t)syscall(SYS_gettid);
    if (state->sampler == NULL || state->recorder == NULL || PyUnicode_GET_LENGTH(label) == 0) {
        return NULL;
    }
    for (const carried_thread *at = state->carried; at != NULL; at = at->next) {
        if (at->native_id == native_id) {
            return NULL; /* a function that it carries into a thread of its own; it has its context */
        }
    }
    carried_thread *thread = PyMem_RawCalloc(1, sizeof *thread);
    if (thread == NULL) {
        return NULL;
    }
    thread->thread = pthread_self();
    thread->native_id = native_id;
    thread->label = Py_NewRef(label);
    thread->next = state->carried;
    state->carried = thread;
    carried_tell(state);
    return thread;
}

void
carried_end(module_state *state, carried_thread *thread)
{
    for (carried_thread **at = &state->carried; *at != NULL; at = &(*at)->next) {
        if (*at == thread) { /* else it was forgotten */
            *at = thread->next;
            if (state->sampler != NULL) {
                foreign_threads_drop(&state->sampler->foreign, thread->native_id);
            }
            free_thread(thread);
            return;
        }
    }
}

void
carried_tell(module_state *state)
{
    if (state->sampler == NULL || state->recorder == NULL) {
        return;
    }
    foreign_threads *told = &state->sampler->foreign;
    uint32_t n = 0;
    for (const carried_thread *at = state->carried; at != NULL && n < MAX_FOREIGN_THREADS; at = at->next) {
        uint32_t context;
        if (context_has_same_owner(at->label, state->recorder->context_label)) {
            continue;
        }
        if (recorder_context_id(state->recorder, at->label, &context) < 0) {
            PyErr_Clear(); /* out of memory: it counts for what the process runs */
            continue;
        }
        atomic_store_explicit(&told->slots[n++], at->native_id << 32 | context, memory_order_relaxed);
    }
    atomic_store_explicit(&told->n_slots, n, memory_order_relaxed);
}

/* Keep only `kept`, which may be NULL. */
static void
forget_others(module_state *state, carried_thread *kept)
{
    carried_thread *at = state->carried;
    state->carried = kept;
    while (at != NULL) {
        carried_thread *next = at->next;
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
carried_after_fork(module_state *state)
{
    carried_thread *running = state->carried;
    while (running != NULL && !pthread_equal(running->thread, pthread_self())) {
        running = running->next;
    }
    forget_others(state, running);
    if (running != NULL) {
        running->native_id = (uint64_t)syscall(SYS_gettid);
    }
}

void
carried_free(module_state *state)
{
    forget_others(state, NULL);
}
