/* The clocks around the phases of tests, and what was read as lines of their file (docs/formats.md). */
#ifndef FOOTFALL_RECORD_PHASE_TIMES_H
#define FOOTFALL_RECORD_PHASE_TIMES_H

#include "core/state.h"

int phase_times_exec(PyObject *module);

#endif
