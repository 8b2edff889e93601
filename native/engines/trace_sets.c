/* trace_sets.c implements the two hash tables of the settrace engine and of plugins' files, both with open addressing
 * and linear probing. It does not allocate the sets of pairs, and does not know what the lines mean. */
#include "engines/trace_sets.h"

#include <stdlib.h>

#define MIN_SLOTS 8u
#define MAX_SLOTS (1u << 20)

int
pair_set_add(pair_set *set, int32_t from, int32_t to)
{
    uint64_t pair = pair_of(from, to);
    if (pair == 0) {
        return 1;
    }
    if (set->slots == NULL) {
        return 0;
    }
    uint32_t at = trace_sets_spread(pair, set->n_slots);
    while (set->slots[at] != 0) {
        if (set->slots[at] == pair) {
            return 1;
        }
        at = (at + 1) & (set->n_slots - 1);
    }
    if (set->n_used >= set->n_slots / 4 * 3) {
        return 0;
    }
    /* Read by another process after this one has ended, in whatever way. */
    __atomic_store_n(&set->slots[at], pair, __ATOMIC_RELAXED);
    set->n_used++;
    return 1;
}

uint32_t
pair_set_room(uint32_t n_expected)
{
    uint32_t n_slots = MIN_SLOTS;
    while (n_slots / 4 * 3 < n_expected && n_slots < MAX_SLOTS) {
        n_slots *= 2;
    }
    return n_slots;
}

static frame_line *
place_of(const frame_lines *lines, const void *frame)
{
    uint32_t at = trace_sets_spread((uint64_t)(uintptr_t)frame >> 4, lines->n_slots);
    while (lines->slots[at].frame != NULL && lines->slots[at].frame != frame) {
        at = (at + 1) & (lines->n_slots - 1);
    }
    return &lines->slots[at];
}

frame_line *
frame_lines_find(const frame_lines *lines, const void *frame)
{
    if (lines->n_slots == 0) {
        return NULL;
    }
    frame_line *place = place_of(lines, frame);
    return place->frame == NULL ? NULL : place;
}

static int
grow(frame_lines *lines)
{
    frame_lines bigger = {NULL, lines->n_slots == 0 ? 64 : lines->n_slots * 2, lines->n_used};
    bigger.slots = calloc(bigger.n_slots, sizeof *bigger.slots);
    if (bigger.slots == NULL) {
        return -1;
    }
    for (uint32_t i = 0; i < lines->n_slots; i++) {
        if (lines->slots[i].frame != NULL) {
            *place_of(&bigger, lines->slots[i].frame) = lines->slots[i];
        }
    }
    free(lines->slots);
    *lines = bigger;
    return 0;
}

int
frame_lines_put(frame_lines *lines, const void *frame, int32_t last_line)
{
    return frame_lines_put_source(lines, frame, last_line, NULL);
}

int
frame_lines_put_source(frame_lines *lines, const void *frame, int32_t last_line, void *source)
{
    if (lines->n_used >= lines->n_slots / 2 && grow(lines) < 0) {
        return -1;
    }
    frame_line *place = place_of(lines, frame);
    if (place->frame == NULL) {
        place->frame = frame;
        lines->n_used++;
    }
    place->last_line = last_line;
    place->source = source;
    return 0;
}

void
frame_lines_remove(frame_lines *lines, frame_line *entry)
{
    /* Entries after the hole move back into it unless their home slot is after it. */
    uint32_t mask = lines->n_slots - 1;
    uint32_t hole = (uint32_t)(entry - lines->slots);
    for (uint32_t at = (hole + 1) & mask; lines->slots[at].frame != NULL; at = (at + 1) & mask) {
        uint32_t home = trace_sets_spread((uint64_t)(uintptr_t)lines->slots[at].frame >> 4, lines->n_slots);
        if (((at - home) & mask) >= ((at - hole) & mask)) {
            lines->slots[hole] = lines->slots[at];
            hole = at;
        }
    }
    lines->slots[hole].frame = NULL;
    lines->n_used--;
}

void
frame_lines_free(frame_lines *lines)
{
    free(lines->slots);
    lines->slots = NULL;
    lines->n_slots = 0;
    lines->n_used = 0;
}
