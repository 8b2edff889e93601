/* Which of the places seen on stacks are calls of C functions. */
#ifndef FOOTFALL_SAMPLER_CALLS_H
#define FOOTFALL_SAMPLER_CALLS_H

#include "sampler/sampler.h"

/* Log the places of all nodes that are such calls; called once, when sampling ends: by then the instructions have
 * adapted. Not called while the sampling thread runs, except by that thread itself. */
void sampler_log_calls(sampler *s);

#endif
