/* The contexts that samples belong to: the process's, and those of threads that were started in a context that has
 * ended. Plain C: no Python.h. Written under the GIL, read by the sampling thread. */
#ifndef FOOTFALL_ENGINES_SAMPLE_CONTEXTS_H
#define FOOTFALL_ENGINES_SAMPLE_CONTEXTS_H

#include <stdatomic.h>
#include <stdint.h>

#define MAX_CONTEXT_THREADS 256 /* the samples of further threads belong to the process's context */

typedef struct sample_contexts {
    _Atomic uint32_t process;                      /* the process's current context */
    _Atomic uint64_t threads[MAX_CONTEXT_THREADS]; /* the kernel's thread id << 32 | context; 0 = none */
    _Atomic uint32_t n_threads;
} sample_contexts;

/* The context of a thread's samples. */
static inline uint32_t
sample_contexts_find(const sample_contexts *contexts, uint64_t native_id)
{
    uint32_t n = atomic_load_explicit(&contexts->n_threads, memory_order_acquire);
    for (uint32_t i = 0; i < n; i++) {
        uint64_t thread = atomic_load_explicit(&contexts->threads[i], memory_order_relaxed);
        if (thread >> 32 == native_id) {
            return (uint32_t)thread;
        }
    }
    return atomic_load_explicit(&contexts->process, memory_order_relaxed);
}

/* The thread ends; another one may soon get its id. */
static inline void
sample_contexts_drop(sample_contexts *contexts, uint64_t native_id)
{
    uint32_t n = atomic_load_explicit(&contexts->n_threads, memory_order_acquire);
    for (uint32_t i = 0; i < n; i++) {
        if (atomic_load_explicit(&contexts->threads[i], memory_order_relaxed) >> 32 == native_id) {
            atomic_store_explicit(&contexts->threads[i], 0, memory_order_relaxed);
        }
    }
}

#endif
