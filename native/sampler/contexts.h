/* Threads whose samples belong to another context than the process is in: they were started in one that is over.
 * Plain C: no Python.h. Written under the GIL, read by the sampling thread. */
#ifndef FOOTFALL_SAMPLER_CONTEXTS_H
#define FOOTFALL_SAMPLER_CONTEXTS_H

#include <stdatomic.h>
#include <stdint.h>

#define MAX_FOREIGN_THREADS 256 /* the samples of more belong to what the process runs */

typedef struct foreign_threads {
    _Atomic uint64_t slots[MAX_FOREIGN_THREADS]; /* kernel's thread id << 32 | context; 0 = none */
    _Atomic uint32_t n_slots;
} foreign_threads;

/* The context of a thread's samples, in a process that is in `context`. */
static inline uint32_t
foreign_threads_context(const foreign_threads *threads, uint64_t native_id, uint32_t context)
{
    uint32_t n = atomic_load_explicit(&threads->n_slots, memory_order_relaxed);
    for (uint32_t i = 0; i < n; i++) {
        uint64_t slot = atomic_load_explicit(&threads->slots[i], memory_order_relaxed);
        if (slot >> 32 == native_id) {
            return (uint32_t)slot;
        }
    }
    return context;
}

/* The thread ends; its id may be another's soon. */
static inline void
foreign_threads_drop(foreign_threads *threads, uint64_t native_id)
{
    uint32_t n = atomic_load_explicit(&threads->n_slots, memory_order_relaxed);
    for (uint32_t i = 0; i < n; i++) {
        if (atomic_load_explicit(&threads->slots[i], memory_order_relaxed) >> 32 == native_id) {
            atomic_store_explicit(&threads->slots[i], 0, memory_order_relaxed);
        }
    }
}

#endif
