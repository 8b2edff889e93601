/* sampler/tasks/tasks.c owns the joined stacks of tasks in a recording, and the counting of waiting tasks.
 *
 * A task's frame is followed by the frames of the task that waits for it. If there are several, one is chosen that is
 * waited for itself (a group waits for all its tasks, including those that one of them waits for), then the one at the
 * lowest address, so that it is the same each time. The frames of the event loop, which would be in between, are left
 * out. There are too many waiting tasks to log each of them: those with the same stack are summed, and logged once in a
 * while. */
#include "sampler/tasks/tasks.h"

#include "record/clocks.h"
#include "sampler/paths.h"
#include "sampler/sampler_source.h"
#include "sampler/tasks/task_labels.h"

#include <stdlib.h>
#include <string.h>

#define MAX_WAITS 4096u /* stacks with waiting tasks, summed */
#define WAIT_SLOTS 8192u
#define LOG_EVERY_NS 1000000000u
/* One part in this many of the time is spent on looking at waiting tasks. */
#define MAX_SHARE 100u
#define MAX_AWAITED (MAX_TASKS * 4)
#define MAX_LIST_TRIES 4

typedef struct wait_sum {
    uint32_t thread_index;
    uint32_t node; /* NO_NODE = free */
    uint64_t wall_ns;
    uint32_t n;
} wait_sum;

struct sampler_tasks {
    task_reader reader;
    thread_lane lane; /* belongs to no thread: its path is that of the last task */
    wait_sum sums[WAIT_SLOTS];
    uint32_t n_sums;
    uint64_t logged_ns;
    uint64_t next_look_ns;
    uint64_t awaiters[MAX_AWAITERS];
    uint64_t *awaited; /* owned: tasks that wait for another one; sorted */
    uint32_t n_awaited;
    uint32_t awaited_room;
};

int
sampler_tasks_open(sampler *s, const task_tables *tables, walk_status *status)
{
    struct sampler_tasks *tasks = calloc(1, sizeof *tasks);
    struct task_labels *labels = task_labels_new();
    *status = WALK_NO_MEMORY;
    if (tasks == NULL || labels == NULL) {
        free(tasks);
        task_labels_free(labels);
        return -1;
    }
    *status = task_reader_open(&tasks->reader, &s->memory, &s->interpreter.offsets, s->interpreter.runtime, tables);
    if (*status != WALK_OK) {
        free(tasks);
        task_labels_free(labels);
        return -1;
    }
    s->tasks = tasks;
    s->labels = labels;
    return 0;
}

void
sampler_log_waiting(sampler *s, uint64_t now_ns)
{
    struct sampler_tasks *tasks = s->tasks;
    for (uint32_t i = 0; tasks->n_sums != 0 && i < WAIT_SLOTS; i++) {
        const wait_sum *sum = &tasks->sums[i];
        if (sum->node != NO_NODE) {
            sample_log_add_waiting(&s->log, sum->thread_index, sum->node, now_ns - s->log.start_ns, sum->wall_ns,
                                   sum->n);
        }
    }
    memset(tasks->sums, 0, sizeof tasks->sums);
    tasks->n_sums = 0;
    tasks->logged_ns = now_ns;
}

void
sampler_tasks_close(sampler *s)
{
    struct sampler_tasks *tasks = s->tasks;
    if (tasks == NULL) {
        return;
    }
    if (s->log.counters != NULL) {
        sampler_log_waiting(s, monotonic_ns());
    }
    task_labels_free(s->labels);
    free(tasks->lane.path);
    free(tasks->awaited);
    task_reader_close(&tasks->reader);
    free(tasks);
    s->tasks = NULL;
    s->labels = NULL;
}

/* Return the number of a task's label. Numbered names (Task-17) get no label of their own: a server's would never add
 * up. */
static uint32_t
label_of(sampler *s, const task_fields *task)
{
    char name[MAX_TASK_NAME_BYTES];
    int64_t number;
    if (task_read_name(&s->tasks->reader, task, name, &number) != WALK_OK || number >= 0) {
        return NO_LABEL;
    }
    return task_label(s->labels, name);
}

