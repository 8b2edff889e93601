/* Stacks taken by the sampled thread itself, in a signal handler (`--precise`). Plain C: no Python.h. */
#ifndef FOOTFALL_SAMPLER_PRECISE_H
#define FOOTFALL_SAMPLER_PRECISE_H

#include "sampler/sampler.h"

/* Choose a real-time signal that nobody uses and handle it. 0; -1 with errno (EBUSY: all are in use). */
int precise_open(sampler *s);
/* Stop; the handler stays installed, because a signal may still arrive, and does nothing. */
void precise_close(sampler *s);

/* Make the lane's thread walk its own stack into s->walker. Returns as stack_walk; WALK_UNKNOWN if the thread did not
 * answer, or the program now handles the signal itself (then s->precise.is_on is 0 from here on). */
walk_status precise_walk(sampler *s, thread_lane *lane);

#endif
