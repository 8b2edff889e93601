/* Stacks taken by the sampled thread itself, in a signal handler (`--precise`). Plain C: no Python.h. */
#ifndef FOOTFALL_SAMPLER_PRECISE_H
#define FOOTFALL_SAMPLER_PRECISE_H

#include "sampler/sampler.h"

/* Choose a real-time signal that nobody uses and handle it. 0; -1 with errno (EBUSY: all are used). */
int precise_open(sampler *s);
/* Give up; the handler stays, as a signal may be on its way, and does nothing. */
void precise_close(sampler *s);

/* Have the lane's thread walk its own stack into s->walker. As stack_walk; WALK_UNKNOWN when the thread did not
 * answer, or the program handles the signal itself now (then s->precise.is_on is 0 from here on). */
walk_status precise_walk(sampler *s, thread_lane *lane);

#endif
