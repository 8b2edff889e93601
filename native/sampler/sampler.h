/* The parts of a sampler, by duty: each part is changed by the file named with it. Plain C: no Python.h. It samples the
 * process that it is in, or another one: sampler/sampler_source.h. */
#ifndef FOOTFALL_SAMPLER_SAMPLER_H
#define FOOTFALL_SAMPLER_SAMPLER_H

#include "engines/sample_contexts.h"
#include "sampler/last_thread.h"
#include "sampler/log.h"
#include "sampler/native_frames/capture.h"
#include "sampler/native_frames/mappings.h"
#include "walk/memory.h"
#include "walk/stack.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

/* The number of threads whose states are read in one call; if there are more, each takes one call. */
#define MAX_BATCH (MAX_SPANS - 4)

typedef struct path_step {
    uint64_t code;
    uint64_t instr;
    uint32_t node;
} path_step;

/* What a thread does with the GIL: sampler/gil.c. */
typedef struct lane_gil {
    uint16_t flags; /* of its last sample */
    int is_taking; /* it was seen waiting for the GIL, and did not get it until `switches` */
    int is_requested; /* 3.15: it waits, according to its state */
    uint64_t switches; /* the GIL's, at the last sample */
} lane_gil;

/* One sampled thread. */
typedef struct thread_lane {
    uint64_t thread; /* address of its PyThreadState */
    uint64_t thread_id; /* its pthread_t */
    uint64_t native_id; /* 0: not bound to a thread yet, so not sampled */
    uint32_t index; /* in the log */
    uint32_t n_samples; /* of this thread so far */
    char name[MAX_THREAD_NAME]; /* as logged */
    clockid_t clock; /* its CPU clock */
    pid_t task; /* in another process: the kernel's id of the thread, 0 = not known */
    int clock_file; /* owned: its CPU clock as a file; -1 = none */
    int call_file; /* owned: what it does in the kernel, as a file; -1 = not open */
    uint64_t n_starts; /* how often it was scheduled to run */
    uint64_t moved_ns; /* when that or its clock was last seen to change */
    int is_shared; /* in another process: the thread also has other thread states (remote/interpreters.c) */
    int is_settled; /* node is what it ran when its CPU clock read cpu_ns */
    uint32_t node;
    uint64_t cpu_ns;
    uint64_t failed_ns; /* when it was last looked at without getting a stack, if that is not logged yet; 0 = no */
    uint64_t failed_cpu_ns; /* its CPU clock then */
    sample_place place; /* of the thread's last sample in the log */
    sample_fields last;
    stack_lane guess;
    lane_gil gil;
    uint64_t tasks_ns; /* when its waiting tasks were counted last, 0 = never */
    uint32_t n_unanswered; /* how often in a row it did not walk its own stack */
    uint64_t c_stack_limit; /* where its oldest evaluation loop was at its last walk; 0 = not known */
    int has_c_stack; /* its last one in the log is that of its last walk */
    uint32_t n_c_stack;
    uint64_t c_stack_end;
    unsigned char *c_stack; /* owned: the last one in the log, NULL before */
    path_step *path; /* owned: the last stack, root first */
    uint32_t depth;
    uint32_t room;
    uint32_t generation; /* of the log's tables, for `path` */
} thread_lane;

/* The clocks' values at one moment. */
typedef struct pace_clocks {
    uint64_t wall_ns;
    uint64_t process_ns; /* CPU time of the process */
    uint64_t own_ns; /* CPU time of the sampling thread */
} pace_clocks;

/* Where the sampled interpreter has its structures. */
typedef struct sampled_interpreter {
    walk_offsets offsets;
    uint64_t runtime; /* address of _PyRuntime */
    uint64_t address; /* of the PyInterpreterState; in this process that of the main interpreter */
    uint64_t gil_address; /* of the GIL's words: walk/gil.h */
    uint64_t code_type; /* of PyCode_Type */
    uint64_t start_thread; /* the PyThreadState that started us, and its native id: after a fork */
    uint64_t start_native_id; /* CPython 3.11 leaves the parent's id in the state */
} sampled_interpreter;

