/* Samples of single threads. Plain C: no Python.h. Called by the sampling thread. */
#ifndef FOOTFALL_SAMPLER_SAMPLES_H
#define FOOTFALL_SAMPLER_SAMPLES_H

#include "sampler/sampler.h"

/* Walk the lane's stack, in the selected way; the second function also numbers its frames. */
walk_status sampler_walk(sampler *s, thread_lane *lane);
walk_status sampler_walk_and_intern(sampler *s, thread_lane *lane);
/* Log the result for the lane's thread: that it is at lane->node if `status` is WALK_OK. `flags`: what it does with
 * the GIL. `has_waited`: since its last sample, which then counts once more. */
void sampler_finish_sample(sampler *s, thread_lane *lane, walk_status status, uint64_t now_ns, uint16_t flags,
                           int has_waited);
/* Sample each thread of the lanes, except shared ones. */
void sampler_sample_lanes(sampler *s, uint64_t now_ns);

#endif
