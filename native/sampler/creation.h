/* Creating and freeing a sampler, whatever it samples. Plain C: no Python.h. */
#ifndef FOOTFALL_SAMPLER_CREATION_H
#define FOOTFALL_SAMPLER_CREATION_H

#include "sampler/sampler_source.h"

#define MIN_INTERVAL_NS 1000
#define MAX_INTERVAL_NS 3600000000000

typedef struct sampler_options {
    const sampler_source *source;
    void *source_data;    /* borrowed */
    pid_t read_pid;       /* the process whose memory is read; or MEMORY_DIRECT */
    uint64_t interval_ns; /* the shortest interval, which is used at first */
    uint32_t max_cpu_ppm;
    uint64_t seed; /* of the interval's jitter; 0: a different one each time */
    int follows_cpu;
} sampler_options;

/* Create a sampler that knows no interpreter yet. Owned; NULL without memory. */
sampler *sampler_new(const sampler_options *options);
/* Free everything that is left of it. Its thread has ended, its tasks and its log are closed. */
void sampler_delete(sampler *s);

#endif
