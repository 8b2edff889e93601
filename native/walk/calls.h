/* Which instructions are calls of C functions, for sure. Plain C: no Python.h. */
#ifndef FOOTFALL_WALK_CALLS_H
#define FOOTFALL_WALK_CALLS_H

#include <stdint.h>

/* Whether an interpreter of `version` (PY_VERSION_HEX) made this instruction of a call when it saw that no Python
 * function is called there (PEP 659: instructions adapt to what they meet). */
int call_is_native(uint32_t version, unsigned opcode);

#endif
