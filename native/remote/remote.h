/* Sampling another process, as a type of the module. */
#ifndef FOOTFALL_REMOTE_REMOTE_H
#define FOOTFALL_REMOTE_REMOTE_H

#include "core/state.h"

int remote_exec(PyObject *module);

#endif
