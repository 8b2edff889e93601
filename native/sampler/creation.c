/* sampler/creation.c creates and frees a sampler, whatever it samples. */
#include "sampler/creation.h"

#include "record/clocks.h"
#include "sampler/lanes.h"
#include "sampler/native_frames/record.h"

#include <stdlib.h>
#include <unistd.h>

sampler *
sampler_new(const sampler_options *options)
{
    sampler *s = calloc(1, sizeof *s);
    if (s == NULL) {
        return NULL;
    }
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&s->thread.wake, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&s->thread.mutex, NULL);
    s->pid = getpid();
    s->source = options->source;
    s->source_data = options->source_data;
    s->memory.pid = options->read_pid;
    s->pace.interval_ns = s->pace.ns = options->interval_ns;
    s->pace.max_cpu_ppm = options->max_cpu_ppm;
    s->pace.random = options->seed != 0 ? options->seed : monotonic_ns() ^ (uint64_t)options->read_pid << 32;
    s->follow.is_on = options->follows_cpu;
    return s;
}

void
sampler_delete(sampler *s)
{
    stack_walker_close(&s->walker);
    native_frames_close(s);
    sampler_free_lanes(s);
    code_names_free(&s->names);
    pthread_cond_destroy(&s->thread.wake);
    pthread_mutex_destroy(&s->thread.mutex);
    free(s);
}
