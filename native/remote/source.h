/* Sampling of another process. Plain C: no Python.h. */
#ifndef FOOTFALL_REMOTE_SOURCE_H
#define FOOTFALL_REMOTE_SOURCE_H

#include "sampler/sampler_source.h"

extern const sampler_source remote_source;

#endif
