/* sampler/follow.c decides where the sampling thread runs: on the CPU of the thread that holds the GIL. When the
 * sampling thread wakes up there, that thread is not running, so what is read does not change: no torn stack, and the
 * leaf is the line that runs. Seen from another CPU, a call of 50 ns is over before its frame is read, and short lines
 * are seen 3 to 5 times too rarely. The price is two context switches a tick, so this is not done for short intervals.
 *
 * The CPU number of a thread is in its rseq area, which glibc 2.35 and later register and the kernel updates. */
#include "sampler/follow.h"

#include <sched.h>

#define MIN_INTERVAL_NS 400000u
/* A thread of a real-time class does not let us run on its CPU: then we go where there is room. */
#define MAX_LATE_NS 200000000u

void
sampler_follow_open(sampler *s)
{
    s->follow.cpu = -1;
    s->follow.address = 0;
    if (s->follow.rseq_offset == 0 || s->pace.interval_ns < MIN_INTERVAL_NS) {
        s->follow.is_on = 0;
    }
}

static void
bind_to(sampler *s, int cpu)
{
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    /* It fails if the program may no longer use that CPU; then we stay where we are. */
    if (sched_setaffinity(0, sizeof one, &one) == 0) {
        s->follow.cpu = cpu;
        s->follow.n_moves++;
    }
}

static void
unbind(sampler *s)
{
    cpu_set_t all;
    s->follow.is_on = 0;
    s->follow.address = 0;
    if (s->follow.cpu >= 0 && sched_getaffinity(s->pid, sizeof all, &all) == 0) {
        sched_setaffinity(0, sizeof all, &all);
        s->follow.cpu = -1;
    }
}

void
sampler_follow(sampler *s, uint64_t late_ns)
{
    if (!s->follow.is_on) {
        return;
    }
    if (late_ns > MAX_LATE_NS) {
        unbind(s);
        return;
    }
    if (s->follow.address != 0 && s->follow.seen < CPU_SETSIZE && (int)s->follow.seen != s->follow.cpu) {
        bind_to(s, (int)s->follow.seen);
    }
    for (uint32_t i = 0; i < s->threads.n_lanes; i++) {
        const thread_lane *lane = &s->threads.lanes[i];
        if (lane->thread == s->threads.gil.holder && lane->native_id != 0 && lane->thread_id != 0) {
            s->follow.address = lane->thread_id + (uint64_t)s->follow.rseq_offset;
            return;
        }
    }
}
