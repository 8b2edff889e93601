/* sampler_thread.c owns the native thread: its clock, its jitter, its start and stop.
 * It has no Python thread state, never takes the GIL, and takes no signal. */
#include "core/sampler_follow.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define STACK_BYTES (512u * 1024) /* code.c keeps a text of 32 KiB on it */
#define TIMER_SLACK_NS 1000ul     /* 50 us by default, which is late for short intervals */

/* xorshift64*; good enough not to beat with a loop of the program. */
static uint64_t
next_random(sampler *s)
{
    s->random ^= s->random >> 12;
    s->random ^= s->random << 25;
    s->random ^= s->random >> 27;
    return s->random * 0x2545f4914f6cdd1du;
}

/* The interval times a uniform factor of 0.5 to 1.5: right on average, and never in step with the program. */
static uint64_t
jittered_interval(sampler *s)
{
    uint64_t share = next_random(s) >> 44; /* 20 bits: intervals up to 4 h do not overflow */
    return s->interval_ns / 2 + ((s->interval_ns * share) >> 20);
}

/* Sleep until the deadline or until stop wakes us. 1 to go on, 0 to end. */
static int
wait_until(sampler *s, uint64_t deadline_ns)
{
    struct timespec deadline = {(time_t)(deadline_ns / 1000000000u),
                                (long)(deadline_ns % 1000000000u)};
    pthread_mutex_lock(&s->mutex);
    while (!s->is_stopping) {
        if (pthread_cond_timedwait(&s->wake, &s->mutex, &deadline) == ETIMEDOUT) {
            break;
        }
    }
    int goes_on = !s->is_stopping;
    pthread_mutex_unlock(&s->mutex);
    return goes_on;
}

static void
report_end(const sampler *s)
{
    char line[512];
    int error = (int)s->log.n[COUNT_FULL];
    int size = snprintf(line, sizeof line,
                        "footfall: the profile stopped: %s (%s). What was sampled before is kept; "
                        "free space there and run again. [sample-log-full]\n",
                        strerror(error), s->log.log.path != NULL ? s->log.log.path : "");
    if (size > 0 && write(STDERR_FILENO, line, (size_t)size < sizeof line ? (size_t)size : sizeof line - 1) < 0) {
        return; /* no stderr to say it on */
    }
}

static void *
run_thread(void *argument)
{
    sampler *s = argument;
    prctl(PR_SET_NAME, "footfall");
    prctl(PR_SET_TIMERSLACK, TIMER_SLACK_NS);
    pthread_mutex_lock(&s->mutex);
    s->thread_id = (pid_t)syscall(SYS_gettid);
    pthread_mutex_unlock(&s->mutex);
    sampler_follow_open(s);
    uint64_t due = sampler_now_ns() + jittered_interval(s);
    while (wait_until(s, due)) {
        uint64_t now = sampler_now_ns();
        sampler_tick(s, now);
        sampler_follow(s, now - due);
        if (!sample_log_is_open(&s->log)) {
            report_end(s);
            break;
        }
        uint64_t after = sampler_now_ns();
        s->busy_ns += after - now;
        due += jittered_interval(s);
        if (due < after) {
            s->log.n[COUNT_LATE]++;
            due = after + (jittered_interval(s) >> 1);
        }
    }
    return NULL;
}

int
sampler_thread_start(sampler *s)
{
    pthread_attr_t attributes;
    sigset_t all, before;
    s->is_stopping = 0;
    s->thread_id = 0;
    int error = pthread_attr_init(&attributes);
    if (error != 0) {
        return error;
    }
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* inherited: the program's signals are not ours */
    error = pthread_create(&s->thread, &attributes, run_thread, s);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    s->has_thread = error == 0;
    return error;
}

void
sampler_thread_stop(sampler *s)
{
    if (!s->has_thread) {
        return;
    }
    pthread_mutex_lock(&s->mutex);
    s->is_stopping = 1;
    pthread_cond_signal(&s->wake);
    pthread_mutex_unlock(&s->mutex);
    pthread_join(s->thread, NULL);
    s->has_thread = 0;
    /* The kernel wakes the joiner a little before it takes the thread off the count, by which os.fork
     * decides to warn of threads. */
    while (s->thread_id != 0 && syscall(SYS_tgkill, s->pid, s->thread_id, 0) == 0) {
        sched_yield();
    }
}
