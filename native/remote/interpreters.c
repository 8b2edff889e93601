/* interpreters.c owns the list of the process's interpreters, which of them is selected, and the threads that have
 * states in several: a thread that calls into a sub-interpreter waits in one and runs in the other.
 *
 * Such a thread runs the code of the state whose evaluation loop was entered last, which is the deepest on its C stack.
 * The stacks of the other states go below it if each is on the C stack as a whole: then they called it. */
#include "remote/interpreters.h"

#include "sampler/gil.h"
#include "sampler/lanes.h"
#include "sampler/paths.h"
#include "sampler/samples.h"

#include <stdlib.h>
#include <string.h>

#define VIEWS_AT_ONCE 20u /* three spans each */
#define MAX_INTERPRETER_ID ((uint64_t)1 << 40)

static void
store_selected(sampler *s)
{
    remote_target *target = remote_target_of(s);
    interpreter_view *view = &target->views[target->selected];
    view->gil = s->threads.gil;
    view->collector = s->walker.collector;
    view->lanes = s->threads.lanes;
    view->n_lanes = s->threads.n_lanes;
}

static void
load_selected(sampler *s)
{
    const remote_target *target = remote_target_of(s);
    const interpreter_view *view = &target->views[target->selected];
    s->interpreter.address = view->interp;
    s->interpreter.gil_address = view->gil_address;
    s->threads.gil = view->gil;
    s->walker.collector = view->collector;
    s->threads.lanes = view->lanes;
    s->threads.n_lanes = view->n_lanes;
}

void
remote_select(sampler *s, uint32_t number)
{
    if (number != remote_target_of(s)->selected) {
        store_selected(s);
        remote_target_of(s)->selected = number;
        load_selected(s);
    }
}

static void
open_view(const sampler *s, interpreter_view *view, uint64_t interp, uint64_t id)
{
    const walk_offsets *offsets = &s->interpreter.offsets;
    uint64_t gil = 0;
    memset(view, 0, sizeof *view);
    view->interp = interp;
    view->id = id;
    view->gil_address = (offsets->gil_in_runtime ? s->interpreter.runtime : interp) + offsets->gil_holder;
    /* An interpreter that shares the main one's GIL points to it. The holder is the GIL's second word. */
    if (!offsets->gil_in_runtime && memory_read(&s->memory, interp + offsets->interp_gil, &gil, sizeof gil) == 0
        && gil != 0 && gil % 8 == 0) {
        view->gil_address = gil + 8;
    }
    view->collector.interp = interp;
    view->collector.gil_address = view->gil_address;
}

int
remote_open_interpreters(sampler *s)
{
    remote_target *target = remote_target_of(s);
    uint64_t id = 0;
    target->views = malloc(sizeof *target->views);
    if (target->views == NULL) {
        return -1;
    }
    memory_read(&s->memory, s->interpreter.address + s->interpreter.offsets.interp_id, &id, sizeof id);
    open_view(s, target->views, s->interpreter.address, id);
    target->n_views = 1;
    target->selected = 0;
    load_selected(s);
    return 0;
}

void
remote_close_interpreters(sampler *s)
{
    remote_target *target = remote_target_of(s);
    if (target->views != NULL) {
        store_selected(s);
        for (uint32_t i = 0; i < target->n_views; i++) {
            lanes_free(target->views[i].lanes, target->views[i].n_lanes);
        }
        s->threads.lanes = NULL;
        s->threads.n_lanes = 0;
    }
    free(target->views);
    free(target->shared);
    free(target->joined);
    target->views = NULL;
    target->shared = NULL;
    target->joined = NULL;
    target->n_views = target->n_shared = target->joined_room = 0;
}

/* Return whether the list is unchanged; then also the counts of code objects freed. Reads a few interpreters in each
 * call. */
static int
is_list_unchanged(const sampler *s, uint64_t *generation)
{
    const remote_target *target = remote_target_of(s);
    const walk_offsets *offsets = &s->interpreter.offsets;
    memory_span spans[VIEWS_AT_ONCE * 3 + 1];
    uint64_t words[VIEWS_AT_ONCE][3];
    uint64_t next = 0;
    uint64_t digest = 0xcbf29ce484222325u;
    memset(words, 0, sizeof words);
    for (uint32_t first = 0; first < target->n_views; first += VIEWS_AT_ONCE) {
        uint32_t count = target->n_views - first < VIEWS_AT_ONCE ? target->n_views - first : VIEWS_AT_ONCE;
        int n = 0;
        if (first == 0) {
            spans[n++] = (memory_span){s->interpreter.runtime + offsets->runtime_interpreters, &next, sizeof next};
        }
        for (uint32_t i = 0; i < count; i++) {
            uint64_t interp = target->views[first + i].interp;
            spans[n++] = (memory_span){interp + offsets->interp_id, &words[i][0], 8};
            spans[n++] = (memory_span){interp + offsets->interp_next, &words[i][1], 8};
            if (offsets->interp_code_generation != 0) {
                spans[n++] = (memory_span){interp + offsets->interp_code_generation, &words[i][2], 8};
            }
        }
        if (memory_read_spans(&s->memory, spans, n) < 0) {
            return 0;
        }
        for (uint32_t i = 0; i < count; i++) {
            const interpreter_view *view = &target->views[first + i];
            if (next != view->interp || words[i][0] != view->id) {
                return 0;
            }
            next = words[i][1];
            digest = (digest ^ view->interp) * 0x100000001b3u;
            digest = (digest ^ view->id) * 0x100000001b3u;
            digest = (digest ^ words[i][2]) * 0x100000001b3u;
        }
    }
    *generation = digest;
    return next == 0;
}

