/* Stacks of asyncio's tasks: those of running ones are joined with those of the tasks that wait for them, and tasks
 * that wait are counted. Plain C: no Python.h. All of it belongs to the sampling thread. */
#ifndef FOOTFALL_SAMPLER_TASKS_H
#define FOOTFALL_SAMPLER_TASKS_H

#include "sampler/sampler.h"
#include "walk/tasks.h"

/* 0; -1 with *status: as of task_reader_open, or WALK_NO_MEMORY. */
int sampler_tasks_open(sampler *s, const task_tables *tables, walk_status *status);
/* Log what is counted and not logged yet, and free it all. */
void sampler_tasks_close(sampler *s);

/* Log what is counted and not logged yet. */
void sampler_log_waiting(sampler *s, uint64_t now_ns);

/* Walk a thread's stack; when it runs a task, from there on out the stack is that of the tasks that wait for it. */
walk_status sampler_walk_task(sampler *s, thread_lane *lane);
/* Count the tasks that wait, those that nothing else waits for, at the end of a tick. */
void sampler_count_waiting(sampler *s, uint64_t now_ns);

#endif
