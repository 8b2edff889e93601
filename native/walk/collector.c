/* collector.c finds the place of the garbage collector in a walked stack.
 *
 * 3.15 names the frame in which a collection began. Before 3.15, there is a flag, and the number of finished
 * collections: the collector is assumed to be called by the youngest frame of the thread that holds the GIL when a
 * collection is first seen. It stays there as long as that frame does not advance, so that finalizers are seen below
 * it. If the frame advances, it was not the collector's caller, but a frame of a finalizer or callback, or of a thread
 * that got the GIL from one: then the rest of that collection is not marked. */
#include "walk/collector.h"

#define COUNTS_BYTES 72u /* gc_generation_stats of three generations: collections, collected, uncollectable */

int
collector_spans(collector_watch *watch, const walk_offsets *offsets, memory_span *spans)
{
    if (watch->interp == 0) {
        return 0;
    }
    spans[0] = (memory_span){watch->gil_address, watch->gil, sizeof watch->gil};
    if (offsets->interp_gc_frame != 0) {
        spans[1] = (memory_span){watch->interp + offsets->interp_gc_frame, watch->state, sizeof(uint64_t)};
        return 2;
    }
    if (offsets->interp_gc_collecting != 0) {
        uint64_t first = watch->interp + offsets->interp_gc_collecting - COUNTS_BYTES;
        spans[1] = (memory_span){first, watch->state, COLLECTOR_STATE_BYTES};
        return 2;
    }
    return 1;
}

/* The index of a frame in the walked stack; n_frames if it is not there. */
static uint32_t
find_address(uint64_t address, const raw_frame *frames, uint32_t n_frames)
{
    uint32_t at = 0;
    while (at < n_frames && frames[at].address != address) {
        at++;
    }
    return at;
}

static uint32_t
find_first_seen(const collector_watch *watch, const raw_frame *frames, uint32_t n_frames)
{
    uint32_t at = find_address(watch->frame, frames, n_frames);
    return at < n_frames && frames[at].instr != watch->instr ? n_frames : at;
}

/* Before 3.15: the index of the frame that the collector runs in, according to what was seen; n_frames if there is
 * none. */
static uint32_t
guess_place(collector_watch *watch, uint64_t thread, const raw_frame *frames, uint32_t n_frames)
{
    if (load_u32(watch->state + COUNTS_BYTES) != 1) {
        watch->thread = 0;
        return n_frames;
    }
    uint64_t number = load_u64(watch->state) + load_u64(watch->state + 24) + load_u64(watch->state + 48);
    if (watch->thread != 0 && watch->number == number) {
        if (watch->thread != thread || watch->is_lost) {
            return n_frames;
        }
        uint32_t at = find_first_seen(watch, frames, n_frames);
        watch->is_lost = at == n_frames;
        return at;
    }
    if (gil_words_load(watch->gil).holder != thread) {
        return n_frames;
    }
    watch->number = number;
    watch->thread = thread;
    watch->frame = frames[0].address;
    watch->instr = frames[0].instr;
    watch->is_lost = 0;
    return 0;
}

uint32_t
collector_place(collector_watch *watch, const walk_offsets *offsets, uint64_t thread, const raw_frame *frames,
                uint32_t n_frames)
{
    if (watch->interp == 0 || n_frames == 0) {
        return n_frames;
    }
    if (offsets->interp_gc_frame == 0) {
        return guess_place(watch, thread, frames, n_frames);
    }
    uint64_t frame = load_u64(watch->state);
    return frame != 0 ? find_address(frame, frames, n_frames) : n_frames;
}
