/* The numbers of a stack's frames in the log. Plain C: no Python.h. Called by the sampling thread. */
#ifndef FOOTFALL_SAMPLER_PATHS_H
#define FOOTFALL_SAMPLER_PATHS_H

#include "sampler/sampler.h"

/* Give the frames of the last walk their numbers: lane->path, lane->node. The source must have been told before that
 * walk. */
walk_status sampler_intern_walk(sampler *s, thread_lane *lane);
/* Return the entry of a mark, which is in a stack but is not a code object. */
walk_status sampler_find_mark(sampler *s, uint64_t mark, const code_entry **entry);

#endif
