/* Keeping the sampling thread on the CPU of the thread that it reads. Plain C: no Python.h. */
#ifndef FOOTFALL_SAMPLER_FOLLOW_H
#define FOOTFALL_SAMPLER_FOLLOW_H

#include "sampler/sampler.h"

/* Called by the sampling thread: the first once, when rseq_offset is known, the second after each tick (which came
 * `late_ns` after it was due). */
void sampler_follow_open(sampler *s);
void sampler_follow(sampler *s, uint64_t late_ns);

#endif
