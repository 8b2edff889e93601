/* An engine as the rest of the module sees it: the functions that contexts and the module's life cycle call. Each
 * engine (monitoring, probes, settrace) registers one struct, and includes nothing from its callers. */
#ifndef FOOTFALL_ENGINES_ENGINE_H
#define FOOTFALL_ENGINES_ENGINE_H

#include "core/state.h"

/* Each of these is called whether or not the engine runs, under the GIL. */
typedef struct engine_functions {
    /* Record what was executed since the last switch under the recorder's context, clear it, and let it be seen again.
     * Recording comes first, so that a killed process has lost nothing. 0 (also if the engine does not run or recording
     * is off), or -1 with an exception. */
    int (*flush)(module_state *state);
    /* The new context has begun: let what is running be seen in it, and note the lines of the measured frames of all
     * threads, at which their next arcs begin. Sets no exception. NULL: nothing to do. */
    void (*begin)(module_state *state);
    /* Visit what the engine owns; free it. */
    int (*traverse)(module_state *state, visitproc visit, void *arg);
    void (*clear)(module_state *state);
} engine_functions;

/* Call `added` from now on, after the engines that are registered already. */
static inline void
engine_register(module_state *state, const engine_functions *added)
{
    state->engines[state->n_engines++] = added;
}

#endif
