/* sampler/tick.c owns one tick: walk each thread that ran, give its frames their numbers, log the sample.
 *
 * Why a reused address is not misnamed: deaths of code objects are told (sampler/watch.c) before their memory is
 * freed. They are applied after the stack was copied and before addresses are looked up, so what is in the table
 * is right for the copy. What is not in the table is read now, after the copy: if its death was told since before
 * the copy, it may be somebody else: then it is not logged, and the sample is dropped. A frame that was just being made
 * when it was copied may still have the code of one that was there before, which died long ago: then what is there
 * is no object any longer (walk/code.c), or another that is taken for it. */
#include "sampler/precise.h"
#include "sampler/tasks.h"
#include "sampler/lanes.h"
#include "remote/interpreters.h"

#include <stdlib.h>

#define FIRST_PATH_ROOM 64u
#define MAX_REPEAT 65535u

uint64_t
sampler_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t
sampler_count_deaths(const sampler *s)
{
    return atomic_load_explicit(&s->ring.head, memory_order_acquire);
}

/* The slots from `from` on may be overwritten while they are read: near the limit it is as if they were. */
static int
is_ring_lost(uint64_t head, uint64_t from)
{
    return head - from > RING_SLOTS - 64;
}

void
sampler_apply_deaths(sampler *s)
{
    uint64_t head = sampler_count_deaths(s);
    for (uint64_t i = s->ring_tail; i < head && !is_ring_lost(head, s->ring_tail); i++) {
        sample_log_erase_code(&s->log, s->ring.slots[i % RING_SLOTS]);
    }
    if (is_ring_lost(sampler_count_deaths(s), s->ring_tail)) {
        sample_log_erase_all_codes(&s->log);
    }
    s->ring_tail = head;
}

/* Whether the death of what is at `address` was told since before the walk. */
static int
has_died_meanwhile(sampler *s, uint64_t address)
{
    /* What was read of the object was read before the count. */
    atomic_thread_fence(memory_order_acquire);
    uint64_t head = sampler_count_deaths(s);
    for (uint64_t i = s->deaths_before; i < head && !is_ring_lost(head, s->deaths_before); i++) {
        if (s->ring.slots[i % RING_SLOTS] == address) {
            return 1;
        }
    }
    return is_ring_lost(sampler_count_deaths(s), s->deaths_before);
}

/* As find_code, of another process, which does not tell of deaths: what is known is doubted. */
static walk_status
find_remote_code(sampler *s, uint64_t address, const code_entry **entry)
{
    code_entry *found = sample_log_find_code(&s->log, address);
    *entry = found;
    if (found != NULL && remote_is_same_code(s, found)) {
        return WALK_OK;
    }
    uint64_t header;
    walk_status status = remote_read_code(s, address, &header);
    if (status != WALK_OK) {
        return status;
    }
    *entry = found = sample_log_add_code(&s->log, address, &s->names);
    if (found == NULL) {
        return WALK_NO_MEMORY;
    }
    remote_note_code(s, found, header);
    return WALK_OK;
}

/* The entry of what is no code object but stands in a stack like one. */
static walk_status
find_mark(sampler *s, uint64_t mark, const code_entry **entry)
{
    *entry = sample_log_find_code(&s->log, mark);
    if (*entry == NULL) {
        code_names_set(&s->names, stack_mark_name(mark));
        *entry = sample_log_add_code(&s->log, mark, &s->names);
    }
    return *entry != NULL ? WALK_OK : WALK_NO_MEMORY;
}

static walk_status
find_code(sampler *s, uint64_t address, const code_entry **entry)
{
    if (stack_mark_name(address) != NULL) {
        return find_mark(s, address, entry);
    }
    if (IS_LABEL(address)) {
        *entry = sampler_find_label(s, address);
        return *entry != NULL ? WALK_OK : WALK_NO_MEMORY;
    }
    if (s->remote != NULL) {
        return find_remote_code(s, address, entry);
    }
    *entry = sample_log_find_code(&s->log, address);
    if (*entry != NULL) {
        return WALK_OK;
    }
    walk_status status = code_names_read(&s->memory, &s->offsets, address, s->code_type, &s->names);
    if (status != WALK_OK) {
        return status;
    }
    if (has_died_meanwhile(s, address)) {
        return WALK_UNREADABLE; /* it is not logged: its names may be what came into their memory */
    }
    *entry = sample_log_add_code(&s->log, address, &s->names);
    return *entry != NULL ? WALK_OK : WALK_NO_MEMORY;
}

