/* stack.c owns the walk of one thread's frames. The thread keeps running while it is read, so the order matters: one
 * call copies first the used part of its data-stack chunk and then its thread state. So current_frame is newer than the
 * frames, and the frame that it points to was whole when it was copied, unless it is the youngest. If a call began
 * meanwhile in memory that was not used before, its frame leads nowhere: then the walk begins at the frame that was
 * current before the copy, which the same call reads first. Frames elsewhere (generators, shims on the C stack, older
 * chunks) are read ahead by that call if the last walk found them, else during the walk. */
#include "walk/stack.h"

#include "record/format.h"
#include "walk/memory.h"

#include <stdlib.h>

#define CHUNK_HEADER_BYTES 24u /* previous, size, top (an index into the data that follows) */
/* Copied beyond the used part, for calls made between two samples: some twenty frames. */
#define SLACK_BYTES 2048u
#define MIN_CHUNK_BYTES (16u << 10)
#define MAX_SNAPSHOT_TRIES 4
#define MAX_OLDER_CHUNKS (1u << 17)
#define FIRST_ROOM 256u

/* A copy of part of the target. */
typedef struct copied_region {
    uint64_t address;
    uint32_t size;
    const unsigned char *bytes;
} copied_region;

/* A walk in progress. */
typedef struct walk_run {
    stack_walker *walker;
    copied_region current;
    copied_region older;
    uint64_t next_chunk;      /* the chunk before the oldest that was read; 0 = none */
    uint64_t next_header[3];  /* its header */
    int has_next_header;
    uint32_t n_chunks;
    uint64_t frame;
    uint64_t first_frame; /* the current frame before anything was copied; 0 = unknown */
    int has_not_begun;    /* the walk met a frame that had not begun when it was copied */
    uint64_t base_frame;
    uint32_t n_ahead; /* older chunks that were copied with the current one */
    uint32_t next_ahead;
    uint32_t n_outside; /* copied with the chunk */
    uint32_t next_outside; /* they are found in the order of the last walk */
    stack_lane *lane; /* borrowed: collects the outside frames that this walk finds */
    copied_region ahead[MAX_CHUNKS_AHEAD]; /* the newest first; not zeroed from here on */
    uint64_t outside[MAX_OUTSIDE];
    unsigned char outside_bytes[MAX_OUTSIDE][MAX_FRAME_OFFSET];
} walk_run;

walk_status
stack_walker_open(stack_walker *walker, const memory_source *source, const walk_offsets *offsets, uint64_t interp,
                  uint64_t gil_address)
{
    memset(walker, 0, sizeof *walker);
    walker->collector.interp = interp;
    walker->collector.gil_address = gil_address;
    walker->source = source;
    walker->offsets = offsets;
    walker->room = FIRST_ROOM;
    walker->frames = malloc(walker->room * sizeof *walker->frames);
    walker->chunk = malloc(MAX_CHUNK_BYTES);
    walker->older = malloc(MAX_CHUNK_BYTES);
    walker->ahead = malloc(MAX_AHEAD_BYTES);
    if (walker->frames == NULL || walker->chunk == NULL || walker->older == NULL || walker->ahead == NULL) {
        stack_walker_close(walker);
        return WALK_NO_MEMORY;
    }
    return WALK_OK;
}

walk_status
stack_walker_fix(stack_walker *walker)
{
    raw_frame *frames = realloc(walker->frames, MAX_STACK_FRAMES * sizeof *frames);
    if (frames == NULL) {
        return WALK_NO_MEMORY;
    }
    walker->frames = frames;
    walker->room = MAX_STACK_FRAMES;
    walker->is_fixed = 1;
    return WALK_OK;
}

walk_status
stack_walker_keep_shims(stack_walker *walker)
{
    walker->shims = malloc(MAX_SHIMS * sizeof *walker->shims);
    return walker->shims != NULL ? WALK_OK : WALK_NO_MEMORY;
}

void
stack_walker_close(stack_walker *walker)
{
    free(walker->frames);
    free(walker->chunk);
    free(walker->older);
    free(walker->shims);
    free(walker->ahead);
    memset(walker, 0, sizeof *walker);
}

