/* The threads that are sampled. Plain C: no Python.h. */
#ifndef FOOTFALL_SAMPLER_THREADS_H
#define FOOTFALL_SAMPLER_THREADS_H

#include "core/sampler_thread.h"

/* Bring s->lanes and s->gil_holder up to date. */
walk_status sampler_find_threads(sampler *s);

/* What the thread's CPU clock shows; the last value that was seen when the thread has ended. */
uint64_t lane_cpu_ns(const thread_lane *lane);

#endif
