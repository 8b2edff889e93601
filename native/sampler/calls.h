/* Which of the places that were seen on stacks are calls of C functions. */
#ifndef FOOTFALL_SAMPLER_CALLS_H
#define FOOTFALL_SAMPLER_CALLS_H

#include "sampler/sampler.h"

/* Log the places of all nodes that are; once, when sampling ends: by then the instructions have adapted. Not while the
 * sampling thread runs, but by itself. */
void sampler_log_calls(sampler *s);

#endif
