/* Stacks of asyncio's tasks: those of running tasks are joined with those of the tasks that wait for them, and waiting
 * tasks are counted. Plain C: no Python.h. All of it belongs to the sampling thread. */
#ifndef FOOTFALL_SAMPLER_TASKS_H
#define FOOTFALL_SAMPLER_TASKS_H

#include "sampler/sampler.h"
#include "walk/tasks.h"

/* 0; -1 with *status as from task_reader_open, or WALK_NO_MEMORY. */
int sampler_tasks_open(sampler *s, const task_tables *tables, walk_status *status);
/* Log what has been counted and not logged yet, and free everything. */
void sampler_tasks_close(sampler *s);

/* Log what has been counted and not logged yet. */
void sampler_log_waiting(sampler *s, uint64_t now_ns);

/* Walk a thread's stack; if it runs a task, the stack continues outward from there with the tasks that wait for it. */
walk_status sampler_walk_task(sampler *s, thread_lane *lane);
/* Count the waiting tasks that wait for no other task, at the end of a tick. */
void sampler_count_waiting(sampler *s, uint64_t now_ns);

#endif
