/* What an engine is to the rest of the module: the functions that contexts and the module's life cycle call. Each engine
 * (monitoring, probes, settrace) registers one, and includes nothing of who calls it. */
#ifndef FOOTFALL_ENGINES_ENGINE_H
#define FOOTFALL_ENGINES_ENGINE_H

#include "core/state.h"

/* Any of these is called whether or not the engine runs, under the GIL. */
typedef struct engine_functions {
    /* Record what was executed since the last switch under the recorder's context, clear it, and let it be executed again. Recording
     * comes first, so that a killed process has lost nothing. 0 (also when the engine does not run or recording is off), or
     * -1 with an exception. */
    int (*flush)(module_state *state);
    /* The new context has begun: let what is running be seen in it, and note where the measured frames of all threads
     * are, so that their next lines have a line to come from. Sets no exception. NULL: nothing to do. */
    void (*begin)(module_state *state);
    /* Visit what the engine owns; free it. */
    int (*traverse)(module_state *state, visitproc visit, void *arg);
    void (*clear)(module_state *state);
} engine_functions;

/* `added` is called from now on, after those that are registered already. */
static inline void
engine_register(module_state *state, const engine_functions *added)
{
    state->engines[state->n_engines++] = added;
}

#endif
