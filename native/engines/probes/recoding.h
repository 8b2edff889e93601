/* Functions that Python calls to give existing functions the code with probes. */
#ifndef FOOTFALL_ENGINES_PROBES_RECODING_H
#define FOOTFALL_ENGINES_PROBES_RECODING_H

#include "core/state.h"

int recoding_exec(PyObject *module);

#endif
