/* What is known in addition about a CPython that publishes its structures but not its tasks (3.12 and 3.13), or neither:
 * for x86-64 and other LP64 builds with the GIL. From Include/internal/pycore_interp.h, pycore_dict.h, pycore_object.h,
 * pycore_frame.h, pycore_tstate.h and Modules/_asynciomodule.c of those versions. Plain C: no Python.h. */
#ifndef FOOTFALL_WALK_LAYOUTS_OBJECTS_H
#define FOOTFALL_WALK_LAYOUTS_OBJECTS_H

#include "walk/fields.h"

typedef struct object_layout {
    coroutine_offsets coroutines; /* without lists: its tasks are in none */
    uint32_t interp_modules; /* sys.modules */
    uint32_t thread_dict; /* what threading.local and asyncio keep by thread; 0 = asyncio's loop is in the next field */
    uint32_t thread_loop;
    int has_inline_values; /* an object's attributes follow its head, else a pointer before it leads to them */
    uint32_t values_head; /* bytes before the first of an object's attributes */
    uint32_t future_bytes; /* sizeof; another one means another layout */
    uint32_t future_state; /* an int, 0 = pending */
    uint32_t task_bytes;
    uint32_t task_coroutine; /* its name follows */
} object_layout;

/* NULL for other versions. */
const object_layout *find_object_layout(uint32_t version);

#endif
