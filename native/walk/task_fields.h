/* What is read of one of asyncio's tasks, or of a future. Plain C: no Python.h. */
#ifndef FOOTFALL_WALK_TASK_FIELDS_H
#define FOOTFALL_WALK_TASK_FIELDS_H

#include <stdint.h>

/* As many as CPython's own reader accepts; a longer list is damaged. */
#define MAX_TASKS 65536u

typedef struct task_fields {
    uint64_t address;
    uint64_t name;
    uint64_t coroutine;
    uint64_t awaited_by; /* a task or future, or a set of them; 0 = none (3.14 and later) */
    uint64_t next; /* node in the list (3.14 and later) */
    uint64_t previous;
    uint64_t loop; /* up to 3.13, as the next two */
    uint64_t callback; /* the first function to call at its end; 0 or None = none */
    uint64_t callbacks; /* a list of further ones, or 0 */
    int is_task; /* else a future, which has no name and no coroutine */
    int is_awaited_by_set;
} task_fields;

#endif
