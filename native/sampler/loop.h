/* The native thread that ticks. Plain C: no Python.h. */
#ifndef FOOTFALL_SAMPLER_LOOP_H
#define FOOTFALL_SAMPLER_LOOP_H

#include "sampler/sampler.h"

/* Start and stop (join) the thread. Start: 0 or an errno. */
int sampler_thread_start(sampler *s);
void sampler_thread_stop(sampler *s);

#endif
