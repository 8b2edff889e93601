/* sampler/samples.c owns one sample: it walks a thread's stack if the thread ran, gives its frames their numbers, and
 * logs it. */
#include "sampler/samples.h"

#include "sampler/gil.h"
#include "sampler/lanes.h"
#include "sampler/native_frames/record.h"
#include "sampler/paths.h"
#include "sampler/precise.h"
#include "sampler/sampler_source.h"
#include "sampler/tasks/tasks.h"

#define MAX_REPEAT 65535u

walk_status
sampler_walk(sampler *s, thread_lane *lane)
{
    s->source->before_walk(s);
    s->n_walks++;
    walk_status status = WALK_UNKNOWN;
    s->native.stack.is_taken = 0;
    if (s->precise.is_on) {
        status = precise_walk(s, lane);
        if (status == WALK_UNKNOWN && s->native.is_on && s->precise.is_on && lane->n_unanswered == 0) {
            return WALK_UNKNOWN; /* it had no CPU: its next sample stands for this one too */
        }
    }
    else if (s->tasks != NULL) {
        status = sampler_walk_task(s, lane);
    }
    if (status == WALK_UNKNOWN) {
        status = stack_walk(&s->walker, lane->thread, &lane->guess);
    }
    return status;
}

walk_status
sampler_walk_and_intern(sampler *s, thread_lane *lane)
{
    walk_status status = sampler_walk(s, lane);
    if (status == WALK_OK) {
        status = sampler_intern_walk(s, lane);
    }
    lane->has_c_stack = 0;
    if (status == WALK_OK) {
        native_frames_log(s, lane);
    }
    return status;
}

/* Log the time up to the last look without a stack, as time with no stack: giving it to the next stack that is read
 * would favour stacks that are easy to read. It does not count as a sample. */
static void
log_not_read(sampler *s, thread_lane *lane)
{
    const code_entry *entry;
    uint64_t time_ns = lane->failed_ns;
    lane->failed_ns = 0;
    if (sampler_find_mark(s, MARK_NOT_READ, &entry) != WALK_OK) {
        return;
    }
    uint32_t node = sample_log_intern_node(&s->log, NO_NODE, entry->id, UNIT_UNKNOWN);
    if (node == NO_NODE) {
        return;
    }
    sample_fields sample = {
        .thread_index = lane->index,
        .node = node,
        .time_ns = time_ns - s->log.start_ns,
        .cpu_ns = lane->failed_cpu_ns,
        .context = sample_contexts_find(&s->contexts, lane->native_id),
        .repeat = 0,
    };
    sample_log_add_sample(&s->log, &sample);
}

static void
log_sample(sampler *s, thread_lane *lane, uint64_t time_ns, uint16_t flags, int has_waited)
{
    sample_fields sample = {
        .thread_index = lane->index,
        .node = lane->node,
        .time_ns = time_ns - s->log.start_ns,
        .cpu_ns = lane->cpu_ns,
        .context = sample_contexts_find(&s->contexts, lane->native_id),
        .flags = (uint16_t)(flags | (lane->has_c_stack ? SAMPLE_HAS_C_STACK : 0)),
        .repeat = 1,
    };
    s->log.n[COUNT_SAMPLES]++;
    lane_follow_name(s, lane);
    if (has_waited && lane->last.context == sample.context && lane->last.flags == sample.flags
        && lane->last.repeat < MAX_REPEAT && sample_log_is_mapped(&s->log, lane->place)) {
        lane->last.repeat++;
        sample_log_put_repeat(lane->place, sample.time_ns, lane->last.repeat);
        return;
    }
    lane->place = sample_log_add_sample(&s->log, &sample);
    lane->last = sample;
}

void
sampler_finish_sample(sampler *s, thread_lane *lane, walk_status status, uint64_t now_ns, uint16_t flags,
                      int has_waited)
{
    if (status == WALK_OK && !s->source->is_there(s)) {
        return; /* what was read may be from another process that now has the pid */
    }
    lane->is_settled = status == WALK_OK;
    if (status != WALK_OK) {
        s->log.n[status == WALK_TORN ? COUNT_TORN : COUNT_UNREADABLE]++;
        lane->failed_ns = now_ns;
        lane->failed_cpu_ns = lane->cpu_ns;
    }
    if (lane->failed_ns != 0 && (status == WALK_OK || status == WALK_TORN || s->source->logs_unreadable)) {
        log_not_read(s, lane);
    }
    if (status != WALK_OK) {
        return;
    }
    log_sample(s, lane, now_ns, flags, has_waited);
}

static void
sample_lane(sampler *s, thread_lane *lane, uint64_t now_ns)
{
    uint64_t cpu_ns;
    int has_waited = s->source->has_waited(s, lane, now_ns, &cpu_ns);
    lane->cpu_ns = cpu_ns;
    /* before its walk: a signal that makes it walk its own stack wakes it up */
    uint16_t flags = sampler_gil_flags(s, lane, has_waited);
    walk_status status = has_waited ? WALK_OK : sampler_walk_and_intern(s, lane);
    if (status == WALK_UNKNOWN) {
        lane->is_settled = 0;
        return;
    }
    sampler_finish_sample(s, lane, status, now_ns, flags, has_waited);
}

void
sampler_sample_lanes(sampler *s, uint64_t now_ns)
{
    native_frames_follow(s, now_ns);
    for (uint32_t i = 0; i < s->threads.n_lanes; i++) {
        thread_lane *lane = &s->threads.lanes[i];
        if (lane->native_id != 0 && lane->native_id != s->threads.skip_native_id && !lane->is_shared) {
            sample_lane(s, lane, now_ns);
        }
    }
}