static uint32_t
unit_of(const sampler *s, const raw_frame *frame, uint32_t n_units)
{
    uint64_t first = frame->code + s->offsets.code_adaptive;
    if (frame->instr < first) {
        /* prev_instr of a frame that has not begun: it is about to run unit 0. */
        return s->offsets.instr_is_before && frame->instr == first - 2 ? 0 : UNIT_UNKNOWN;
    }
    uint64_t unit = (frame->instr - first) / 2;
    return unit < n_units ? (uint32_t)unit : UNIT_UNKNOWN;
}

static int
make_path_room(thread_lane *lane, uint32_t depth)
{
    if (depth <= lane->room) {
        return 0;
    }
    uint32_t room = lane->room != 0 ? lane->room : FIRST_PATH_ROOM;
    while (room < depth) {
        room *= 2;
    }
    path_step *path = realloc(lane->path, room * sizeof *path);
    if (path == NULL) {
        return -1;
    }
    lane->path = path;
    lane->room = room;
    return 0;
}

/* Number the walked frames, root first; steps equal to the last walk's keep their numbers without a look-up. */
static walk_status
intern_path(sampler *s, thread_lane *lane)
{
    const stack_walker *walker = &s->walker;
    uint32_t n = walker->n_frames;
    if (make_path_room(lane, n) < 0) {
        return WALK_NO_MEMORY;
    }
    if (lane->generation != s->log.generation) {
        lane->depth = 0;
        lane->generation = s->log.generation;
    }
    uint32_t parent = NO_NODE;
    for (uint32_t i = 0; i < n; i++) {
        const raw_frame *frame = &walker->frames[n - 1 - i];
        path_step *step = &lane->path[i];
        if (i < lane->depth && step->code == frame->code && step->instr == frame->instr) {
            parent = step->node;
            continue;
        }
        lane->depth = i;
        const code_entry *entry;
        walk_status status = find_code(s, frame->code, &entry);
        if (status != WALK_OK) {
            return status;
        }
        if (entry->id != HIDDEN_CODE) {
            uint32_t unit = unit_of(s, frame, entry->n_units);
            parent = sample_log_intern_node(&s->log, parent, entry->id, unit);
            if (parent == NO_NODE) {
                return WALK_NO_MEMORY;
            }
        }
        *step = (path_step){frame->code, frame->instr, parent};
        lane->depth = i + 1;
    }
    lane->depth = n;
    lane->node = parent;
    return WALK_OK;
}

walk_status
sampler_intern_walk(sampler *s, thread_lane *lane)
{
    sampler_apply_deaths(s);
    walk_status status = intern_path(s, lane);
    if (status != WALK_OK) {
        lane->depth = 0;
    }
    return status;
}

walk_status
sampler_walk(sampler *s, thread_lane *lane)
{
    s->deaths_before = sampler_count_deaths(s);
    s->n_walks++;
    walk_status status = WALK_UNKNOWN;
    if (s->is_precise) {
        status = precise_walk(s, lane);
    }
    else if (s->tasks != NULL) {
        status = sampler_walk_task(s, lane);
    }
    if (status == WALK_UNKNOWN) {
        status = stack_walk(&s->walker, lane->thread, &lane->guess);
    }
    return status;
}

static walk_status
walk_lane(sampler *s, thread_lane *lane)
{
    walk_status status = sampler_walk(s, lane);
    return status == WALK_OK ? sampler_intern_walk(s, lane) : status;
}

/* Log the time up to the last look that gave no stack, as that of no stack: given to the next that is read, it would
 * prefer what is easy to read. It is no sample: it stands for none. */
