/* Not disturbing debuggers. */
#ifndef FOOTFALL_ENGINES_MONITORING_DEBUGGERS_H
#define FOOTFALL_ENGINES_MONITORING_DEBUGGERS_H

#include "compat/versions.h"
#include "engines/monitoring/state.h"

#if HAS_MONITORING

/* What the start of this code means for debuggers (3.13 and later). */
typedef enum debugger_step {
    NO_DEBUGGER,
    DEBUGGER_ASKS,   /* is about to request a stop at the next instruction */
    DEBUGGER_BEGINS, /* has requested it, and starts tracing */
} debugger_step;

debugger_step monitoring_debugger_step(PyCodeObject *code);

/* Let a debugger have its events for all code that runs in this thread. -1 with an exception. */
int monitoring_follow_debugger(module_state *state, debugger_step step);

#endif

#endif
