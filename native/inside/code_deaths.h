/* Code objects of this process that are there no more. Plain C: no Python.h. Called by the sampling thread. */
#ifndef FOOTFALL_INSIDE_CODE_DEATHS_H
#define FOOTFALL_INSIDE_CODE_DEATHS_H

#include "sampler/sampler.h"

/* A stack is about to be walked: note how many deaths were recorded. */
void inside_before_walk(sampler *s);
/* Forget the code objects whose death was recorded. */
void inside_apply_deaths(sampler *s);
/* Whether the death of what is at `address` was recorded since before the walk. */
int inside_has_died(const sampler *s, uint64_t address);

#endif