/* Read the addresses and ids of all interpreters. Returns their number; 0 if the list could not be read whole. */
static uint32_t
read_list(const sampler *s, uint64_t (*found)[2])
{
    uint64_t at = 0;
    uint32_t n = 0;
    if (memory_read(&s->memory, s->interpreter.runtime + s->interpreter.offsets.runtime_interpreters, &at, sizeof at)
        < 0) {
        return 0;
    }
    while (at != 0) {
        uint64_t id = 0, next = 0;
        if (n == MAX_INTERPRETERS || at % 8 != 0
            || memory_read(&s->memory, at + s->interpreter.offsets.interp_id, &id, sizeof id) < 0
            || memory_read(&s->memory, at + s->interpreter.offsets.interp_next, &next, sizeof next) < 0
            || id >= MAX_INTERPRETER_ID) {
            return 0;
        }
        found[n][0] = at;
        found[n++][1] = id;
        at = next;
    }
    return n;
}

/* Return the number of the view of an interpreter that still has its lanes; n_views if there is none. */
static uint32_t
find_view(const remote_target *target, uint64_t interp, uint64_t id)
{
    uint32_t i = 0;
    while (i < target->n_views && (target->views[i].interp != interp || target->views[i].id != id)) {
        i++;
    }
    return i;
}

static void
follow_list(sampler *s)
{
    remote_target *target = remote_target_of(s);
    uint64_t (*found)[2] = malloc(MAX_INTERPRETERS * sizeof *found);
    uint32_t n = found != NULL ? read_list(s, found) : 0;
    interpreter_view *views = n != 0 ? malloc(n * sizeof *views) : NULL;
    if (views == NULL) {
        free(found);
        return;
    }
    store_selected(s);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t known = find_view(target, found[i][0], found[i][1]);
        if (known == target->n_views) {
            open_view(s, &views[i], found[i][0], found[i][1]);
            continue;
        }
        views[i] = target->views[known];
        target->views[known].interp = 0; /* moved: a list that contains it twice creates it anew */
        target->views[known].lanes = NULL;
        target->views[known].n_lanes = 0;
    }
    for (uint32_t i = 0; i < target->n_views; i++) {
        lanes_free(target->views[i].lanes, target->views[i].n_lanes);
    }
    free(target->views);
    free(found);
    target->views = views;
    target->n_views = n;
    target->selected = 0;
    s->threads.n_follows++;
    s->follow.address = 0;
    load_selected(s);
}

uint64_t
remote_find_interpreters(sampler *s)
{
    uint64_t generation = remote_target_of(s)->generation;
    if (!is_list_unchanged(s, &generation)) {
        follow_list(s);
        is_list_unchanged(s, &generation);
    }
    return generation;
}

static thread_lane *
lanes_of(const sampler *s, uint32_t view, uint32_t *n_lanes)
{
    const remote_target *target = remote_target_of(s);
    *n_lanes = view == target->selected ? s->threads.n_lanes : target->views[view].n_lanes;
    return view == target->selected ? s->threads.lanes : target->views[view].lanes;
}

static thread_lane *
lane_of(const sampler *s, const shared_lane *shared)
{
    uint32_t n_lanes;
    return &lanes_of(s, shared->view, &n_lanes)[shared->lane];
}

/* Copy what is known about a thread from one of its lanes to another. */
static void
copy_thread(thread_lane *to, const thread_lane *from)
{
    to->index = from->index;
    to->n_samples = from->n_samples;
    memcpy(to->name, from->name, sizeof to->name);
    to->cpu_ns = from->cpu_ns;
    to->n_starts = from->n_starts;
    to->moved_ns = from->moved_ns;
    to->failed_ns = from->failed_ns;
    to->failed_cpu_ns = from->failed_cpu_ns;
    to->place = from->place;
    to->last = from->last;
}