/* Return the task that waits for one, to be shown as its caller: 0 = none. */
static uint64_t
caller_of(struct sampler_tasks *tasks, const task_fields *task)
{
    uint32_t n = task_awaiters(&tasks->reader, task, tasks->awaiters, MAX_AWAITERS);
    uint64_t chosen = 0;
    int is_chosen_awaited = 0;
    for (uint32_t i = 0; i < n; i++) {
        task_fields awaiter;
        int is_awaited = n > 1 && task_read(&tasks->reader, tasks->awaiters[i], &awaiter) == WALK_OK
                         && task_is_awaited(&tasks->reader, &awaiter);
        if (chosen == 0 || is_awaited > is_chosen_awaited
            || (is_awaited == is_chosen_awaited && tasks->awaiters[i] < chosen)) {
            chosen = tasks->awaiters[i];
            is_chosen_awaited = is_awaited;
        }
    }
    return chosen;
}

/* Add a task's frame, then the stacks of those that wait for it, one after the other. */
static walk_status
add_callers(sampler *s, task_fields *task)
{
    struct sampler_tasks *tasks = s->tasks;
    task_reader *reader = &tasks->reader;
    uint64_t passed = 0; /* a task seen before, updated at powers of two: meeting it again means a cycle */
    for (uint32_t depth = 1;; depth++) {
        walk_status status = stack_walker_add(&s->walker, 0, LABEL_AS_CODE(label_of(s, task)), 0);
        if (status != WALK_OK) {
            return status;
        }
        uint64_t caller = caller_of(tasks, task);
        if (caller == 0) {
            return WALK_OK;
        }
        if (caller == passed || depth == MAX_AWAITER_DEPTH) {
            return WALK_TORN;
        }
        if ((depth & (depth - 1)) == 0) {
            passed = caller;
        }
        enum task_state state;
        status = task_read(reader, caller, task);
        if (status == WALK_OK) {
            status = task_read_frames(reader, task, &state);
        }
        if (status != WALK_OK) {
            return status;
        }
        for (uint32_t i = reader->n_frames; i > 0; i--) {
            const raw_frame *frame = &reader->frames[i - 1];
            status = stack_walker_add(&s->walker, 0, frame->code, frame->instr);
            if (status != WALK_OK) {
                return status;
            }
        }
    }
}

walk_status
sampler_walk_task(sampler *s, thread_lane *lane)
{
    task_reader *reader = &s->tasks->reader;
    task_fields task;
    uint64_t address = 0;
    s->walker.mark = 0;
    walk_status status = task_running(reader, lane->thread, &address);
    if (status == WALK_OK && address != 0 && task_read(reader, address, &task) == WALK_OK) {
        s->walker.mark = task_frame(reader, &task);
    }
    status = stack_walk(&s->walker, lane->thread, &lane->guess);
    s->walker.mark = 0;
    if (status != WALK_OK || s->walker.n_marked == 0) {
        return status; /* it runs no task, or has switched to another one meanwhile */
    }
    s->walker.n_frames = s->walker.n_marked;
    return add_callers(s, &task);
}

