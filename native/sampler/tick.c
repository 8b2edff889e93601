/* sampler/tick.c owns one tick: a sample of each thread, in as few calls as possible. */
#include "sampler/tick.h"

#include "sampler/gil.h"
#include "sampler/lanes.h"
#include "sampler/sampler_source.h"
#include "sampler/samples.h"
#include "sampler/tasks/tasks.h"

/* The usual case, a single running thread: its stack and the list of threads are read in one call. 1 if the tick is
 * done, 0 if it must be done the long way. */
static int
sample_only_thread(sampler *s, uint64_t now_ns)
{
    thread_lane *lane = s->threads.lanes;
    if (s->threads.n_lanes != 1 || !s->source->has_one_interpreter(s) || lane->native_id == 0
        || lane->native_id == s->threads.skip_native_id || s->precise.is_on) {
        return 0;
    }
    uint64_t cpu_ns;
    if (s->source->has_waited(s, lane, now_ns, &cpu_ns)) {
        return 0;
    }
    sampler_expect_one_thread(s);
    walk_status status = sampler_walk_and_intern(s, lane);
    int is_right = sampler_is_one_thread(s);
    if (status == WALK_OK && !is_right) {
        return 0;
    }
    lane->cpu_ns = cpu_ns;
    /* If it failed, the sample is dropped and not retried: that would favour stacks that are easy to read. */
    uint16_t flags = status == WALK_OK ? sampler_gil_flags(s, lane, 0) : 0;
    sampler_finish_sample(s, lane, status, now_ns, flags, 0);
    if (status != WALK_OK) {
        s->follow.address = 0;
        sampler_find_threads(s);
    }
    return 1;
}

void
sampler_tick(sampler *s, uint64_t now_ns)
{
    s->log.n[COUNT_TICKS]++;
    if (!sample_only_thread(s, now_ns)) {
        s->source->sample_threads(s, now_ns);
    }
    if (s->tasks != NULL && s->source->goes_on(s)) {
        sampler_count_waiting(s, now_ns);
    }
    sample_log_publish(&s->log);
}
