/* Code objects that are measured, and their flags. */
#ifndef FOOTFALL_ENGINES_MONITORING_CODES_H
#define FOOTFALL_ENGINES_MONITORING_CODES_H

#include "compat/versions.h"
#include "engines/monitoring/state.h"

#if HAS_MONITORING

/* Record the code object in the current file. 1 done, 0 not recorded, -1 with an exception. */
int monitoring_register(module_state *state, PyObject *code, PyObject *path);

/* Return the absolute path if this file is measured, else None. Borrowed; NULL with an exception, or without one if
 * another thread has stopped the engine meanwhile: `decide` is Python code, during which threads may switch. */
PyObject *monitoring_decision(module_state *state, PyObject *filename);

/* The free function of the co_extra slot. */
void monitoring_free_code_events(void *extra);

/* Set a flag at a code unit, for the process's context. After a fork, the code is first recorded anew in the child's
 * file. */
void monitoring_set_flag(module_state *state, code_events *extra, Py_ssize_t byte_offset, unsigned char flag);

/* Call `sys.monitoring.set_local_events` for our tool. -1 with an exception. */
int monitoring_set_local_events(struct monitoring *mon, PyObject *code, PyObject *events);

#endif

#endif