void
thread_fields_load(const walk_offsets *offsets, const unsigned char *bytes, thread_fields *fields)
{
    fields->next = load_u64(bytes + offsets->thread_next);
    fields->interp = load_u64(bytes + offsets->thread_interp);
    fields->thread_id = load_u64(bytes + offsets->thread_native_id - 8); /* at this place in every version */
    fields->native_id = load_u64(bytes + offsets->thread_native_id);
    fields->frame = load_u64(bytes + offsets->thread_frame);
    fields->base_frame = offsets->thread_base_frame != 0 ? load_u64(bytes + offsets->thread_base_frame) : 0;
    fields->chunk = load_u64(bytes + offsets->thread_chunk);
    fields->top = load_u64(bytes + offsets->thread_chunk + 8);
    fields->limit = load_u64(bytes + offsets->thread_chunk + 16);
    fields->is_gil_requested =
        offsets->thread_gil_requested != 0 && load_u32(bytes + offsets->thread_gil_requested) != 0;
}

/* Return how much of the chunk to copy next time. While a thread frees a chunk (for as long as a munmap takes), its top
 * and limit are still those of that chunk: then all of the smallest chunk is copied. 0 without a chunk. */
static uint32_t
used_bytes(const thread_fields *fields)
{
    if (fields->chunk == 0) {
        return 0;
    }
    if (fields->top < fields->chunk || fields->limit < fields->top || fields->limit - fields->chunk > MAX_CHUNK_BYTES) {
        return MIN_CHUNK_BYTES;
    }
    uint64_t whole = fields->limit - fields->chunk;
    uint64_t used = fields->top - fields->chunk + SLACK_BYTES;
    return (uint32_t)(used < whole ? used : whole);
}

/* What one read of a thread returned. */
typedef struct thread_look {
    unsigned char state[MAX_THREAD_OFFSET + 32];
    uint64_t first_frame;  /* the current frame before anything else was read; 0 = unknown */
    uint64_t cframe_frame; /* the current frame if has_cframe */
    thread_fields fields;
} thread_look;

/* Copy the current frame's address, outside frames, older chunks, chunk, that address again and the thread state, in that
 * order and in one call, from where the last read says that they are. 0, or -1 if not all of it was readable. */
static int
read_guess(walk_run *walk, uint64_t thread, const stack_lane *guess, thread_look *look)
{
    const walk_offsets *offsets = walk->walker->offsets;
    memory_span spans[MAX_OUTSIDE + MAX_CHUNKS_AHEAD + MAX_EXTRA_SPANS + MAX_COLLECTOR_SPANS + 4];
    int n = collector_spans(&walk->walker->collector, offsets, spans);
    for (int i = 0; i < walk->walker->n_extra; i++) {
        spans[n++] = walk->walker->extra[i];
    }
    look->first_frame = 0;
    if (!offsets->has_cframe) {
        spans[n++] = (memory_span){thread + offsets->thread_frame, &look->first_frame, 8};
    }
    else if (guess->cframe != 0) {
        spans[n++] = (memory_span){guess->cframe + offsets->cframe_frame, &look->first_frame, 8};
    }
    for (uint32_t i = 0; i < guess->n_outside; i++) {
        walk->outside[i] = guess->outside[i];
        spans[n++] = (memory_span){guess->outside[i], walk->outside_bytes[i], offsets->frame_bytes};
    }
    walk->n_outside = guess->n_outside;
    unsigned char *to = walk->walker->ahead;
    for (uint32_t i = 0; i < guess->n_older; i++) {
        walk->ahead[i] = (copied_region){guess->older[i].address, guess->older[i].used_bytes, to};
        spans[n++] = (memory_span){guess->older[i].address, to, guess->older[i].used_bytes};
        to += guess->older[i].used_bytes;
    }
    walk->n_ahead = guess->n_older;
    if (guess->used_bytes != 0) {
        spans[n++] = (memory_span){guess->chunk, walk->walker->chunk, guess->used_bytes};
    }
    if (guess->cframe != 0) {
        spans[n++] = (memory_span){guess->cframe + offsets->cframe_frame, &look->cframe_frame, 8};
    }
    spans[n++] = (memory_span){thread, look->state, offsets->thread_bytes};
    if (memory_read_spans(walk->walker->source, spans, n) < 0) {
        return -1;
    }
    thread_fields_load(offsets, look->state, &look->fields);
    return 0;
}

