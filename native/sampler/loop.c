/* sampler/loop.c owns the native thread: its clock, its jitter, its start and stop. It has no Python thread state,
 * never takes the GIL, and receives no signals. */
#include "sampler/loop.h"

#include "sampler/calls.h"
#include "record/clocks.h"
#include "sampler/follow.h"
#include "sampler/lanes.h"
#include "sampler/sampler_source.h"
#include "sampler/tasks/tasks.h"
#include "sampler/tick.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define STACK_BYTES (512u * 1024) /* code.c has a text of 32 KiB on it */
#define TIMER_SLACK_NS 1000ul     /* the default is 50 us, which is too late for short intervals */

/* The kernel's struct sched_attr in its first version; older C libraries lack it. */
typedef struct scheduling {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t turn_ns, deadline_ns, period_ns;
} scheduling;

#define TURN_NS 100000u /* the shortest that the kernel takes */

/* Ask for short turns on a CPU (Linux 6.12; older ones take no notice). A thread that wakes up then runs at once if
 * its turn is shorter than that of the thread that it finds there. Otherwise that one goes on for some milliseconds, often
 * until it sleeps, and the tick, which is late, sees it sleep: a loop that computed for 5 ms and slept for 2 had only half
 * of its time where it computes. */
static void
ask_for_short_turns(void)
{
    scheduling own = {0};
    if (syscall(SYS_sched_getattr, 0, &own, sizeof own, 0) < 0
        || (own.policy != SCHED_OTHER && own.policy != SCHED_BATCH)) {
        return;
    }
    own.size = sizeof own;
    own.turn_ns = TURN_NS;
    syscall(SYS_sched_setattr, 0, &own, 0); /* without leave, we wait for our turn */
}

/* xorshift64*; good enough not to resonate with a loop of the program. */
static uint64_t
next_random(sampler *s)
{
    s->pace.random ^= s->pace.random >> 12;
    s->pace.random ^= s->pace.random << 25;
    s->pace.random ^= s->pace.random >> 27;
    return s->pace.random * 0x2545f4914f6cdd1du;
}

#define PACED_TICKS 32u /* ticks between readings of our own CPU clock: each costs half a microsecond */
#define MAX_PACE_NS                                                                                                    \
    10000000u /* 100 samples a second are taken, unless a tick (reading a very deep stack) is this expensive: */
#define MAX_BUSY_SHARE 5u /* then at most a fifth of the time is spent in ticks */

/* The interval times a uniform factor of 0.5 to 1.5: right on average, and never in step with the program. */
static uint64_t
jittered_interval(sampler *s)
{
    uint64_t share = next_random(s) >> 44; /* 20 bits: intervals up to 4 h do not overflow */
    return s->pace.ns / 2 + ((s->pace.ns * share) >> 20);
}

/* Sleep until the deadline or until stop wakes us. 1 to continue, 0 to end. */
static int
sleep_until(sampler *s, uint64_t deadline_ns)
{
    struct timespec deadline = {(time_t)(deadline_ns / 1000000000u), (long)(deadline_ns % 1000000000u)};
    pthread_mutex_lock(&s->thread.mutex);
    while (!s->thread.is_stopping) {
        if (pthread_cond_timedwait(&s->thread.wake, &s->thread.mutex, &deadline) == ETIMEDOUT) {
            break;
        }
    }
    int goes_on = !s->thread.is_stopping;
    pthread_mutex_unlock(&s->thread.mutex);
    return goes_on;
}

/* The same; 0 also if this thread is the last one of the process that it samples. */
static int
wait_until(sampler *s, uint64_t deadline_ns)
{
    while (s->thread.last_thread.next_ns <= deadline_ns) {
        if (!sleep_until(s, s->thread.last_thread.next_ns)
            || last_thread_is_this(&s->thread.last_thread, monotonic_ns())) {
            return 0;
        }
    }
    return sleep_until(s, deadline_ns);
}

/* Set the pace by what the last ticks cost, compared with what the process did: a waiting program is sampled rarely.
 * The pace depends only on the past, never on what the next tick will see, and a sample counts for the time since the
 * previous one: so shares stay right at any pace. */
