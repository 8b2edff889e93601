/* Sampling of the process that we are in. Plain C: no Python.h. */
#ifndef FOOTFALL_INSIDE_SOURCE_H
#define FOOTFALL_INSIDE_SOURCE_H

#include "sampler/sampler_source.h"

extern const sampler_source inside_source;

#endif
