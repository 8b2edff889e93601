/* Finding where the fields of an interpreter's structures are. Plain C: no Python.h. */
#ifndef FOOTFALL_WALK_OFFSETS_H
#define FOOTFALL_WALK_OFFSETS_H

#include "walk/fields.h"
#include "walk/memory.h"

/* Find the layout of an interpreter of `version` (PY_VERSION_HEX) whose _PyRuntime is at `runtime`.
 * WALK_OK, WALK_UNREADABLE or WALK_UNKNOWN. */
walk_status walk_find_offsets(const memory_source *source, uint64_t runtime, uint32_t version, walk_offsets *offsets);

/* Find the rest of the layout of the interpreter that `offsets` belongs to. Returns as above. */
walk_status walk_find_coroutine_offsets(const memory_source *source, uint64_t runtime, const walk_offsets *offsets,
                                        coroutine_offsets *found);

#endif
