/* Code objects of this process that no longer exist. Plain C: no Python.h. Called by the sampling thread. */
#ifndef FOOTFALL_INSIDE_CODE_DEATHS_H
#define FOOTFALL_INSIDE_CODE_DEATHS_H

#include "sampler/sampler.h"

/* Called before a stack is walked: note how many freed code objects were recorded. */
void inside_before_walk(sampler *s);
/* Forget the code objects that were recorded as freed. */
void inside_apply_deaths(sampler *s);
/* Return whether a code object at `address` was recorded as freed since before the walk. */
int inside_has_died(const sampler *s, uint64_t address);

#endif