static void
log_not_read(sampler *s, thread_lane *lane)
{
    const code_entry *entry;
    uint64_t time_ns = lane->failed_ns;
    lane->failed_ns = 0;
    if (find_mark(s, MARK_NOT_READ, &entry) != WALK_OK) {
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
log_sample(sampler *s, thread_lane *lane, uint64_t time_ns, int holds_gil, int has_waited)
{
    sample_fields sample = {
        .thread_index = lane->index,
        .node = lane->node,
        .time_ns = time_ns - s->log.start_ns,
        .cpu_ns = lane->cpu_ns,
        .context = sample_contexts_find(&s->contexts, lane->native_id),
        .flags = holds_gil ? SAMPLE_HOLDS_GIL : 0,
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

int
sampler_is_idle(thread_lane *lane, uint64_t now_ns, int holds_gil, uint64_t *cpu_ns)
{
    int has_slept;
    *cpu_ns = remote_lane_cpu_ns(lane, now_ns, &has_slept);
    return lane->is_settled && has_slept && !holds_gil;
}

/* Look at the thread's CPU clock. Whether it did not run since its last sample, and is where it was. */
static int
is_idle(const sampler *s, thread_lane *lane, uint64_t now_ns, uint64_t *cpu_ns)
{
    if (s->remote != NULL) {
        return sampler_is_idle(lane, now_ns, lane->thread == s->gil_holder, cpu_ns);
    }
    *cpu_ns = lane_cpu_ns(lane);
    return s->has_fine_clock && lane->is_settled && *cpu_ns == lane->cpu_ns;
}

void
sampler_finish_look(sampler *s, thread_lane *lane, walk_status status, uint64_t now_ns, int holds_gil, int has_waited)
{
    if (status == WALK_OK && s->remote != NULL && !remote_is_alive(s->remote)) {
        s->remote->end = REMOTE_GONE; /* what was read may be of another process that has its pid now */
        return;
    }
    lane->is_settled = status == WALK_OK;
    if (status != WALK_OK) {
        s->log.n[status == WALK_TORN ? COUNT_TORN : COUNT_UNREADABLE]++;
        lane->failed_ns = now_ns;
        lane->failed_cpu_ns = lane->cpu_ns;
    }
    /* Another process that can't be read may be gone. */
    if (lane->failed_ns != 0 && (status == WALK_OK || status == WALK_TORN || s->remote == NULL)) {
        log_not_read(s, lane);
    }
    if (status != WALK_OK) {
        return;
    }
    log_sample(s, lane, now_ns, holds_gil, has_waited);
}

static void
sample_lane(sampler *s, thread_lane *lane, uint64_t now_ns)
{
    uint64_t cpu_ns;
    int has_waited = is_idle(s, lane, now_ns, &cpu_ns);
    lane->cpu_ns = cpu_ns;
    walk_status status = has_waited ? WALK_OK : walk_lane(s, lane);
    sampler_finish_look(s, lane, status, now_ns, lane->thread == s->gil_holder, has_waited);
}

/* The usual case, an only thread that runs: its stack and the list of threads are read by one call. 1 when the
 * tick is done, 0 when it is to go the long way. */
static int
sample_only_thread(sampler *s, uint64_t now_ns)
{
    thread_lane *lane = s->lanes;
    if (s->n_lanes != 1 || (s->remote != NULL && s->remote->n_views != 1) || lane->native_id == 0
        || lane->native_id == s->skip_native_id || s->is_precise) {
        return 0;
    }
    uint64_t cpu_ns;
    if (is_idle(s, lane, now_ns, &cpu_ns)) {
        return 0;
    }
    sampler_expect_one_thread(s);
    walk_status status = walk_lane(s, lane);
    int is_right = sampler_is_one_thread(s);
    if (status == WALK_OK && !is_right) {
        return 0;
    }
    lane->cpu_ns = cpu_ns;
    /* If it failed it is dropped, not tried again: that would prefer what is easy to read. */
    sampler_finish_look(s, lane, status, now_ns, lane->thread == s->gil_holder, 0);
    if (status != WALK_OK) {
        s->cpu_address = 0;
        sampler_find_threads(s);
    }
    return 1;
}

void
sampler_sample_lanes(sampler *s, uint64_t now_ns)
{
    for (uint32_t i = 0; i < s->n_lanes; i++) {
        thread_lane *lane = &s->lanes[i];
        if (lane->native_id != 0 && lane->native_id != s->skip_native_id && !lane->is_shared) {
            sample_lane(s, lane, now_ns);
        }
    }
}

static void
sample_all_threads(sampler *s, uint64_t now_ns)
{
    if (s->remote != NULL) {
        remote_sample_interpreters(s, now_ns);
    }
    else if (sampler_find_threads(s) != WALK_OK) {
        s->log.n[COUNT_UNREADABLE]++;
    }
    else {
        sampler_sample_lanes(s, now_ns);
    }
}

void
sampler_tick(sampler *s, uint64_t now_ns)
{
    s->log.n[COUNT_TICKS]++;
    if (!sample_only_thread(s, now_ns)) {
        sample_all_threads(s, now_ns);
    }
    if (s->tasks != NULL && (s->remote == NULL || s->remote->end == REMOTE_GOES_ON)) {
        sampler_count_waiting(s, now_ns);
    }
    sample_log_publish(&s->log);
}
