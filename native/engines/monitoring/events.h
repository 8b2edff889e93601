/* The engine's callbacks. */
#ifndef FOOTFALL_ENGINES_MONITORING_EVENTS_H
#define FOOTFALL_ENGINES_MONITORING_EVENTS_H

#include "compat/versions.h"
#include "engines/monitoring/state.h"

#if HAS_MONITORING

/* The events by which code objects are measured: those of the whole process, a code object's own, and those added to
 * its own while cold jumps are watched. */
typedef struct {
    long global;
    long local;
    long watch;
} event_sets;

/* Register our callbacks with sys.monitoring, and add their events to the sets. -1 with an exception. */
int monitoring_register_callbacks(PyObject *module, PyObject *monitoring, int with_branches, event_sets *sets);

#endif

#endif