static void
set_pace(sampler *s)
{
    if (++s->pace.n_ticks < PACED_TICKS) {
        return;
    }
    pace_clocks now = {monotonic_ns(), clock_ns(s->source->cpu_clock(s)), clock_ns(CLOCK_THREAD_CPUTIME_ID)};
    uint64_t wall_ns = now.wall_ns - s->pace.clocks.wall_ns;
    uint64_t used_ns = now.process_ns - s->pace.clocks.process_ns;
    uint64_t own_ns = now.own_ns - s->pace.clocks.own_ns - s->pace.aside_ns;
    uint32_t ticks = s->pace.n_ticks;
    s->log.n[COUNT_CPU] = s->pace.cpu_before_ns + now.own_ns;
    s->pace.n_ticks = 0;
    s->pace.clocks = now;
    s->pace.aside_ns = 0;
    if (s->pace.max_cpu_ppm == 0 || !s->pace.has_fine_clock) {
        return;
    }
    /* What the process may use in a second; more than one CPU does not count. */
    uint64_t busy_ppm = used_ns < wall_ns ? used_ns * 1000u / (wall_ns / 1000u + 1u) : 1000000u;
    uint64_t pace = own_ns / ticks * 1000000u / s->pace.max_cpu_ppm;
    pace = pace * 1000000u / (busy_ppm + 1000u);
    pace = (s->pace.ns + pace) / 2; /* one expensive tick is not the rule */
    uint64_t limit = own_ns / ticks * MAX_BUSY_SHARE;
    limit = limit > MAX_PACE_NS ? limit : MAX_PACE_NS;
    pace = pace < limit ? pace : limit;
    s->pace.ns = pace > s->pace.interval_ns ? pace : s->pace.interval_ns;
}

/* Return whether the lease has ended; then that is recorded, as a 0. */
static int
has_lease_ended(sampler *s, uint64_t now_ns)
{
    if (!s->is_leased || now_ns < load_u64(s->log.lease)) {
        return 0;
    }
    if (s->tasks != NULL) {
        sampler_log_waiting(s, now_ns);
    }
    sampler_log_calls(s);
    sample_log_publish(&s->log);
    memset(s->log.lease, 0, 8);
    return 1;
}

static void *
run_thread(void *argument)
{
    sampler *s = argument;
    prctl(PR_SET_NAME, "footfall");
    prctl(PR_SET_TIMERSLACK, TIMER_SLACK_NS);
    ask_for_short_turns();
    pthread_mutex_lock(&s->thread.mutex);
    s->thread.native_id = (pid_t)syscall(SYS_gettid);
    pthread_mutex_unlock(&s->thread.mutex);
    s->source->begin(s);
    sampler_follow_open(s);
    s->pace.n_ticks = 0;
    s->pace.clocks = (pace_clocks){monotonic_ns(), clock_ns(s->source->cpu_clock(s)), 0};
    uint64_t due = monotonic_ns() + jittered_interval(s);
    while (wait_until(s, due)) {
        uint64_t now = monotonic_ns();
        if (has_lease_ended(s, now)) {
            break;
        }
        s->source->before_tick(s, now, now - due);
        sampler_tick(s, now);
        if (!s->source->after_tick(s)) {
            break;
        }
        sampler_follow(s, now - due);
        set_pace(s);
        if (!sample_log_is_open(&s->log)) {
            sample_log_publish(&s->log); /* the reason is reported when the command has ended */
            break;
        }
        uint64_t after = monotonic_ns();
        s->busy_ns += after - now;
        due += jittered_interval(s);
        if (due < after) {
            s->log.n[COUNT_LATE]++;
            due = after + (jittered_interval(s) >> 1);
        }
    }
    s->pace.cpu_before_ns += clock_ns(CLOCK_THREAD_CPUTIME_ID);
    s->log.n[COUNT_CPU] = s->pace.cpu_before_ns;
    sampler_close_calls(s); /* as the window, these are files of this thread alone */
    memory_window_close(&s->memory);
    return NULL;
}

int
sampler_thread_start(sampler *s)
{
    pthread_attr_t attributes;
    sigset_t all, before;
    s->thread.is_stopping = 0;
    s->thread.native_id = 0;
    int error = pthread_attr_init(&attributes);
    if (error != 0) {
        return error;
    }
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* inherited by the thread: it must not receive the program's
                                                  * signals */
    error = pthread_create(&s->thread.handle, &attributes, run_thread, s);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    s->thread.is_there = error == 0;
    return error;
}

void
sampler_thread_stop(sampler *s)
{
    if (!s->thread.is_there) {
        return;
    }
    pthread_mutex_lock(&s->thread.mutex);
    s->thread.is_stopping = 1;
    pthread_cond_signal(&s->thread.wake);
    pthread_mutex_unlock(&s->thread.mutex);
    pthread_join(s->thread.handle, NULL);
    s->thread.is_there = 0;
    /* The kernel wakes the joiner a little before it removes the thread from the count that os.fork uses to decide
     * whether to warn about threads. */
    while (s->thread.native_id != 0 && syscall(SYS_tgkill, s->pid, s->thread.native_id, 0) == 0) {
        sched_yield();
    }
}
