/* Two small hash tables of the settrace engine. Plain C: no Python.h. Not thread-safe. */
#ifndef FOOTFALL_ENGINES_TRACE_SETS_H
#define FOOTFALL_ENGINES_TRACE_SETS_H

#include <stddef.h>
#include <stdint.h>

/* A set of line pairs in memory that the caller owns (the record file's mapping). Slots are 64 bits:
 * `from` in the low half, `to` in the high one, both signed; zero is an empty slot. */
typedef struct pair_set {
    uint64_t *slots; /* borrowed; NULL is a full set */
    uint32_t n_slots; /* a power of two */
    uint32_t n_used;
} pair_set;

#define TRACE_SETS_GOLDEN 0x9E3779B97F4A7C15u /* 2**64 / golden ratio: spreads neighbours */

/* Where a key is, or the next free slot after it. */
static inline uint32_t
trace_sets_spread(uint64_t key, uint32_t n_slots)
{
    return (uint32_t)((key * TRACE_SETS_GOLDEN) >> 32) & (n_slots - 1);
}

/* A pair as in a slot. */
static inline uint64_t
pair_of(int32_t from, int32_t to)
{
    return (uint64_t)(uint32_t)to << 32 | (uint32_t)from;
}

/* Return whether the set has a pair; never for (0, 0), which is no slot. */
static inline int
pair_set_has(const pair_set *set, uint64_t pair)
{
    if (set->slots == NULL || pair == 0) {
        return 0;
    }
    uint32_t at = trace_sets_spread(pair, set->n_slots);
    while (set->slots[at] != 0 && set->slots[at] != pair) {
        at = (at + 1) & (set->n_slots - 1);
    }
    return set->slots[at] == pair;
}

/* 1 if the pair is in the set now, 0 if it is not and the set is full. The store is one aligned 64-bit write, so that a
 * killed process leaves whole pairs. (0, 0) is always in. */
int pair_set_add(pair_set *set, int32_t from, int32_t to);

/* Slots for about `n_expected` pairs. */
uint32_t pair_set_room(uint32_t n_expected);

/* The last line of each running frame, by the frame's address. */
typedef struct frame_line {
    const void *frame; /* never dereferenced; NULL is an empty slot */
    int32_t last_line;
    void *source; /* the caller's, never dereferenced here; NULL if it has none */
} frame_line;

typedef struct frame_lines {
    frame_line *slots; /* owned, malloc */
    uint32_t n_slots; /* a power of two, or 0 */
    uint32_t n_used;
} frame_lines;

/* The frame's entry, or NULL. Valid until the next put or remove. */
frame_line *frame_lines_find(const frame_lines *lines, const void *frame);

/* Set the frame's line. 0, or -1 if there is no memory. */
int frame_lines_put(frame_lines *lines, const void *frame, int32_t last_line);

/* The same, with the source that the frame runs for. */
int frame_lines_put_source(frame_lines *lines, const void *frame, int32_t last_line, void *source);

/* Forget an entry that frame_lines_find has found. */
void frame_lines_remove(frame_lines *lines, frame_line *entry);

void frame_lines_free(frame_lines *lines);

#endif