static int
compare_addresses(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Collect what waits for the tasks of the list. 0; -1 if there is no room for them. */
static int
find_awaited(struct sampler_tasks *tasks)
{
    const task_reader *reader = &tasks->reader;
    tasks->n_awaited = 0;
    for (uint32_t i = 0; i < reader->n_tasks; i++) {
        uint32_t n = task_awaiters(reader, &reader->tasks[i], tasks->awaiters, MAX_AWAITERS);
        if (n == 0) {
            continue;
        }
        if (tasks->n_awaited + n > MAX_AWAITED) {
            return -1;
        }
        if (tasks->n_awaited + n > tasks->awaited_room) {
            uint32_t room = (tasks->n_awaited + n) * 2;
            uint64_t *awaited = realloc(tasks->awaited, room * sizeof *awaited);
            if (awaited == NULL) {
                return -1;
            }
            tasks->awaited = awaited;
            tasks->awaited_room = room;
        }
        memcpy(tasks->awaited + tasks->n_awaited, tasks->awaiters, n * sizeof tasks->awaiters[0]);
        tasks->n_awaited += n;
    }
    if (tasks->n_awaited != 0) {
        qsort(tasks->awaited, tasks->n_awaited, sizeof tasks->awaited[0], compare_addresses);
    }
    return 0;
}

static void
add_sum(sampler *s, uint32_t thread_index, uint32_t node, uint64_t wall_ns, uint64_t now_ns)
{
    struct sampler_tasks *tasks = s->tasks;
    if (tasks->n_sums == MAX_WAITS) {
        sampler_log_waiting(s, now_ns);
    }
    uint32_t slot = mix_key((uint64_t)thread_index << 32 | node) % WAIT_SLOTS;
    while (tasks->sums[slot].node != NO_NODE
           && (tasks->sums[slot].node != node || tasks->sums[slot].thread_index != thread_index)) {
        slot = (slot + 1) % WAIT_SLOTS;
    }
    wait_sum *sum = &tasks->sums[slot];
    tasks->n_sums += sum->node == NO_NODE;
    sum->node = node;
    sum->thread_index = thread_index;
    sum->wall_ns += wall_ns;
    sum->n++;
}

/* Count one task, if it is waiting: its frames, innermost first, and those of the tasks that wait for it. */
static void
count_task(sampler *s, const thread_lane *lane, const task_fields *listed, uint64_t wall_ns, uint64_t now_ns)
{
    struct sampler_tasks *tasks = s->tasks;
    task_reader *reader = &tasks->reader;
    task_fields task = *listed;
    enum task_state state;
    s->source->before_walk(s);
    s->walker.n_frames = 0;
    s->n_walks++;
    walk_status status = task_read_frames(reader, &task, &state);
    if (status == WALK_OK && state != TASK_WAITS) {
        return; /* it is running, so it is sampled with its thread; or it is done */
    }
    for (uint32_t i = reader->n_frames; status == WALK_OK && i > 0; i--) {
        status = stack_walker_add(&s->walker, 0, reader->frames[i - 1].code, reader->frames[i - 1].instr);
    }
    if (status == WALK_OK) {
        status = add_callers(s, &task);
    }
    if (status == WALK_OK) {
        status = sampler_intern_walk(s, &tasks->lane);
    }
    if (status == WALK_OK) {
        add_sum(s, lane->index, tasks->lane.node, wall_ns, now_ns);
        return;
    }
    tasks->lane.depth = 0;
    s->log.n[status == WALK_TORN ? COUNT_TORN : COUNT_UNREADABLE]++;
}

/* Read the list of a thread's tasks, whole: without its end it would not be known which tasks wait for no other. */
static walk_status
read_tasks_of(task_reader *reader, const thread_lane *lane)
{
    walk_status status = WALK_OK;
    for (int tries = 0; tries < MAX_LIST_TRIES; tries++) {
        status = tasks_read_of_thread(reader, lane->thread);
        if (status == WALK_OK) {
            break;
        }
    }
    return status;
}

static void
count_tasks_of(sampler *s, thread_lane *lane, uint64_t now_ns)
{
    struct sampler_tasks *tasks = s->tasks;
    task_reader *reader = &tasks->reader;
    if (read_tasks_of(reader, lane) != WALK_OK || find_awaited(tasks) < 0) {
        s->log.n[COUNT_TORN]++; /* the next look also counts this time */
        return;
    }
    uint64_t wall_ns = lane->tasks_ns != 0 ? now_ns - lane->tasks_ns : s->pace.interval_ns;
    lane->tasks_ns = now_ns;
    for (uint32_t i = 0; i < reader->n_tasks && sample_log_is_open(&s->log); i++) {
        const task_fields *task = &reader->tasks[i];
        if (tasks->n_awaited == 0
            || bsearch(&task->address, tasks->awaited, tasks->n_awaited, sizeof tasks->awaited[0], compare_addresses)
                   == NULL) {
            count_task(s, lane, task, wall_ns, now_ns);
        }
    }
}

static void
count_tasks_of_threads(sampler *s, uint64_t now_ns)
{
    for (uint32_t i = 0; i < s->threads.n_lanes; i++) {
        if (s->threads.lanes[i].native_id != 0) {
            count_tasks_of(s, &s->threads.lanes[i], now_ns);
        }
    }
}

void
sampler_count_waiting(sampler *s, uint64_t now_ns)
{
    struct sampler_tasks *tasks = s->tasks;
    if (now_ns < tasks->next_look_ns) {
        return;
    }
    uint64_t cpu_before = clock_ns(CLOCK_THREAD_CPUTIME_ID);
    s->source->visit_interpreters(s, count_tasks_of_threads, now_ns);
    if (now_ns - tasks->logged_ns > LOG_EVERY_NS) {
        sampler_log_waiting(s, now_ns);
    }
    uint64_t cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID) - cpu_before;
    s->pace.aside_ns += cpu_ns;
    tasks->next_look_ns = now_ns + cpu_ns * MAX_SHARE;
}
