/* One tick. Plain C: no Python.h. */
#ifndef FOOTFALL_SAMPLER_TICK_H
#define FOOTFALL_SAMPLER_TICK_H

#include "sampler/sampler.h"

/* Sample every thread once. */
void sampler_tick(sampler *s, uint64_t now_ns);

#endif
