/* The engine on sys.monitoring. */
#ifndef FOOTFALL_ENGINES_MONITORING_MONITORING_H
#define FOOTFALL_ENGINES_MONITORING_MONITORING_H

#include "core/state.h"

/* Add the engine, and its functions, to the module. */
int monitoring_exec(PyObject *module);

#endif
