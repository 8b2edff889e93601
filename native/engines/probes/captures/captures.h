/* What blocks of `footfall.capture()` see by probes: up to 32 series, each with a list of the probes that were reached
 * while it had a block open. All functions need the GIL. */
#ifndef FOOTFALL_ENGINES_PROBES_CAPTURES_H
#define FOOTFALL_ENGINES_PROBES_CAPTURES_H

#include "core/state.h"

#include <stdint.h>

#define MAX_CAPTURES 32

/* One for the process. */
typedef struct captures {
    uint32_t open; /* blocks.c: bit by series: has a block open */
    uint32_t full; /* bit by series: it forgets what it saw, so that probes stay in */
    PyObject *news[MAX_CAPTURES]; /* owned: list of (Events, number), in order; NULL if there is no such series */
    PyObject *on_module; /* owned: called with each new Events object; or NULL */
} captures;

/* One for each module. */
typedef struct captured_module {
    uint32_t wanted; /* bit by series: it wants to know about this module */
    uint32_t n_probes; /* the number of probes that `seen` has room for */
    uint32_t *seen; /* owned, by probe: bit by series; NULL until wanted */
} captured_module;

/* Report the module's probes to a series from now on. 0, or -1 without an exception if there is no memory. */
int captured_module_add(captured_module *module, int series, uint32_t n_probes);

/* Stop reporting to it, and forget what it saw. */
void captured_module_remove(captured_module *module, int series);

void captured_module_free(captured_module *module);

/* A probe of the module whose Events object is `events` was reached. Returns 1 if no series waits for it any more.
 * Raises nothing. */
int captures_take(captures *all, captured_module *module, PyObject *events, uint32_t number);

int captures_traverse(captures *all, visitproc visit, void *arg);
void captures_clear(captures *all);

#endif
