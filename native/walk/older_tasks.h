/* asyncio's tasks on CPython 3.12 and 3.13, which keep them in a weak set of the module _asyncio. What waits for a task is
 * found through the functions that are to be called at its end. Plain C: no Python.h.
 *
 * Only tasks of the main interpreter are found. */
#ifndef FOOTFALL_WALK_OLDER_TASKS_H
#define FOOTFALL_WALK_OLDER_TASKS_H

#include "walk/objects.h"
#include "walk/task_fields.h"

typedef struct older_tasks {
    object_reader objects; /* layout NULL = not such a version */
    uint64_t interpreter; /* the main one */
    dict_place looked; /* at which modules */
    uint64_t task_type; /* 0 while asyncio has not been imported */
    uint64_t future_type;
    uint64_t current; /* a dict, the running task by loop */
    uint64_t scheduled; /* a set of weak references */
    uint64_t eager; /* a set of tasks that have not waited yet */
    int is_unknown; /* asyncio has been imported, and has another layout */
} older_tasks;

/* Called with a task or a future. */
typedef object_visitor awaiter_visitor;

/* WALK_OK; WALK_UNREADABLE; WALK_UNKNOWN for other versions. */
walk_status older_tasks_open(older_tasks *tasks, const memory_source *source, const walk_offsets *offsets,
                             uint64_t runtime);
/* WALK_OK; WALK_TORN while asyncio has not been imported; WALK_UNKNOWN if it has another layout. */
walk_status older_tasks_find(older_tasks *tasks);

/* The event loop that a thread runs, 0 = none. */
uint64_t older_running_loop(const older_tasks *tasks, uint64_t thread);
/* The task that a thread runs, 0 = none. */
uint64_t older_running_task(const older_tasks *tasks, uint64_t thread);
/* Read a task or a future. */
walk_status older_task_read(const older_tasks *tasks, uint64_t address, task_fields *task);
/* Visit the addresses of all tasks that have not ended, some perhaps twice. WALK_OK or WALK_TORN. */
walk_status older_tasks_visit(const older_tasks *tasks, object_visitor visit, void *argument);
/* Visit the tasks and futures that wait for a task or future. */
void older_awaiters_visit(const older_tasks *tasks, const task_fields *task, awaiter_visitor visit, void *argument);

#endif
