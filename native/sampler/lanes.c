/* sampler/lanes.c owns the list of sampled threads (lanes): it follows the interpreter's own list, which changes while
 * it is read, and keeps the CPU clock of each thread, and the GIL's words. Called only by the sampling thread. */
#include "sampler/lanes.h"

#include "sampler/sampler_source.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static uint64_t
native_id_of(const sampler *s, uint64_t thread, const thread_fields *fields)
{
    return thread == s->interpreter.start_thread ? s->interpreter.start_native_id : fields->native_id;
}

/* Read the list's head, the GIL and all known threads in one call. 1 if the list is unchanged, 0 if it must be followed
 * again, -1 if unreadable. */
static int
is_list_unchanged(sampler *s)
{
    memory_span spans[MAX_SPANS];
    uint64_t head = 0;
    unsigned char gil[GIL_BYTES];
    uint32_t bytes = s->interpreter.offsets.thread_bytes;
    int n = 0;
    spans[n++] = (memory_span){s->interpreter.address + s->interpreter.offsets.interp_threads, &head, sizeof head};
    spans[n++] = (memory_span){s->interpreter.gil_address, gil, sizeof gil};
    if (s->follow.address != 0) {
        spans[n++] = (memory_span){s->follow.address, &s->follow.seen, sizeof s->follow.seen};
    }
    /* without a safe way to read, skip threads that may have ended since */
    uint32_t n_batch = s->threads.n_lanes <= MAX_BATCH && s->memory.pid != MEMORY_DIRECT ? s->threads.n_lanes : 0;
    for (uint32_t i = 0; i < n_batch; i++) {
        spans[n++] = (memory_span){s->threads.lanes[i].thread, s->threads.states + (size_t)i * bytes, bytes};
    }
    if (memory_read_spans(&s->memory, spans, n) < 0) {
        s->follow.address = 0;
        return memory_read_spans(&s->memory, spans, 2) < 0 ? -1 : (s->threads.gil = gil_words_load(gil), 0);
    }
    s->threads.gil = gil_words_load(gil);
    for (uint32_t i = 0; i < n_batch; i++) {
        thread_fields fields;
        thread_fields_load(&s->interpreter.offsets, s->threads.states + (size_t)i * bytes, &fields);
        if (head != s->threads.lanes[i].thread || fields.interp != s->interpreter.address
            || native_id_of(s, head, &fields) != s->threads.lanes[i].native_id) {
            return 0;
        }
        s->threads.lanes[i].gil.is_requested = fields.is_gil_requested;
        head = fields.next;
    }
    return n_batch == s->threads.n_lanes && head == 0;
}

void
sampler_expect_one_thread(sampler *s)
{
    stack_walker *walker = &s->walker;
    walker->extra[0] = (memory_span){s->interpreter.address + s->interpreter.offsets.interp_threads,
                                     &s->threads.list_head, sizeof s->threads.list_head};
    walker->extra[1] = (memory_span){s->follow.address, &s->follow.seen, sizeof s->follow.seen};
    walker->n_extra = s->follow.address != 0 ? 2 : 1;
}

int
sampler_is_one_thread(sampler *s)
{
    thread_lane *lane = &s->threads.lanes[0];
    const thread_fields *fields = &s->walker.fields;
    s->walker.n_extra = 0;
    s->threads.gil = gil_words_load(s->walker.collector.gil);
    lane->gil.is_requested = fields->is_gil_requested;
    return s->threads.list_head == lane->thread && fields->next == 0 && fields->interp == s->interpreter.address
           && native_id_of(s, lane->thread, fields) == lane->native_id;
}

static void
open_lane(sampler *s, thread_lane *lane, uint64_t thread, const thread_fields *fields)
{
    uint64_t native_id = native_id_of(s, thread, fields);
    memset(lane, 0, sizeof *lane);
    lane->thread = thread;
    lane->thread_id = fields->thread_id;
    lane->native_id = native_id;
    lane->clock_file = -1;
    if (native_id != 0) {
        s->source->open_lane(s, lane);
    }
}

void
lane_follow_name(sampler *s, thread_lane *lane)
{
    lane->n_samples++;
    if ((lane->n_samples & (lane->n_samples - 1)) != 0) {
        return;
    }
    char name[MAX_THREAD_NAME] = "";
    uint64_t native_id = s->source->read_name(s, lane, name);
    if (name[0] != '\0' && strcmp(name, lane->name) != 0) {
        memcpy(lane->name, name, sizeof name);
        sample_log_name_thread(&s->log, lane->index, native_id, name);
    }
}

/* Take over the lane of a thread from the old list, or open one. */
static void
take_lane(sampler *s, thread_lane *to, uint64_t thread, const thread_fields *fields)
{
    uint64_t native_id = native_id_of(s, thread, fields);
    for (uint32_t i = 0; i < s->threads.n_lanes; i++) {
        if (s->threads.lanes[i].thread == thread && s->threads.lanes[i].native_id == native_id) {
            *to = s->threads.lanes[i];
            s->threads.lanes[i].thread = 0;
            s->threads.lanes[i].path = NULL;
            s->threads.lanes[i].c_stack = NULL;
            s->threads.lanes[i].clock_file = -1;
            return;
        }
    }
    open_lane(s, to, thread, fields);
}

void
lanes_free(thread_lane *lanes, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        free(lanes[i].path);
        free(lanes[i].c_stack);
        if (lanes[i].clock_file >= 0) {
            close(lanes[i].clock_file);
        }
    }
    free(lanes);
}

void
sampler_free_lanes(sampler *s)
{
    lanes_free(s->threads.lanes, s->threads.n_lanes);
    s->threads.lanes = NULL;
    s->threads.n_lanes = 0;
}

/* Follow the interpreter's list from its head. If a thread ends meanwhile, the list ends there; it is whole again at
 * the next tick. */
static walk_status
follow_list(sampler *s)
{
    unsigned char state[MAX_THREAD_OFFSET + 32];
    uint32_t room = 8;
    uint32_t n = 0;
    uint64_t at = 0;
    thread_lane *lanes = malloc(room * sizeof *lanes);
    if (lanes == NULL) {
        return WALK_NO_MEMORY;
    }
    memory_read(&s->memory, s->interpreter.address + s->interpreter.offsets.interp_threads, &at, sizeof at);
    while (at != 0 && n < MAX_THREADS) {
        thread_fields fields;
        if (memory_read(&s->memory, at, state, s->interpreter.offsets.thread_bytes) < 0) {
            break;
        }
        thread_fields_load(&s->interpreter.offsets, state, &fields);
        if (fields.interp != s->interpreter.address) {
            break;
        }
        if (n == room) {
            thread_lane *more = realloc(lanes, (size_t)room * 2 * sizeof *lanes);
            if (more == NULL) {
                break;
            }
            lanes = more;
            room *= 2;
        }
        take_lane(s, &lanes[n], at, &fields);
        lanes[n++].gil.is_requested = fields.is_gil_requested;
        at = fields.next;
    }
    sampler_free_lanes(s);
    s->threads.lanes = lanes;
    s->threads.n_lanes = n;
    s->threads.n_follows++;
    return WALK_OK;
}

walk_status
sampler_find_threads(sampler *s)
{
    int unchanged = is_list_unchanged(s);
    if (unchanged < 0) {
        return WALK_UNREADABLE;
    }
    return unchanged ? WALK_OK : follow_list(s);
}
