/* What is needed for a process that is sampled from outside. Plain C: no Python.h. Nothing there notifies us: we must
 * notice code objects that are freed, and a program that ends or executes another. */
#ifndef FOOTFALL_REMOTE_TARGET_H
#define FOOTFALL_REMOTE_TARGET_H

#include "sampler/sampler.h"

/* How long a code object is assumed unchanged after a check (before 3.14). */
#define CODE_DOUBT_NS 20000000u

/* Why sampling ended. */
enum remote_end {
    REMOTE_GOES_ON = 0,
    REMOTE_GONE, /* the process has ended */
    REMOTE_LOST, /* its interpreter is not where it was: it executed another program, or is being torn down */
    REMOTE_FORBIDDEN, /* it may no longer be read */
};

/* One interpreter of the process. The fields that the sampler has too are in the sampler while this interpreter is
 * selected. */
typedef struct interpreter_view {
    uint64_t interp;
    uint64_t id;
    uint64_t gil_address;
    gil_words gil;
    collector_watch collector;
    thread_lane *lanes; /* owned */
    uint32_t n_lanes;
    int is_readable; /* its threads could be read in this tick */
} interpreter_view;

/* One of several thread states that a thread has. */
typedef struct shared_lane {
    uint64_t native_id;
    uint32_t view;
    uint32_t lane;
    uint64_t entered; /* as in stack_walker, from the last walk */
    uint64_t entered_first;
    uint32_t first_frame; /* in `joined` */
    uint32_t n_frames;
} shared_lane;

typedef struct remote_target {
    pid_t pid;
    int proc; /* /proc/PID, which stays this process's even if the pid is reused; -1 = closed */
    int pid_file; /* a pidfd, readable once the process has ended; -1 = the kernel has none */
    int has_own_pids; /* it is in another pid namespace: the interpreter's thread ids are not ours */
    int has_musl; /* its threads wait for a condition variable at words of their own, not at the variable's */
    clockid_t clock; /* CPU clock of the process */
    interpreter_view *views; /* owned: the process's interpreters, as of the last reading of their list */
    uint32_t n_views;
    uint32_t selected; /* the selected interpreter */
    shared_lane *shared; /* owned: those of one thread are consecutive */
    uint32_t n_shared;
    uint64_t shared_as_of; /* the version of the lists of threads, as the sampler counts their changes; 0 = none */
    raw_frame *joined; /* owned: the stacks of one thread's states */
    uint32_t joined_room;
    uint64_t generation; /* changes when a code object is freed (3.14 and later), or an interpreter comes or goes */
    uint32_t failed_in_row; /* consecutive ticks that read nothing */
    uint64_t failures_before; /* the log's count one tick ago */
    uint64_t samples_before;
    uint64_t checked_all_ns; /* when all known code objects were last marked for a check */
    uint64_t tick_ns; /* when the tick began */
    int pauses; /* stop its threads while reading them */
    _Atomic int end;
} remote_target;

/* Open what a target needs in /proc. 0; -1 with errno. */
int remote_target_open(remote_target *target, pid_t pid);
void remote_target_close(remote_target *target);

/* Return whether the process still exists. */
int remote_is_alive(const remote_target *target);

/* Return the kernel's id, here, of a thread whose id is `native_id` there; 0 if it is not known. */
pid_t remote_find_task(const remote_target *target, uint64_t native_id);
/* Open the file of a thread's CPU clock; -1 if the kernel has none for it (any longer). */
int remote_open_clock(const remote_target *target, pid_t task);
/* Read the name of a thread, ending with a NUL; "" if the thread has ended. */
void remote_read_thread_name(const remote_target *target, pid_t task, char name[MAX_THREAD_NAME]);
/* Read the line of a thread's system call. Return whether it tells on what the thread waits. */
int remote_read_call(const remote_target *target, pid_t task, char *text, size_t size);
/* Return the CPU time of the lane's thread, and whether it has slept for so long that its clock would otherwise have
 * advanced. */
uint64_t remote_lane_cpu_ns(thread_lane *lane, uint64_t now_ns, int *has_slept);

/* Return our data in the sampler. */
static inline remote_target *
remote_target_of(const sampler *s)
{
    return s->source_data;
}

#endif
