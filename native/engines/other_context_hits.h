/* What threads and tasks of other contexts than the process's hit in one code object or module, so that each new hit
 * can be recorded at once and no other. Plain C: no Python.h. Not thread-safe. */
#ifndef FOOTFALL_ENGINES_OTHER_CONTEXT_HITS_H
#define FOOTFALL_ENGINES_OTHER_CONTEXT_HITS_H

#include "engines/trace_sets.h"

typedef struct foreign_hits {
    struct foreign_hits *next;
    uint32_t context_id;
    uint32_t generation; /* the recorder's: a forked child has hit nothing */
    unsigned char hits[];
} foreign_hits;

/* The `n` hits of a context, made and put into the list when they are not there. NULL when there is no memory. */
foreign_hits *foreign_hits_of(foreign_hits **list, uint32_t context_id, uint32_t generation, size_t n);

void foreign_hits_free(foreign_hits **list);

typedef struct foreign_pairs {
    struct foreign_pairs *next;
    uint32_t context_id;
    uint32_t generation;
    pair_set pairs; /* slots owned */
} foreign_pairs;

/* 1 when the pair is new, 0 when it is not, -1 when there is no memory. */
int foreign_pairs_add(foreign_pairs **list, uint32_t context_id, uint32_t generation, int32_t from, int32_t to);

void foreign_pairs_free(foreign_pairs **list);

#endif
