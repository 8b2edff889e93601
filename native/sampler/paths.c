/* sampler/paths.c gives the frames of a walked stack their numbers in the log. */
#include "sampler/paths.h"

#include "sampler/sampler_source.h"
#include "sampler/tasks/task_labels.h"

#include <stdlib.h>

#define FIRST_PATH_ROOM 64u

walk_status
sampler_find_mark(sampler *s, uint64_t mark, const code_entry **entry)
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
        return sampler_find_mark(s, address, entry);
    }
    if (IS_LABEL(address)) {
        *entry = sampler_find_label(s, address);
        return *entry != NULL ? WALK_OK : WALK_NO_MEMORY;
    }
    return s->source->find_code(s, address, entry);
}

static uint32_t
unit_of(const sampler *s, const raw_frame *frame, uint32_t n_units)
{
    uint64_t first = frame->code + s->interpreter.offsets.code_adaptive;
    if (frame->instr < first) {
        /* prev_instr of a frame that has not begun: it is about to run unit 0. */
        return s->interpreter.offsets.instr_is_before && frame->instr == first - 2 ? 0 : UNIT_UNKNOWN;
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

/* Return how many frames, from the root on, are those of the last walk. */
static uint32_t
count_same(const thread_lane *lane, const raw_frame *frames, uint32_t n)
{
    const path_step *path = lane->path;
    uint32_t n_known = lane->depth < n ? lane->depth : n;
    uint32_t i = 0;
    while (i < n_known && path[i].code == frames[n - 1 - i].code && path[i].instr == frames[n - 1 - i].instr) {
        i++;
    }
    return i;
}

/* Number the walked frames, root first; those that equal the last walk's keep their numbers without a look-up. */
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
    uint32_t n_same = count_same(lane, walker->frames, n);
    uint32_t parent = n_same != 0 ? lane->path[n_same - 1].node : NO_NODE;
    lane->depth = n_same;
    for (uint32_t i = n_same; i < n; i++) {
        const raw_frame *frame = &walker->frames[n - 1 - i];
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
        lane->path[i] = (path_step){frame->code, frame->instr, parent};
        lane->depth = i + 1;
    }
    lane->depth = n;
    lane->node = parent;
    return WALK_OK;
}

walk_status
sampler_intern_walk(sampler *s, thread_lane *lane)
{
    s->source->after_walk(s);
    walk_status status = intern_path(s, lane);
    if (status != WALK_OK) {
        lane->depth = 0;
    }
    return status;
}
