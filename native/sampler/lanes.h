/* The threads that are sampled. Plain C: no Python.h. */
#ifndef FOOTFALL_SAMPLER_LANES_H
#define FOOTFALL_SAMPLER_LANES_H

#include "sampler/sampler.h"

/* Bring s->threads.lanes and s->threads.gil up to date. */
walk_status sampler_find_threads(sampler *s);

/* If there is only one thread: make the walk of its stack read what sampler_find_threads would, in the same call;
 * the second function then returns whether the thread that was walked is still the only one. If not, the walk was
 * useless. */
void sampler_expect_one_thread(sampler *s);
int sampler_is_one_thread(sampler *s);

/* Count a sample of the thread, and log its name again if it has changed, because threads set their own name after they
 * begin. The name is checked with the samples 1, 2, 4, 8 and so on. */
void lane_follow_name(sampler *s, thread_lane *lane);

/* Close what is open of the lanes in the sampling thread's own table of files: to be called by it before it ends. */
void sampler_close_calls(sampler *s);
void sampler_free_lanes(sampler *s);
void lanes_free(thread_lane *lanes, uint32_t n);

#endif