static void
accept_snapshot(walk_run *walk, const stack_lane *copied, uint64_t frame, const thread_look *look)
{
    walk->current = (copied_region){copied->chunk, copied->used_bytes, walk->walker->chunk};
    walk->next_chunk = copied->used_bytes >= 8 ? load_u64(walk->walker->chunk) : 0;
    walk->frame = frame;
    walk->first_frame = look->first_frame;
    walk->base_frame = look->fields.base_frame;
    walk->walker->fields = look->fields;
}

/* Return whether the thread has gone so much deeper since the last look that its frame is beyond what was copied of the
 * chunk. Frames that are read one by one, while the thread runs, are not those of one moment. */
static int
is_beyond_copied(const stack_lane *copied, const thread_fields *fields, uint64_t frame)
{
    return copied->used_bytes != 0 && frame >= copied->chunk + copied->used_bytes && frame < fields->limit
           && fields->limit - copied->chunk <= MAX_CHUNK_BYTES;
}

/* Read until the guess of where to read was right. A thread that keeps crossing chunks is faster than our reads: then
 * the current frame of the read before the last one is used, if it is in what was copied. */
static walk_status
take_snapshot(walk_run *walk, uint64_t thread, stack_lane *lane)
{
    const walk_offsets *offsets = walk->walker->offsets;
    uint64_t frame_before = 0;
    thread_look look;
    if (walk->walker->source->pid == MEMORY_DIRECT) {
        *lane = (stack_lane){0}; /* what was there may be unmapped now: reading it would crash */
    }
    for (int tries = 0; tries < MAX_SNAPSHOT_TRIES; tries++) {
        stack_lane copied = *lane;
        if (read_guess(walk, thread, &copied, &look) < 0) {
            /* Most often the chunk, or the frame of a generator, no longer exists: read from where it is now. */
            copied = (stack_lane){0};
            if (read_guess(walk, thread, &copied, &look) < 0) {
                return WALK_UNREADABLE;
            }
            lane->n_outside = lane->n_older = 0;
        }
        const thread_fields *fields = &look.fields;
        int is_cframe_right = !offsets->has_cframe || (copied.cframe != 0 && copied.cframe == fields->frame);
        uint64_t frame = offsets->has_cframe ? look.cframe_frame : fields->frame;
        lane->chunk = fields->chunk;
        lane->used_bytes = used_bytes(fields);
        lane->cframe = offsets->has_cframe ? fields->frame : 0;
        if (is_cframe_right && (copied.used_bytes != 0 ? copied.chunk == fields->chunk : fields->chunk == 0)
            && (tries == MAX_SNAPSHOT_TRIES - 1 || !is_beyond_copied(&copied, fields, frame))) {
            accept_snapshot(walk, &copied, frame, &look);
            return WALK_OK;
        }
        if (tries == MAX_SNAPSHOT_TRIES - 1 && frame_before > copied.chunk
            && frame_before - copied.chunk < copied.used_bytes) {
            accept_snapshot(walk, &copied, frame_before, &look);
            return WALK_OK;
        }
        if (offsets->has_cframe && fields->frame == 0) {
            return WALK_TORN; /* a thread state that is not initialized, or no longer valid */
        }
        frame_before = is_cframe_right ? frame : 0;
    }
    return WALK_TORN;
}

static inline const unsigned char *
find_in_region(const copied_region *region, uint64_t address, uint32_t size)
{
    uint64_t at = address - region->address; /* a huge number if the address is before the region */
    return region->size >= size && at <= region->size - size ? region->bytes + at : NULL;
}

/* Remember an older chunk, to be read ahead next time. */
static void
note_chunk(stack_lane *lane, uint64_t address, uint32_t used)
{
    uint32_t total = used;
    for (uint32_t i = 0; i < lane->n_older; i++) {
        total += lane->older[i].used_bytes;
    }
    if (lane->n_older < MAX_CHUNKS_AHEAD && total <= MAX_AHEAD_BYTES) {
        lane->older[lane->n_older++] = (used_chunk){address, used};
    }
}