/* Its threads: sampler/lanes.c. */
typedef struct sampled_threads {
    thread_lane *lanes; /* owned: in the order of the interpreter's list */
    uint32_t n_lanes;
    gil_words gil;
    uint64_t list_head; /* of the interpreter's thread states, as read by the walk of the only thread */
    uint64_t n_follows; /* how often the list of threads was followed again */
    uint64_t skip_native_id; /* the fallback's own thread, not sampled; 0 = none */
    unsigned char states[MAX_BATCH * (MAX_THREAD_OFFSET + 32)];
} sampled_threads;

/* When the next tick is: sampler/loop.c. */
typedef struct sampling_pace {
    uint64_t interval_ns; /* the shortest interval */
    uint64_t ns; /* the present mean interval: longer if a tick costs more than max_cpu_ppm allows */
    uint32_t max_cpu_ppm; /* share of the process's CPU time that the sampling thread may use, 0 = no limit */
    uint32_t n_ticks; /* since `ns` was set */
    pace_clocks clocks; /* at that time */
    uint64_t cpu_before_ns; /* used by earlier sampling threads that have ended */
    uint64_t aside_ns; /* CPU time that the sampling thread used for waiting tasks, which have a separate pace */
    uint64_t random;
    int has_fine_clock; /* CPU clocks advance within microseconds: if one did not, its thread did not run */
} sampling_pace;

/* The thread that ticks: sampler/loop.c. */
typedef struct sampling_thread {
    pthread_t handle;
    pid_t native_id; /* the kernel's, so that stop can see that it has ended */
    int is_there;
    pthread_mutex_t mutex; /* guards is_stopping and native_id */
    pthread_cond_t wake;
    int is_stopping;
    last_thread_watch last_thread;
} sampling_thread;

/* Which CPU it runs on: sampler/follow.c. */
typedef struct cpu_following {
    int is_on;
    int cpu; /* the CPU that the sampling thread is bound to, -1 = none */
    int64_t rseq_offset; /* offset of a thread's CPU number from its pthread_t; 0 = not known */
    uint64_t address; /* of the CPU number of the thread to follow, 0 = none */
    uint32_t seen; /* the last value read there */
    uint64_t n_moves; /* moves to another CPU */
} cpu_following;

/* Threads walk their own stacks: sampler/precise.c. */
typedef struct precise_walks {
    int is_on;
    int signal; /* the signal that requests a walk */
    memory_source memory; /* for the walks, without a window: threads have the program's table of files */
} precise_walks;

/* C stacks are recorded with the walks: sampler/native_frames/record.c. */
typedef struct native_frames {
    int is_on;
    c_stack stack;
    code_mappings mappings;
} native_frames;

typedef struct sampler {
    pid_t pid; /* the process of the sampler: detects a fork without a notification */
    const struct sampler_source *source;
    void *source_data; /* borrowed: the source's own data, if any */
    memory_source memory; /* of the process that is sampled */
    sampled_interpreter interpreter;
    sampled_threads threads;
    stack_walker walker;
    code_names names;
    sample_log log;
    sampling_pace pace;
    sampling_thread thread;
    cpu_following follow;
    precise_walks precise;
    native_frames native;
    sample_contexts contexts;
    struct sampler_tasks *tasks; /* owned; sampler/tasks/tasks.c: asyncio's tasks are sampled. NULL: they are not */
    struct task_labels *labels; /* owned, together with tasks; sampler/tasks/task_labels.c */
    int is_leased; /* it ends at the moment in log.lease, which another process keeps extending */
    uint64_t n_walks;
    uint64_t busy_ns; /* spent in ticks */
} sampler;

#endif
