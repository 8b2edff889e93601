/* What threads and tasks of contexts other than the process's executed in one code object or module, so that each event
 * is recorded at once, and only once. Plain C: no Python.h. Not thread-safe. */
#ifndef FOOTFALL_ENGINES_OTHER_CONTEXT_EVENTS_H
#define FOOTFALL_ENGINES_OTHER_CONTEXT_EVENTS_H

#include "engines/trace_sets.h"

typedef struct other_context_events {
    struct other_context_events *next;
    uint32_t context_id;
    uint32_t generation; /* the recorder's: a forked child has recorded nothing */
    unsigned char events[];
} other_context_events;

/* Return the `n` events of a context, created and added to the list if they are not in it. NULL if there is no
 * memory. */
other_context_events *other_context_events_of(other_context_events **list, uint32_t context_id, uint32_t generation,
                                              size_t n);

void other_context_events_free(other_context_events **list);

typedef struct other_context_pairs {
    struct other_context_pairs *next;
    uint32_t context_id;
    uint32_t generation;
    pair_set pairs; /* slots owned */
} other_context_pairs;

/* 1 if the pair is new, 0 if it is not, -1 if there is no memory. */
int other_context_pairs_add(other_context_pairs **list, uint32_t context_id, uint32_t generation, int32_t from,
                            int32_t to);

void other_context_pairs_free(other_context_pairs **list);

#endif