/* Enter the next chunk if it was read ahead, contains `address`, and is used as far as it was when it was noted. */
static int
enter_chunk_ahead(walk_run *walk, uint64_t address)
{
    uint32_t at = walk->next_ahead;
    while (at < walk->n_ahead && walk->ahead[at].address != walk->next_chunk) {
        at++;
    }
    if (at == walk->n_ahead) {
        return 0; /* the thread has entered another chunk since the last walk */
    }
    walk->next_ahead = at + 1;
    const copied_region *chunk = &walk->ahead[at];
    if (address < chunk->address || address - chunk->address >= chunk->size
        || CHUNK_HEADER_BYTES + load_u64(chunk->bytes + 16) * 8 != chunk->size) {
        return 0;
    }
    walk->n_chunks++;
    walk->older = *chunk;
    walk->next_chunk = load_u64(chunk->bytes);
    note_chunk(walk->lane, chunk->address, chunk->size);
    return 1;
}

/* Read the older chunk that contains `address`, if the next one does. 1, 0 if it does not, -1 if unreadable. */
static int
enter_older_chunk(walk_run *walk, uint64_t address)
{
    stack_walker *walker = walk->walker;
    if (walk->next_chunk == 0) {
        return 0;
    }
    if (!walk->has_next_header && enter_chunk_ahead(walk, address)) {
        return 1;
    }
    if (!walk->has_next_header) {
        if (memory_read(walker->source, walk->next_chunk, walk->next_header, CHUNK_HEADER_BYTES) < 0) {
            return -1;
        }
        walk->has_next_header = 1;
    }
    uint64_t size = walk->next_header[1];
    uint64_t used = CHUNK_HEADER_BYTES + walk->next_header[2] * 8;
    if (size > MAX_CHUNK_BYTES || used > size || address < walk->next_chunk || address - walk->next_chunk >= size) {
        return 0;
    }
    if (++walk->n_chunks > MAX_OLDER_CHUNKS || memory_read(walker->source, walk->next_chunk, walker->older, used) < 0) {
        return -1;
    }
    walk->older = (copied_region){walk->next_chunk, (uint32_t)used, walker->older};
    note_chunk(walk->lane, walk->next_chunk, (uint32_t)used);
    walk->next_chunk = load_u64(walker->older);
    walk->has_next_header = 0;
    return 1;
}

/* Return the bytes of a frame that is in no chunk: from those guessed, or read into `buffer`. NULL if unreadable. */
static const unsigned char *
find_outside(walk_run *walk, uint64_t address, unsigned char *buffer)
{
    if (walk->lane->n_outside < MAX_OUTSIDE) {
        walk->lane->outside[walk->lane->n_outside++] = address;
    }
    for (uint32_t i = 0; i < walk->n_outside; i++) {
        uint32_t place = (walk->next_outside + i) % walk->n_outside;
        if (walk->outside[place] == address) {
            walk->next_outside = place + 1;
            return walk->outside_bytes[place];
        }
    }
    return memory_read(walk->walker->source, address, buffer, walk->walker->offsets->frame_bytes) < 0 ? NULL : buffer;
}

/* Return the bytes of a frame: from a copy, or read into `buffer`. NULL if unreadable. `*here` becomes the chunk that it is
 * in, if it is in one. */
static const unsigned char *
find_frame(walk_run *walk, uint64_t address, unsigned char *buffer, copied_region *here)
{
    uint32_t size = walk->walker->offsets->frame_bytes;
    const copied_region *chunk = &walk->current;
    const unsigned char *found = find_in_region(chunk, address, size);
    if (found == NULL) {
        chunk = &walk->older;
        found = find_in_region(chunk, address, size);
    }
    if (found == NULL && enter_older_chunk(walk, address) > 0) {
        found = find_in_region(chunk, address, size);
    }
    *here = found != NULL ? *chunk : *here;
    return found != NULL ? found : find_outside(walk, address, buffer);
}

walk_status
stack_walker_add(stack_walker *walker, uint64_t address, uint64_t code, uint64_t instr)
{
    if (walker->n_frames == walker->room) {
        uint32_t room = walker->room * 2;
        if (room > MAX_STACK_FRAMES || walker->is_fixed) {
            return WALK_TORN;
        }
        raw_frame *frames = realloc(walker->frames, room * sizeof *frames);
        if (frames == NULL) {
            return WALK_NO_MEMORY;
        }
        walker->frames = frames;
        walker->room = room;
    }
    walker->frames[walker->n_frames++] = (raw_frame){address, code, instr};
    return WALK_OK;
}

