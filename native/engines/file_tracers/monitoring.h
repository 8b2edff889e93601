/* Frames of plugins' files, seen by a tool of sys.monitoring. */
#ifndef FOOTFALL_ENGINES_FILE_TRACERS_MONITORING_H
#define FOOTFALL_ENGINES_FILE_TRACERS_MONITORING_H

#include "core/state.h"

int traced_frames_monitoring_exec(PyObject *module);

#endif