int
remote_adopt_thread(const sampler *s, thread_lane *lane)
{
    for (uint32_t view = 0; view < remote_target_of(s)->n_views; view++) {
        uint32_t n_lanes;
        const thread_lane *lanes = lanes_of(s, view, &n_lanes);
        for (uint32_t i = 0; i < n_lanes; i++) {
            if (lanes[i].native_id == lane->native_id) {
                copy_thread(lane, &lanes[i]);
                return 1;
            }
        }
    }
    return 0;
}

static int
compare_threads(const void *a, const void *b)
{
    const shared_lane *x = a, *y = b;
    if (x->native_id != y->native_id) {
        return x->native_id < y->native_id ? -1 : 1;
    }
    if (x->view != y->view) {
        return x->view < y->view ? -1 : 1;
    }
    return x->lane < y->lane ? -1 : x->lane > y->lane;
}

/* Collect the lanes of threads that have several. -1 without memory. */
static int
find_shared(sampler *s)
{
    remote_target *target = remote_target_of(s);
    uint32_t total = 0, n_lanes, kept = 0;
    for (uint32_t view = 0; view < target->n_views; view++) {
        lanes_of(s, view, &n_lanes);
        total += n_lanes;
    }
    target->n_shared = 0;
    shared_lane *all = realloc(target->shared, (total + 1) * sizeof *all);
    if (all == NULL) {
        return -1;
    }
    target->shared = all;
    total = 0;
    for (uint32_t view = 0; view < target->n_views; view++) {
        thread_lane *lanes = lanes_of(s, view, &n_lanes);
        for (uint32_t i = 0; i < n_lanes; i++) {
            lanes[i].is_shared = 0;
            if (lanes[i].native_id != 0) {
                all[total++] = (shared_lane){.native_id = lanes[i].native_id, .view = view, .lane = i};
            }
        }
    }
    qsort(all, total, sizeof *all, compare_threads);
    for (uint32_t i = 0; i < total; i++) {
        if ((i > 0 && all[i - 1].native_id == all[i].native_id)
            || (i + 1 < total && all[i + 1].native_id == all[i].native_id)) {
            lane_of(s, &all[i])->is_shared = 1;
            target->shared[kept++] = all[i];
        }
    }
    target->n_shared = kept;
    target->shared_as_of = s->threads.n_follows;
    return 0;
}

/* Keep the walked stack of one state. */
static walk_status
keep_stack(sampler *s, shared_lane *shared, uint32_t first_frame)
{
    remote_target *target = remote_target_of(s);
    const stack_walker *walker = &s->walker;
    uint32_t room = first_frame + walker->n_frames;
    if (room > target->joined_room) {
        raw_frame *joined = realloc(target->joined, room * sizeof *joined);
        if (joined == NULL) {
            return WALK_NO_MEMORY;
        }
        target->joined = joined;
        target->joined_room = room;
    }
    if (walker->n_frames != 0) {
        memcpy(target->joined + first_frame, walker->frames, walker->n_frames * sizeof *walker->frames);
    }
    shared->entered = walker->entered;
    shared->entered_first = walker->entered_first;
    shared->first_frame = first_frame;
    shared->n_frames = walker->n_frames;
    return WALK_OK;
}

/* The deepest on the C stack first; states that run nothing last. */
static int
compare_entered(const void *a, const void *b)
{
    const shared_lane *x = a, *y = b;
    uint64_t first = x->n_frames != 0 ? x->entered : UINT64_MAX;
    uint64_t second = y->n_frames != 0 ? y->entered : UINT64_MAX;
    return first < second ? -1 : first > second;
}

/* Join the kept stacks in the walker, one below the other. If two do not follow one another on the C stack, or there is
 * no room, only the stack of the running state is used. */
static walk_status
join_stacks(sampler *s, shared_lane *states, uint32_t n)
{
    stack_walker *walker = &s->walker;
    walk_status status = WALK_OK;
    uint32_t total = 0;
    int is_nested = 1;
    qsort(states, n, sizeof *states, compare_entered);
    for (uint32_t i = 0; i < n; i++) {
        total += states[i].n_frames;
        is_nested &= i == 0 || states[i].n_frames == 0 || states[i].entered > states[i - 1].entered_first;
    }
    uint32_t last = is_nested && total <= MAX_STACK_FRAMES ? n : 1;
    walker->n_frames = 0;
    for (uint32_t i = 0; status == WALK_OK && i < last; i++) {
        const raw_frame *frames = remote_target_of(s)->joined + states[i].first_frame;
        for (uint32_t at = 0; status == WALK_OK && at < states[i].n_frames; at++) {
            status = stack_walker_add(walker, frames[at].address, frames[at].code, frames[at].instr);
        }
    }
    return status;
}

