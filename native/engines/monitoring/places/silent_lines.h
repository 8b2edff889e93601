/* Places that start a line for CPython but can never send a LINE event. */
#ifndef FOOTFALL_ENGINES_MONITORING_SILENT_LINES_H
#define FOOTFALL_ENGINES_MONITORING_SILENT_LINES_H

#include "compat/versions.h"

#if HAS_MONITORING

/* Take such places of a code object from the interpreter's list, for good, and let their instructions run as they are.
 * To be called when LINE events of the code are enabled and before it executes its first line. O(len(code)). */
void silent_lines_remove(PyCodeObject *code);

#endif

#endif