const char *
stack_mark_name(uint64_t code)
{
    switch (code) {
    case MARK_COLLECTOR:
        return COLLECTOR_PATH;
    case MARK_LEFT_OUT:
        return LEFT_OUT_PATH;
    case MARK_NOT_READ:
        return NOT_READ_PATH;
    default:
        return NULL;
    }
}

/* Add a frame of the walk. Once the maximum is reached, the youngest frames stay, and the new frame replaces the
 * youngest of the others, which form a ring. */
static inline walk_status
add_walked(stack_walker *walker, uint64_t address, uint64_t code, uint64_t instr)
{
    uint32_t n = walker->n_walked++;
    if (n < MAX_WALKED_FRAMES && walker->n_frames < walker->room) {
        walker->frames[walker->n_frames++] = (raw_frame){address, code, instr};
        return WALK_OK;
    }
    if (n < MAX_WALKED_FRAMES) {
        return stack_walker_add(walker, address, code, instr);
    }
    uint32_t place = (n - YOUNGEST_KEPT) % (MAX_WALKED_FRAMES - YOUNGEST_KEPT);
    walker->frames[YOUNGEST_KEPT + place] = (raw_frame){address, code, instr};
    return WALK_OK;
}

static void
forget_walked(stack_walker *walker)
{
    walker->n_frames = walker->n_walked = walker->n_marked = walker->n_shims = 0;
    walker->entered = walker->entered_first = 0;
}

static void
reverse_frames(raw_frame *frames, uint32_t n)
{
    for (uint32_t i = 0; i < n / 2; i++) {
        raw_frame kept = frames[i];
        frames[i] = frames[n - 1 - i];
        frames[n - 1 - i] = kept;
    }
}

/* Bring the ring of a deep stack into order, and replace its youngest frame by the mark. */
static void
close_ring(stack_walker *walker)
{
    uint32_t n = walker->n_walked;
    if (n <= MAX_WALKED_FRAMES) {
        return;
    }
    raw_frame *ring = walker->frames + YOUNGEST_KEPT;
    uint32_t size = MAX_WALKED_FRAMES - YOUNGEST_KEPT;
    uint32_t first = (n - YOUNGEST_KEPT) % size; /* the youngest that remains */
    reverse_frames(ring, first);
    reverse_frames(ring + first, size - first);
    reverse_frames(ring, size);
    ring[0] = (raw_frame){0, MARK_LEFT_OUT, n - MAX_WALKED_FRAMES + 1};
    uint32_t n_before = n - size + 1; /* the marked frame's number counts frames that were left out */
    if (walker->n_marked > n_before) {
        walker->n_marked -= n - MAX_WALKED_FRAMES;
    }
    else if (walker->n_marked > YOUNGEST_KEPT) {
        walker->n_marked = YOUNGEST_KEPT + 1;
    }
}

/* Insert a mark before the frame at `at` (the frame that called it). Does nothing if there is no room. */
static void
insert_mark(stack_walker *walker, uint32_t at, uint64_t mark)
{
    if (stack_walker_add(walker, 0, mark, 0) != WALK_OK) {
        return;
    }
    memmove(walker->frames + at + 1, walker->frames + at, (walker->n_frames - 1 - at) * sizeof *walker->frames);
    walker->frames[at] = (raw_frame){0, mark, 0};
    walker->n_marked += at < walker->n_marked;
    for (uint32_t i = 0; i < walker->n_shims; i++) {
        walker->shims[i].n_frames += at <= walker->shims[i].n_frames; /* C code that called the collector is older */
    }
}

static int
is_root(const walk_run *walk, const unsigned char *frame, uint64_t address, uint64_t previous, int owner)
{
    switch (walk->walker->offsets->root) {
    case ROOT_BY_THREAD_OWNER:
        /* The first frame of a thread enters an evaluation loop. Without is_entry it is a call's frame, copied from new
         * memory before the call had begun. */
        return previous == 0 && owner == OWNER_THREAD && frame[walk->walker->offsets->frame_owner - 1] != 0;
    case ROOT_BY_SHIM:
        return previous == 0 && owner >= OWNER_SHIM_FIRST;
    case ROOT_BY_BASE_FRAME:
        return address == walk->base_frame;
    }
    return 0;
}

/* Follow the frames from walk->frame to the root. 1,000 frames are followed in every look at a deep recursion, so this
 * loop calls nothing for a frame in the chunk that it is in. */