/* Walk all states of a thread into one stack, numbered as the lane's. */
static walk_status
walk_states(sampler *s, shared_lane *states, uint32_t n, thread_lane *lane)
{
    uint32_t first_frame = 0;
    for (uint32_t i = 0; i < n; i++) {
        remote_select(s, states[i].view);
        walk_status status = sampler_walk(s, lane_of(s, &states[i]));
        if (status == WALK_OK) {
            status = keep_stack(s, &states[i], first_frame);
        }
        if (status != WALK_OK) {
            return status;
        }
        first_frame += s->walker.n_frames;
    }
    walk_status status = join_stacks(s, states, n);
    return status == WALK_OK ? sampler_intern_walk(s, lane) : status;
}

static int
holds_any_gil(const sampler *s, const shared_lane *states, uint32_t n)
{
    const remote_target *target = remote_target_of(s);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t view = states[i].view;
        uint64_t holder = view == target->selected ? s->threads.gil.holder : target->views[view].gil.holder;
        if (holder == lane_of(s, &states[i])->thread) {
            return 1;
        }
    }
    return 0;
}

/* What a thread does with the GILs of its states: it waits if it waits for one, and does not if that is known of all. It is
 * asleep if that is known, which no state that holds a GIL tells. */
static uint16_t
flags_of_states(sampler *s, const shared_lane *states, uint32_t n, int has_waited)
{
    uint16_t any = 0, all = SAMPLE_TELLS_WAITING | SAMPLE_IS_ASLEEP;
    for (uint32_t i = 0; i < n; i++) {
        remote_select(s, states[i].view);
        uint16_t flags = sampler_gil_flags(s, lane_of(s, &states[i]), has_waited);
        any |= flags;
        all &= flags;
    }
    uint16_t known =
        any & (SAMPLE_HOLDS_GIL | SAMPLE_WAITS_FOR_GIL) ? SAMPLE_TELLS_WAITING : all & SAMPLE_TELLS_WAITING;
    uint16_t waits = any & SAMPLE_HOLDS_GIL ? 0 : any & SAMPLE_WAITS_FOR_GIL;
    return (any & SAMPLE_HOLDS_GIL) | waits | known | (all & SAMPLE_IS_ASLEEP);
}

int
remote_has_waited(thread_lane *lane, uint64_t now_ns, int holds_gil, uint64_t *cpu_ns)
{
    int has_slept;
    *cpu_ns = remote_lane_cpu_ns(lane, now_ns, &has_slept);
    return lane->is_settled && has_slept && !holds_gil;
}

/* Sample a thread that has several states. It has one CPU time, which goes to the state that runs. */
static void
sample_states(sampler *s, shared_lane *states, uint32_t n, uint64_t now_ns)
{
    shared_lane first = states[0];
    uint64_t cpu_ns;
    int holds_gil = holds_any_gil(s, states, n);
    int has_waited = remote_has_waited(lane_of(s, &first), now_ns, holds_gil, &cpu_ns);
    uint16_t flags = flags_of_states(s, states, n, has_waited);
    walk_status status = WALK_OK;
    lane_of(s, &first)->cpu_ns = cpu_ns;
    if (!has_waited) {
        status = walk_states(s, states, n, lane_of(s, &first));
    }
    remote_select(s, first.view);
    thread_lane *lane = lane_of(s, &first);
    sampler_finish_sample(s, lane, status, now_ns, flags, has_waited);
    for (uint32_t i = 0; i < n; i++) {
        thread_lane *other = lane_of(s, &states[i]);
        if (other != lane) {
            copy_thread(other, lane);
            other->is_settled = 0;
        }
    }
}

/* Keep an interpreter selected whose GIL is held: the sampling thread follows the holder's CPU. */
static void
select_busy(sampler *s)
{
    for (uint32_t i = 0; s->threads.gil.holder == 0 && i < remote_target_of(s)->n_views; i++) {
        remote_select(s, i);
    }
}

void
remote_sample_interpreters(sampler *s, uint64_t now_ns)
{
    remote_target *target = remote_target_of(s);
    for (uint32_t i = 0; i < target->n_views; i++) {
        remote_select(s, i);
        int is_readable = sampler_find_threads(s) == WALK_OK;
        target->views[i].is_readable = is_readable;
        s->log.n[COUNT_UNREADABLE] += !is_readable;
    }
    if (target->shared_as_of != s->threads.n_follows && find_shared(s) < 0) {
        return;
    }
    for (uint32_t i = 0; i < target->n_views; i++) {
        if (target->views[i].is_readable) {
            remote_select(s, i);
            sampler_sample_lanes(s, now_ns);
        }
    }
    for (uint32_t first = 0, n; first < target->n_shared; first += n) {
        shared_lane *states = &target->shared[first];
        for (n = 1; first + n < target->n_shared && states[n].native_id == states->native_id; n++) {
        }
        sample_states(s, states, n, now_ns);
    }
    select_busy(s);
}
