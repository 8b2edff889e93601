/* The engine's callbacks. */
#ifndef FOOTFALL_ENGINES_MONITORING_EVENTS_H
#define FOOTFALL_ENGINES_MONITORING_EVENTS_H

#include "compat/versions.h"
#include "engines/monitoring/state.h"

#if HAS_MONITORING

/* Events by which a code object is measured: of the whole process, its own, and those beside its own while cold jumps
 * are watched. */
typedef struct {
    long global;
    long local;
    long watch;
} event_sets;

/* Give sys.monitoring our callbacks, and add their events to the sets. -1 with an exception. */
int monitoring_register_callbacks(PyObject *module, PyObject *monitoring, int with_branches, event_sets *sets);

#endif

#endif
