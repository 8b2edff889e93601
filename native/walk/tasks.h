/* asyncio's tasks, from the interpreter's own lists (CPython 3.14 and later) or those of older_tasks.h: which waits for which, the frames of a
 * waiting coroutine, names. Plain C: no Python.h. One `task_reader` belongs to one thread. Tasks come and go while they
 * are read: anything inconsistent is WALK_TORN. */
#ifndef FOOTFALL_WALK_TASKS_H
#define FOOTFALL_WALK_TASKS_H

#include "walk/code.h"
#include "walk/older_tasks.h"
#include "walk/stack.h"

#define MAX_TASK_BYTES 1024u
#define MAX_AWAITERS 4096u
/* From a task to the outermost one that waits for it. */
#define MAX_AWAITER_DEPTH 1024u
#define MAX_TASK_NAME_BYTES 1024u

/* The addresses of the tables in the process: the section .AsyncioDebug of _asyncio (where tasks are not published, any
 * but 0), and types; 0 = not known. */
typedef struct task_tables {
    uint64_t debug;
    uint64_t coroutine_type;
    uint64_t generator_type;
    uint64_t async_generator_type;
    uint64_t asend_type;
} task_tables;

typedef struct task_reader {
    const memory_source *source; /* borrowed */
    const walk_offsets *offsets; /* borrowed */
    task_tables tables;
    older_tasks older; /* its `objects.layout` is NULL if the interpreter publishes its tasks */
    coroutine_offsets at;
    uint32_t task_bytes;
    uint32_t task_name;
    uint32_t task_awaited_by;
    uint32_t task_is_task;
    uint32_t task_awaited_by_is_set;
    uint32_t task_coroutine;
    uint32_t task_node;
    uint32_t interp_tasks; /* list head of tasks whose thread has ended */
    uint32_t thread_running_task;
    uint32_t thread_tasks;
    raw_frame *frames; /* owned: of the task that was read last, outermost first */
    uint32_t n_frames;
    uint32_t frames_room;
    task_fields *tasks; /* owned: the list that was read last */
    uint32_t n_tasks;
    uint32_t tasks_room;
} task_reader;

enum task_state {
    TASK_WAITS = 0,
    TASK_RUNS, /* its frames are on a thread's stack */
    TASK_ENDED,
};

/* Whether the version has the section, without which there are no tasks. */
int tasks_are_published(const walk_offsets *offsets);

/* WALK_OK; WALK_UNREADABLE; WALK_UNKNOWN if there are no such tables. */
walk_status task_reader_open(task_reader *reader, const memory_source *source, const walk_offsets *offsets,
                             uint64_t runtime, const task_tables *tables);
void task_reader_close(task_reader *reader);

/* The task that a thread runs, 0 = none. */
walk_status task_running(task_reader *reader, uint64_t thread, uint64_t *task);
walk_status task_read(const task_reader *reader, uint64_t address, task_fields *task);
/* The address of the frame of a task's coroutine, 0 if that is not one of the interpreter's own kinds. */
uint64_t task_frame(const task_reader *reader, const task_fields *task);

/* Read the tasks of a thread into reader->tasks. On WALK_TORN or WALK_UNREADABLE it contains the tasks before that
 * point. */
walk_status tasks_read_of_thread(task_reader *reader, uint64_t thread);
/* Likewise those of an interpreter whose thread has ended. */
walk_status tasks_read_left(task_reader *reader, uint64_t interpreter);

/* Read the frames of a waiting task into reader->frames, and its state. A task that has not begun has one frame. */
walk_status task_read_frames(task_reader *reader, const task_fields *task, enum task_state *state);

/* Whether a task waits for this one. */
int task_is_awaited(const task_reader *reader, const task_fields *task);

/* Find the tasks that wait for a task, also through futures, unordered. Returns their number, at most `room`; what is
 * torn is left out. */
uint32_t task_awaiters(const task_reader *reader, const task_fields *task, uint64_t *awaiters, uint32_t room);

/* Read a name as UTF-8, with a NUL. A task that nobody named has a number; for others the number is -1. */
walk_status task_read_name(const task_reader *reader, const task_fields *task, char name[MAX_TASK_NAME_BYTES],
                           int64_t *number);

#endif
