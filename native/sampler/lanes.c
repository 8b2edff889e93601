/* sampler/lanes.c owns the list of sampled threads (lanes): it follows the interpreter's own list, which changes while
 * it is read, and keeps the CPU clock of each thread, and the GIL's words. Called only by the sampling thread. */
#include "sampler/lanes.h"

#include "sampler/sampler_source.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_STATES_READ 512 /* to follow the list once */

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
    memory_span loaded = code_mappings_span(&s->native.mappings);
    if (loaded.size != 0) {
        spans[n++] = loaded;
    }
    if (memory_read_spans(&s->memory, spans, n) < 0) {
        s->follow.address = 0;
        s->native.mappings.next_loaded = 1; /* or the end of that list was freed */
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

/* Fill in a lane that is not open yet. */
static void
lane_prepare(const sampler *s, thread_lane *lane, uint64_t thread, const thread_fields *fields)
{
    memset(lane, 0, sizeof *lane);
    lane->thread = thread;
    lane->thread_id = fields->thread_id;
    lane->native_id = native_id_of(s, thread, fields);
    lane->clock_file = lane->call_file = -1;
    lane->gil.is_requested = fields->is_gil_requested;
    lane->guess.cframe = s->interpreter.offsets.has_cframe ? fields->frame : 0;
}

/* Is lanes[i] of a thread that has not started? CPython 3.11 gives the state that it makes for a new thread the ids of
 * the thread that makes it (pystate.c:init_threadstate), which is further down the list. */
static int
is_of_its_maker(const sampler *s, const thread_lane *lanes, uint32_t n, uint32_t i)
{
    if (!s->interpreter.offsets.has_cframe || lanes[i].native_id == 0) {
        return 0;
    }
    uint32_t maker = i + 1;
    while (maker < n && lanes[maker].native_id != lanes[i].native_id) {
        maker++;
    }
    if (maker == n || s->memory.pid == MEMORY_DIRECT) { /* where reading what is gone would crash */
        return maker < n;
    }
    uint64_t frame = 0;
    uint64_t at = lanes[i].guess.cframe;
    return at == 0 || memory_read(&s->memory, at + s->interpreter.offsets.cframe_frame, &frame, sizeof frame) < 0
           || frame == 0;
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

/* Take over the lane of a thread from the old list, or open it. */
static void
take_lane(sampler *s, thread_lane *to)
{
    for (uint32_t i = 0; i < s->threads.n_lanes; i++) {
        thread_lane *from = &s->threads.lanes[i];
        if (from->thread == to->thread && from->native_id == to->native_id) {
            int is_requested = to->gil.is_requested;
            *to = *from;
            to->gil.is_requested = is_requested;
            from->thread = 0;
            from->path = NULL;
            from->c_stack = NULL;
            from->clock_file = from->call_file = -1;
            return;
        }
    }
    if (to->native_id != 0) {
        s->source->open_lane(s, to);
    }
}

static void
close_call(thread_lane *lane)
{
    if (lane->call_file >= 0) {
        close(lane->call_file);
        lane->call_file = -1;
    }
}

void
sampler_close_calls(sampler *s)
{
    for (uint32_t i = 0; i < s->threads.n_lanes; i++) {
        close_call(&s->threads.lanes[i]);
    }
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
        close_call(&lanes[i]);
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

/* What is known of a list of threads that is being followed. */
typedef struct thread_list {
    thread_lane *lanes; /* owned; not open yet */
    uint32_t n;
    uint32_t room;
    int is_whole; /* its end was reached */
} thread_list;

/* Follow the interpreter's list from its head. If a thread ends meanwhile, the list ends there. */
static void
read_list(sampler *s, thread_list *list)
{
    unsigned char state[MAX_THREAD_OFFSET + 32];
    uint64_t at = 0;
    list->n = 0;
    list->is_whole = 0;
    memory_read(&s->memory, s->interpreter.address + s->interpreter.offsets.interp_threads, &at, sizeof at);
    while (at != 0 && list->n < MAX_THREADS) {
        thread_fields fields;
        if (memory_read(&s->memory, at, state, s->interpreter.offsets.thread_bytes) < 0) {
            return;
        }
        thread_fields_load(&s->interpreter.offsets, state, &fields);
        if (fields.interp != s->interpreter.address) {
            return;
        }
        if (list->n == list->room) {
            thread_lane *more = realloc(list->lanes, (size_t)list->room * 2 * sizeof *more);
            if (more == NULL) {
                return;
            }
            list->lanes = more;
            list->room *= 2;
        }
        lane_prepare(s, &list->lanes[list->n++], at, &fields);
        at = fields.next;
        if (at == 0 && s->interpreter.offsets.has_cframe && fields.native_id == 0) {
            return; /* a new state, whose next one is not filled in yet */
        }
    }
    list->is_whole = 1;
}

static int
are_lists_equal(const thread_list *x, const thread_list *y)
{
    for (uint32_t i = 0; i < x->n && i < y->n; i++) {
        if (x->lanes[i].thread != y->lanes[i].thread || x->lanes[i].native_id != y->lanes[i].native_id) {
            return 0;
        }
    }
    return x->n == y->n && x->is_whole && y->is_whole;
}

/* Follow the list until it is found the same twice: a thread that is missed would lose its lane. What is read first may
 * have been freed meanwhile, and be the state of a new thread, which has no next one yet. A list that keeps changing is
 * taken as it was seen last. */
static walk_status
follow_list(sampler *s)
{
    thread_list list = {malloc(8 * sizeof *list.lanes), 0, 8, 0};
    thread_list before = {malloc(8 * sizeof *before.lanes), 0, 8, 0};
    walk_status status = list.lanes == NULL || before.lanes == NULL ? WALK_NO_MEMORY : WALK_OK;
    uint32_t n_read = 0;
    while (status == WALK_OK && !are_lists_equal(&list, &before) && n_read < MAX_STATES_READ) {
        thread_list unused = before;
        before = list;
        list = unused;
        read_list(s, &list);
        n_read += list.n + 1;
    }
    free(before.lanes);
    if (status == WALK_OK && !list.is_whole) {
        status = WALK_UNREADABLE;
    }
    if (status != WALK_OK) {
        free(list.lanes);
        return status;
    }
    for (uint32_t i = 0; i < list.n; i++) {
        if (is_of_its_maker(s, list.lanes, list.n, i)) {
            list.lanes[i].native_id = 0;
        }
        take_lane(s, &list.lanes[i]);
    }
    sampler_free_lanes(s);
    s->threads.lanes = list.lanes;
    s->threads.n_lanes = list.n;
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
