/* The numbers of a stack's frames in the log. Plain C: no Python.h. Called by the sampling thread. */
#ifndef FOOTFALL_SAMPLER_PATHS_H
#define FOOTFALL_SAMPLER_PATHS_H

#include "sampler/sampler.h"

/* Give the frames of the last walk their numbers: lane->path, lane->node. The source was told before that walk. */
walk_status sampler_intern_walk(sampler *s, thread_lane *lane);
/* The entry of what is no code object but stands in a stack like one. */
walk_status sampler_find_mark(sampler *s, uint64_t mark, const code_entry **entry);

#endif
