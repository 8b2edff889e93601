/* Which instructions are certainly calls of C functions. Plain C: no Python.h. */
#ifndef FOOTFALL_WALK_CALLS_H
#define FOOTFALL_WALK_CALLS_H

#include <stdint.h>

/* Return whether an interpreter of `version` (PY_VERSION_HEX) specialized a call to this instruction because no Python
 * function is called there (PEP 659: instructions adapt to the types that they meet). */
int call_is_native(uint32_t version, unsigned opcode);

#endif
