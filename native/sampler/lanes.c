/* sampler/lanes.c owns the list of sampled threads (lanes): following the interpreter's own list, which changes
 * while it is read, the CPU clock of each, and who holds the GIL. Called by the sampling thread only. */
#include "sampler/lanes.h"

#include "remote/target.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Linux: a thread's CPU clock as a clockid_t (include/linux/posix-timers.h: CPUCLOCK_SCHED, per thread). */
#define CPU_CLOCK_OF(native_id) ((clockid_t)(~(uint32_t)(native_id) << 3 | 6u))

static void
read_thread_name(uint64_t native_id, char name[MAX_THREAD_NAME])
{
    char path[64];
    name[0] = '\0';
    snprintf(path, sizeof path, "/proc/self/task/%lu/comm", (unsigned long)native_id);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return;
    }
    ssize_t got = read(fd, name, MAX_THREAD_NAME - 1);
    close(fd);
    got = got > 0 && name[got - 1] == '\n' ? got - 1 : got;
    name[got > 0 ? got : 0] = '\0';
}

uint64_t
lane_cpu_ns(const thread_lane *lane)
{
    struct timespec now;
    if (clock_gettime(lane->clock, &now) < 0) {
        return lane->cpu_ns; /* it has ended */
    }
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint64_t
native_id_of(const sampler *s, uint64_t thread, const thread_fields *fields)
{
    return thread == s->start_thread ? s->start_native_id : fields->native_id;
}

static void
load_gil_holder(sampler *s, const unsigned char gil[16])
{
    s->gil_holder = load_u32(gil + 8) == 1 ? load_u64(gil) : 0;
}

/* Read the list's head, the GIL and all known threads by one call.
 * 1 when the list is as it was, 0 when it must be followed anew, -1 unreadable. */
static int
is_list_unchanged(sampler *s)
{
    memory_span spans[MAX_SPANS];
    uint64_t head = 0;
    unsigned char gil[16];
    uint32_t bytes = s->offsets.thread_bytes;
    int n = 0;
    spans[n++] = (memory_span){s->interp + s->offsets.interp_threads, &head, sizeof head};
    spans[n++] = (memory_span){s->gil_address, gil, sizeof gil};
    if (s->cpu_address != 0) {
        spans[n++] = (memory_span){s->cpu_address, &s->cpu_seen, sizeof s->cpu_seen};
    }
    /* without a safe way to read, no thread that may have ended since */
    uint32_t n_batch = s->n_lanes <= MAX_BATCH && s->memory.pid != MEMORY_DIRECT ? s->n_lanes : 0;
    for (uint32_t i = 0; i < n_batch; i++) {
        spans[n++] = (memory_span){s->lanes[i].thread, s->states + (size_t)i * bytes, bytes};
    }
    if (memory_read_spans(&s->memory, spans, n) < 0) {
        s->cpu_address = 0;
        return memory_read_spans(&s->memory, spans, 2) < 0 ? -1 : (load_gil_holder(s, gil), 0);
    }
    load_gil_holder(s, gil);
    for (uint32_t i = 0; i < n_batch; i++) {
        thread_fields fields;
        thread_fields_load(&s->offsets, s->states + (size_t)i * bytes, &fields);
        if (head != s->lanes[i].thread || fields.interp != s->interp
            || native_id_of(s, head, &fields) != s->lanes[i].native_id) {
            return 0;
        }
        head = fields.next;
    }
    return n_batch == s->n_lanes && head == 0;
}

void
sampler_expect_one_thread(sampler *s)
{
    stack_walker *walker = &s->walker;
    walker->extra[0] = (memory_span){s->interp + s->offsets.interp_threads, &s->list_head, sizeof s->list_head};
    walker->extra[1] = (memory_span){s->cpu_address, &s->cpu_seen, sizeof s->cpu_seen};
    walker->n_extra = s->cpu_address != 0 ? 2 : 1;
}

int
sampler_is_one_thread(sampler *s)
{
    const thread_lane *lane = &s->lanes[0];
    const thread_fields *fields = &s->walker.fields;
    s->walker.n_extra = 0;
    s->gil_holder = collector_gil_holder(&s->walker.collector);
    return s->list_head == lane->thread && fields->next == 0 && fields->interp == s->interp
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
    if (native_id != 0 && s->remote != NULL) {
        remote_open_lane(s, lane);
    }
    else if (native_id != 0) {
        read_thread_name(native_id, lane->name);
        lane->index = sample_log_add_thread(&s->log, native_id, lane->name);
        lane->clock = CPU_CLOCK_OF(native_id);
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
    uint64_t native_id = lane->native_id;
    if (s->remote == NULL) {
        read_thread_name(native_id, name);
    }
    else if (lane->task != 0) {
        native_id = (uint64_t)lane->task;
        remote_read_thread_name(s->remote, lane->task, name);
    }
    if (name[0] != '\0' && strcmp(name, lane->name) != 0) {
        memcpy(lane->name, name, sizeof name);
        sample_log_name_thread(&s->log, lane->index, native_id, name);
    }
}

/* Move the lane of a thread out of the old list, or open one. */
static void
take_lane(sampler *s, thread_lane *to, uint64_t thread, const thread_fields *fields)
{
    uint64_t native_id = native_id_of(s, thread, fields);
    for (uint32_t i = 0; i < s->n_lanes; i++) {
        if (s->lanes[i].thread == thread && s->lanes[i].native_id == native_id) {
            *to = s->lanes[i];
            s->lanes[i].thread = 0;
            s->lanes[i].path = NULL;
            s->lanes[i].clock_file = -1;
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
        remote_close_lane(&lanes[i]);
    }
    free(lanes);
}

void
sampler_free_lanes(sampler *s)
{
    lanes_free(s->lanes, s->n_lanes);
    s->lanes = NULL;
    s->n_lanes = 0;
}

/* Follow the interpreter's list from its head. A thread that ends meanwhile ends the list here; it is whole
 * again at the next tick. */
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
    memory_read(&s->memory, s->interp + s->offsets.interp_threads, &at, sizeof at);
    while (at != 0 && n < MAX_THREADS) {
        thread_fields fields;
        if (memory_read(&s->memory, at, state, s->offsets.thread_bytes) < 0) {
            break;
        }
        thread_fields_load(&s->offsets, state, &fields);
        if (fields.interp != s->interp) {
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
        take_lane(s, &lanes[n++], at, &fields);
        at = fields.next;
    }
    sampler_free_lanes(s);
    s->lanes = lanes;
    s->n_lanes = n;
    s->n_follows++;
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
