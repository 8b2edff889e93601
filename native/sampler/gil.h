/* Who waits for the GIL, and who is asleep. Plain C: no Python.h. Called by the sampling thread. */
#ifndef FOOTFALL_SAMPLER_GIL_H
#define FOOTFALL_SAMPLER_GIL_H

#include "sampler/sampler.h"

/* Return what the lane's thread does with the GIL of the selected interpreter, and whether it is asleep, as flags of a sample
 * (format.h). `has_waited`: it did not run since its last sample. */
uint16_t sampler_gil_flags(sampler *s, thread_lane *lane, int has_waited);

#endif
