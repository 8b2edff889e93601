/* collector.c owns the place of the garbage collector in a walked stack.
 *
 * 3.15 names the frame in which a collection began. Before, there is a flag, and the number of collections that are
 * over: the collector is taken to be called by the youngest frame of the thread that holds the GIL when a collection is
 * first seen. It stays there while that frame stands still, so that finalizers are seen below it. If the frame goes on
 * it was not the collector's, but one of a finalizer or callback, or of a thread that got the GIL from one: then the
 * rest of that collection is not marked. */
#include "walk/collector.h"

#include "walk/stack.h"

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

uint64_t
collector_gil_holder(const collector_watch *watch)
{
    return load_u32(watch->gil + 8) == 1 ? load_u64(watch->gil) : 0;
}

/* The place of a frame in the walked stack; n_frames when it is not there. */
static uint32_t
find_address(const stack_walker *walker, uint64_t address)
{
    uint32_t at = 0;
    while (at < walker->n_frames && walker->frames[at].address != address) {
        at++;
    }
    return at;
}

static uint32_t
find_first_seen(const stack_walker *walker)
{
    const collector_watch *watch = &walker->collector;
    uint32_t at = find_address(walker, watch->frame);
    return at < walker->n_frames && walker->frames[at].instr != watch->instr ? walker->n_frames : at;
}

/* Before 3.15: the place of the frame that the collector runs in, by what was seen; n_frames when it is none. */
static uint32_t
guess_frame(stack_walker *walker, uint64_t thread)
{
    collector_watch *watch = &walker->collector;
    if (load_u32(watch->state + COUNTS_BYTES) != 1) {
        watch->thread = 0;
        return walker->n_frames;
    }
    uint64_t number = load_u64(watch->state) + load_u64(watch->state + 24) + load_u64(watch->state + 48);
    if (watch->thread != 0 && watch->number == number) {
        if (watch->thread != thread || watch->is_lost) {
            return walker->n_frames;
        }
        uint32_t at = find_first_seen(walker);
        watch->is_lost = at == walker->n_frames;
        return at;
    }
    if (collector_gil_holder(watch) != thread) {
        return walker->n_frames;
    }
    watch->number = number;
    watch->thread = thread;
    watch->frame = walker->frames[0].address;
    watch->instr = walker->frames[0].instr;
    watch->is_lost = 0;
    return 0;
}

void
collector_mark(stack_walker *walker, uint64_t thread)
{
    const collector_watch *watch = &walker->collector;
    if (watch->interp == 0 || walker->n_frames == 0) {
        return;
    }
    uint32_t at;
    if (walker->offsets->interp_gc_frame == 0) {
        at = guess_frame(walker, thread);
    }
    else {
        uint64_t frame = load_u64(watch->state);
        at = frame != 0 ? find_address(walker, frame) : walker->n_frames;
    }
    if (at < walker->n_frames) {
        stack_insert_mark(walker, at, MARK_COLLECTOR);
    }
}