static walk_status
follow_frames(walk_run *walk)
{
    stack_walker *walker = walk->walker;
    const walk_offsets offsets = *walker->offsets;
    copied_region here = walk->current;
    unsigned char buffer[MAX_FRAME_OFFSET];
    uint64_t address = walk->frame;
    uint64_t passed = 0; /* a frame seen before, updated at powers of two: meeting it again means a cycle */
    if (address == 0) {
        return WALK_OK; /* no Python code runs in this thread */
    }
    for (uint32_t steps = 1; steps < MAX_WALK_STEPS; steps++) {
        if ((address & 7) != 0 || address == passed) {
            return WALK_TORN;
        }
        if ((steps & (steps - 1)) == 0) {
            passed = address;
        }
        const unsigned char *frame = find_in_region(&here, address, offsets.frame_bytes);
        if (frame == NULL && (frame = find_frame(walk, address, buffer, &here)) == NULL) {
            return WALK_UNREADABLE;
        }
        int owner = (signed char)frame[offsets.frame_owner];
        uint64_t previous = load_u64(frame + offsets.frame_previous);
        if (owner == OWNER_THREAD || owner == OWNER_GENERATOR) {
            uint64_t code = load_u64(frame + offsets.frame_code) & ~offsets.code_tag_mask;
            walk_status status = WALK_OK;
            /* 3.14 and later clear the code of a frame that ends. A frame that was copied between its end and its next
             * use had not begun or had ended: then its caller was the youngest frame. What was copied of younger ones
             * is from calls made while the copy was made. */
            if (code != 0) {
                status = add_walked(walker, address, code, load_u64(frame + offsets.frame_instr));
            }
            else {
                forget_walked(walker);
            }
            if (status != WALK_OK) {
                return status;
            }
            if (address == walker->mark) {
                walker->n_marked = walker->n_walked;
            }
        }
        else if (owner < OWNER_SHIM_FIRST || owner > OWNER_SHIM_LAST) {
            return WALK_TORN;
        }
        else if (address != walk->base_frame) {
            walker->entered = walker->entered != 0 ? walker->entered : address;
            walker->entered_first = address;
            if (walker->shims != NULL && walker->n_shims < MAX_SHIMS) {
                walker->shims[walker->n_shims++] = (stack_shim){address, walker->n_walked};
            }
        }
        if (previous == 0 || offsets.root == ROOT_BY_BASE_FRAME) {
            if (is_root(walk, frame, address, previous, owner)) {
                return WALK_OK;
            }
            if (previous == 0) {
                walk->has_not_begun = 1;
                return WALK_TORN;
            }
        }
        address = previous;
    }
    return WALK_TORN;
}

/* Follow the frames from the one that was current before they were copied, in what has been copied. */
static walk_status
follow_first_frame(walk_run *walk)
{
    forget_walked(walk->walker);
    walk->lane->n_outside = walk->lane->n_older = 0;
    walk->older = (copied_region){0};
    walk->next_chunk = load_u64(walk->walker->chunk);
    walk->has_next_header = 0;
    walk->n_chunks = walk->next_ahead = walk->next_outside = 0;
    walk->frame = walk->first_frame;
    return follow_frames(walk);
}

walk_status
stack_walk(stack_walker *walker, uint64_t thread, stack_lane *lane)
{
    walk_run walk;
    memset(&walk, 0, offsetof(walk_run, ahead));
    walk.walker = walker;
    walk.lane = lane;
    forget_walked(walker);
    walk_status status = take_snapshot(&walk, thread, lane);
    lane->n_outside = lane->n_older = 0;
    if (status == WALK_OK) {
        status = follow_frames(&walk);
        int is_older_known = walk.first_frame != 0 && walk.first_frame != walk.frame && walk.current.size != 0;
        if (status == WALK_TORN && walk.has_not_begun && is_older_known) {
            status = follow_first_frame(&walk);
        }
    }
    if (walker->offsets->root == ROOT_BY_THREAD_OWNER && walker->n_frames != 0) {
        walker->entered = walker->entered_first = walker->fields.frame; /* the loop's _PyCFrame */
    }
    if (status == WALK_OK) {
        close_ring(walker);
        uint32_t at = collector_place(&walker->collector, walker->offsets, thread, walker->frames, walker->n_frames);
        if (at < walker->n_frames) {
            insert_mark(walker, at, MARK_COLLECTOR);
        }
    }
    return status;
}
