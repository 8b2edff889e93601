/* Python functions that the engine keeps: those that its wrappers stand for, and ours that C calls. */
#ifndef FOOTFALL_ENGINES_PROBES_CALLBACKS_H
#define FOOTFALL_ENGINES_PROBES_CALLBACKS_H

enum probes_callback {
    PROBES_PLAIN_COMPILE,
    PROBES_ON_COMPILE,
    PROBES_PLAIN_EXEC,
    PROBES_PLAIN_EVAL,
    PROBES_PLAIN_LOADS,
    PROBES_PLAIN_LOAD,
    PROBES_ON_UNARMED, /* code with probes that do not record yet */
    PROBES_ON_PLAIN, /* a module's code without probes */
    N_PROBES_CALLBACKS,
};

#endif
