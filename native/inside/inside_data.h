/* The data of inside sampling, beside the sampler's own. Plain C: no Python.h. */
#ifndef FOOTFALL_INSIDE_INSIDE_DATA_H
#define FOOTFALL_INSIDE_INSIDE_DATA_H

#include "inside/watch.h"
#include "sampler/sampler.h"

/* Code objects freed in this process: inside/code_deaths.c. */
typedef struct code_deaths {
    death_ring ring;
    uint64_t n_applied;
    uint64_t n_before_walk; /* as of the current walk */
} code_deaths;

/* The search for asyncio's tables in this process: inside/asyncio.c. */
typedef struct task_search {
    int is_on; /* until they are found */
    uint64_t next_ns;
    uint64_t n_loaded; /* libraries that the process had loaded at the last search */
} task_search;

typedef struct inside_data {
    code_deaths deaths;
    task_search task_search;
} inside_data;

static inline inside_data *
inside_data_of(const sampler *s)
{
    return s->source_data;
}

#endif
