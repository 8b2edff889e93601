/* The sampler: what one tick does, and the native thread that ticks. Plain C: no Python.h.
 * It samples the process that it is in, or with `remote` another. */
#ifndef FOOTFALL_SAMPLER_LOOP_H
#define FOOTFALL_SAMPLER_LOOP_H

#include "sampler/last_thread.h"
#include "engines/sample_contexts.h"
#include "sampler/log.h"
#include "sampler/watch.h"
#include "walk/memory.h"
#include "walk/stack.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

/* Threads whose states are read by one call; with more, one call each. */
#define MAX_BATCH (MAX_SPANS - 3)

typedef struct path_step {
    uint64_t code;
    uint64_t instr;
    uint32_t node;
} path_step;

/* One sampled thread. */
typedef struct thread_lane {
    uint64_t thread; /* address of its PyThreadState */
    uint64_t thread_id; /* its pthread_t */
    uint64_t native_id; /* 0: not bound to a thread yet, not sampled */
    uint32_t index; /* in the log */
    uint32_t n_samples; /* of this thread so far */
    char name[MAX_THREAD_NAME]; /* as logged */
    clockid_t clock; /* its CPU clock */
    pid_t task; /* with `remote`: the kernel's id of it, 0 = not known */
    int clock_file; /* its CPU clock as a file */
    uint64_t n_starts; /* times that it began to run */
    uint64_t moved_ns; /* when that or its clock was last seen to have moved */
    int is_shared; /* with `remote`: its thread has other thread states too (remote/interpreters.c) */
    int is_settled; /* node is what it ran when its CPU clock showed cpu_ns */
    uint32_t node;
    uint64_t cpu_ns;
    uint64_t failed_ns; /* when it was last looked at without a stack, if that is not logged yet; 0 = no */
    uint64_t failed_cpu_ns; /* its CPU clock then */
    sample_place place; /* of its last sample in the log */
    sample_fields last;
    stack_lane guess;
    uint64_t tasks_ns; /* when its waiting tasks were counted last, 0 = never */
    uint32_t n_unanswered; /* times in a row that it did not walk its own stack */
    path_step *path; /* owned: the last stack, root first */
    uint32_t depth;
    uint32_t room;
    uint32_t generation; /* of the log's tables, for `path` */
} thread_lane;

/* What the clocks showed at one moment. */
typedef struct pace_clocks {
    uint64_t wall_ns;
    uint64_t process_ns; /* CPU time of the process */
    uint64_t own_ns; /* CPU time of the sampling thread */
} pace_clocks;

typedef struct sampler {
    pid_t pid; /* whose sampler it is: a fork that told nobody is seen by it */
    memory_source memory; /* of this process */
    walk_offsets offsets;
    uint64_t runtime; /* address of _PyRuntime */
    uint64_t interp; /* of the main interpreter */
    uint64_t gil_address; /* of the GIL's last holder, and whether it is held */
    uint64_t code_type; /* of PyCode_Type */
    uint64_t start_thread; /* the PyThreadState that started us, and its native id: after a fork */
    uint64_t start_native_id; /* CPython 3.11 leaves the parent's in the state */
    uint64_t skip_native_id; /* the fall-back's own thread, not sampled; 0 = none */
    uint64_t interval_ns; /* the shortest */
    uint64_t pace_ns; /* the mean interval now: longer where a tick costs more than max_cpu_ppm allows */
    uint32_t max_cpu_ppm; /* of the process's CPU time that the sampling thread may use, 0 = no limit */
    uint32_t paced_ticks; /* since pace_ns was set */
    pace_clocks paced_at;
    uint64_t cpu_before_ns; /* that ended sampling threads used */
    uint64_t random;
    int follows_cpu; /* sampler/follow.c */
    int cpu; /* that the sampling thread is bound to, -1 = none */
    int64_t rseq_offset; /* of a thread's CPU number from its pthread_t; 0 = not known */
    uint64_t cpu_address; /* of the CPU number of the thread to follow, 0 = none */
    uint32_t cpu_seen; /* what was read there */
    uint64_t n_moves; /* to another CPU */
    int is_precise; /* sampler/precise.c: threads walk their own stacks */
    int signal; /* by which they are asked */
    int has_fine_clock; /* CPU clocks move within microseconds: an unmoved one means that it did not run */
    stack_walker walker;
    sample_log log;
    code_names names;
    thread_lane *lanes; /* owned: in the order of the interpreter's list */
    uint32_t n_lanes;
    uint64_t gil_holder; /* a PyThreadState, 0 = nobody */
    uint64_t list_head; /* of the interpreter's thread states, as the walk of an only thread read it */
    uint64_t n_follows; /* times that the list of threads was followed anew */
    uint64_t n_walks;
    uint64_t busy_ns; /* in ticks */
    death_ring ring;
    uint64_t ring_tail; /* deaths that were applied */
    uint64_t deaths_before; /* the walk that is under way */
    sample_contexts contexts;
    pthread_t thread;
    pid_t thread_id; /* kernel's, for stop to see it gone */
    int has_thread;
    pthread_mutex_t mutex; /* guards is_stopping and thread_id */
    pthread_cond_t wake;
    int is_stopping;
    last_thread_watch last_thread;
    struct sampler_tasks *tasks; /* owned; sampler/tasks.c: asyncio's tasks are looked at. NULL: they are not */
    int wants_tasks; /* sampler/asyncio.c: as soon as this process's tables are there */
    uint64_t next_search_ns; /* for them */
    uint64_t n_loaded; /* libraries that it had loaded at the last search */
    int is_leased; /* it ends when the moment in log.lease has come, which somebody else puts off again and again */
    uint64_t aside_ns; /* CPU time of the sampling thread on them, which sets its own pace */
    struct remote_target *remote; /* borrowed; remote/: another process is sampled. NULL: this one */
    uint64_t tick_ns; /* when the tick began; only with `remote` */
    unsigned char states[MAX_BATCH * (MAX_THREAD_OFFSET + 32)];
} sampler;

/* Sample every thread once. */
void sampler_tick(sampler *s, uint64_t now_ns);

/* Walk the lane's stack, in the way that is asked for. */
walk_status sampler_walk(sampler *s, thread_lane *lane);
/* With `remote`: look at the CPU clock of the lane's thread. Whether it did not run since its last sample, and is where it was. */
int sampler_is_idle(thread_lane *lane, uint64_t now_ns, int holds_gil, uint64_t *cpu_ns);
/* Log what a look at the lane's thread found: that it is at lane->node when `status` is WALK_OK. `has_waited`: since its
 * last sample, which then counts once more. */
void sampler_finish_look(sampler *s, thread_lane *lane, walk_status status, uint64_t now_ns, int holds_gil,
                         int has_waited);
/* Look at each thread of the lanes, but those that are shared. */
void sampler_sample_lanes(sampler *s, uint64_t now_ns);
/* Give the frames of the last walk their numbers: lane->path, lane->node. `deaths_before` is of before that walk. */
walk_status sampler_intern_walk(sampler *s, thread_lane *lane);
/* How many deaths of code objects were told. */
uint64_t sampler_count_deaths(const sampler *s);
/* Forget the code objects whose death was told. */
void sampler_apply_deaths(sampler *s);

uint64_t sampler_now_ns(void);

/* Start and stop (join) the thread that ticks. Start: 0 or an errno. */
int sampler_thread_start(sampler *s);
void sampler_thread_stop(sampler *s);

void sampler_free_lanes(sampler *s);
void lanes_free(thread_lane *lanes, uint32_t n);

#endif
