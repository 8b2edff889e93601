/* The types of blocks of `footfall.capture()`. */
#ifndef FOOTFALL_ENGINES_PROBES_BLOCKS_H
#define FOOTFALL_ENGINES_PROBES_BLOCKS_H

#include "core/state.h"

int blocks_exec(PyObject *module);

#endif
