/* stack.c owns the walk of one thread's frames. The thread runs on while it is read, so the order matters:
 * one call copies the used part of its data-stack chunk and then its thread state, thus current_frame is
 * younger than the frames, and a frame that it names was whole when it was copied unless it is the youngest.
 * Frames elsewhere (generators, shims on the C stack, older chunks) are read on the way. */
#include "walk/stack.h"

#include "walk/memory.h"

#include <stdlib.h>

#define CHUNK_HEADER_BYTES 24u /* previous, size, top (an index into the data that follows) */
/* Copied past the used part, for calls between two looks: a few frames. */
#define SLACK_BYTES 512u
#define MAX_SNAPSHOT_TRIES 3
#define MAX_OLDER_CHUNKS 1024u
#define FIRST_ROOM 256u

/* A copy of part of the target. */
typedef struct copied_region {
    uint64_t address;
    uint32_t size;
    const unsigned char *bytes;
} copied_region;

/* One walk under way. */
typedef struct walk_run {
    stack_walker *walker;
    copied_region current;
    copied_region older;
    uint64_t next_chunk;      /* the chunk before the oldest that was looked at; 0 = none */
    uint64_t next_header[3];  /* its header */
    int has_next_header;
    uint32_t n_chunks;
    uint64_t frame;
    uint64_t base_frame;
} walk_run;

walk_status
stack_walker_open(stack_walker *walker, pid_t pid, const walk_offsets *offsets)
{
    memset(walker, 0, sizeof *walker);
    walker->pid = pid;
    walker->offsets = offsets;
    walker->room = FIRST_ROOM;
    walker->frames = malloc(walker->room * sizeof *walker->frames);
    walker->chunk = malloc(MAX_CHUNK_BYTES);
    walker->older = malloc(MAX_CHUNK_BYTES);
    if (walker->frames == NULL || walker->chunk == NULL || walker->older == NULL) {
        stack_walker_close(walker);
        return WALK_NO_MEMORY;
    }
    return WALK_OK;
}

void
stack_walker_close(stack_walker *walker)
{
    free(walker->frames);
    free(walker->chunk);
    free(walker->older);
    memset(walker, 0, sizeof *walker);
}

void
thread_fields_load(const walk_offsets *offsets, const unsigned char *bytes, thread_fields *fields)
{
    fields->next = load_u64(bytes + offsets->thread_next);
    fields->interp = load_u64(bytes + offsets->thread_interp);
    fields->native_id = load_u64(bytes + offsets->thread_native_id);
    fields->frame = load_u64(bytes + offsets->thread_frame);
    fields->base_frame =
        offsets->thread_base_frame != 0 ? load_u64(bytes + offsets->thread_base_frame) : 0;
    fields->chunk = load_u64(bytes + offsets->thread_chunk);
    fields->top = load_u64(bytes + offsets->thread_chunk + 8);
    fields->limit = load_u64(bytes + offsets->thread_chunk + 16);
}

/* How much of the chunk to copy next time. 0 where the fields do not fit each other. */
static uint32_t
used_bytes(const thread_fields *fields)
{
    if (fields->chunk == 0 || fields->top < fields->chunk || fields->limit < fields->top
        || fields->limit - fields->chunk > UINT32_MAX) {
        return 0;
    }
    uint64_t whole = fields->limit - fields->chunk;
    uint64_t used = fields->top - fields->chunk + SLACK_BYTES;
    used = used < whole ? used : whole;
    return (uint32_t)(used < MAX_CHUNK_BYTES ? used : MAX_CHUNK_BYTES);
}

/* Copy chunk, current frame and thread state in that order by one call, from where the last look says
 * that they are; look again until it was right. */
static walk_status
take_snapshot(walk_run *walk, uint64_t thread, stack_lane *lane)
{
    stack_walker *walker = walk->walker;
    const walk_offsets *offsets = walker->offsets;
    unsigned char state[MAX_THREAD_OFFSET + 32];
    unsigned char cframe[16];
    thread_fields fields;
    for (int tries = 0; tries < MAX_SNAPSHOT_TRIES; tries++) {
        memory_span spans[3];
        int n = 0;
        uint32_t copied = lane->used_bytes;
        if (copied != 0) {
            spans[n++] = (memory_span){lane->chunk, walker->chunk, copied};
        }
        if (offsets->has_cframe && lane->cframe != 0) {
            spans[n++] = (memory_span){lane->cframe + offsets->cframe_frame, cframe, 8};
        }
        spans[n++] = (memory_span){thread, state, offsets->thread_bytes};
        int guessed = n > 1;
        if (memory_read_spans(walker->pid, spans, n) < 0) {
            if (!guessed) {
                return WALK_UNREADABLE;
            }
            lane->used_bytes = 0;
            lane->cframe = 0;
            continue;
        }
        thread_fields_load(offsets, state, &fields);
        int was_right = (copied != 0 ? lane->chunk == fields.chunk : fields.chunk == 0)
                        && (!offsets->has_cframe || (lane->cframe != 0 && lane->cframe == fields.frame));
        lane->chunk = fields.chunk;
        lane->used_bytes = used_bytes(&fields);
        lane->cframe = offsets->has_cframe ? fields.frame : 0;
        if (was_right) {
            walk->current = (copied_region){fields.chunk, copied, walker->chunk};
            walk->next_chunk = copied >= 8 ? load_u64(walker->chunk) : 0;
            walk->frame = offsets->has_cframe ? load_u64(cframe) : fields.frame;
            walk->base_frame = fields.base_frame;
            return WALK_OK;
        }
        if (offsets->has_cframe && fields.frame == 0) {
            return WALK_TORN; /* a thread state that is not set up, or no longer */
        }
    }
    return WALK_TORN;
}

static const unsigned char *
find_in_region(const copied_region *region, uint64_t address, uint32_t size)
{
    if (address < region->address || address - region->address > region->size
        || region->size - (address - region->address) < size) {
        return NULL;
    }
    return region->bytes + (address - region->address);
}

/* Read the older chunk that holds `address`, if the next one does. 1, 0 when it does not, -1 unreadable. */
static int
enter_older_chunk(walk_run *walk, uint64_t address)
{
    stack_walker *walker = walk->walker;
    if (walk->next_chunk == 0) {
        return 0;
    }
    if (!walk->has_next_header) {
        if (memory_read(walker->pid, walk->next_chunk, walk->next_header, CHUNK_HEADER_BYTES) < 0) {
            return -1;
        }
        walk->has_next_header = 1;
    }
    uint64_t size = walk->next_header[1];
    uint64_t used = CHUNK_HEADER_BYTES + walk->next_header[2] * 8;
    if (size > MAX_CHUNK_BYTES || used > size || address < walk->next_chunk
        || address - walk->next_chunk >= size) {
        return 0;
    }
    if (++walk->n_chunks > MAX_OLDER_CHUNKS
        || memory_read(walker->pid, walk->next_chunk, walker->older, used) < 0) {
        return -1;
    }
    walk->older = (copied_region){walk->next_chunk, (uint32_t)used, walker->older};
    walk->next_chunk = load_u64(walker->older);
    walk->has_next_header = 0;
    return 1;
}

/* The bytes of the frame at `address`: in a copy, or read into `buffer`. NULL when unreadable. */
static const unsigned char *
find_frame(walk_run *walk, uint64_t address, unsigned char *buffer)
{
    uint32_t size = walk->walker->offsets->frame_bytes;
    const unsigned char *found = find_in_region(&walk->current, address, size);
    if (found == NULL) {
        found = find_in_region(&walk->older, address, size);
    }
    if (found != NULL) {
        return found;
    }
    int entered = enter_older_chunk(walk, address);
    if (entered < 0) {
        return NULL;
    }
    if (entered) {
        found = find_in_region(&walk->older, address, size);
        if (found != NULL) {
            return found;
        }
    }
    return memory_read(walk->walker->pid, address, buffer, size) < 0 ? NULL : buffer;
}

static walk_status
add_frame(stack_walker *walker, uint64_t code, uint64_t instr)
{
    if (walker->n_frames == walker->room) {
        uint32_t room = walker->room * 2;
        if (room > MAX_STACK_FRAMES) {
            return WALK_TORN;
        }
        raw_frame *frames = realloc(walker->frames, room * sizeof *frames);
        if (frames == NULL) {
            return WALK_NO_MEMORY;
        }
        walker->frames = frames;
        walker->room = room;
    }
    walker->frames[walker->n_frames++] = (raw_frame){code, instr};
    return WALK_OK;
}

static int
is_root(const walk_run *walk, uint64_t address, uint64_t previous, int owner)
{
    switch (walk->walker->offsets->root) {
    case ROOT_BY_THREAD_OWNER:
        return previous == 0 && owner == OWNER_THREAD;
    case ROOT_BY_SHIM:
        return previous == 0 && owner >= OWNER_SHIM_FIRST;
    case ROOT_BY_BASE_FRAME:
        return address == walk->base_frame;
    }
    return 0;
}

/* Follow the frames from walk->frame to the root. */
static walk_status
follow_frames(walk_run *walk)
{
    stack_walker *walker = walk->walker;
    const walk_offsets *offsets = walker->offsets;
    unsigned char buffer[MAX_FRAME_OFFSET];
    uint64_t address = walk->frame;
    uint64_t passed = 0; /* a frame seen before, moved at powers of two: met again means a cycle */
    if (address == 0) {
        return WALK_OK; /* no Python code runs in this thread */
    }
    for (uint32_t steps = 1; steps < MAX_STACK_FRAMES * 2; steps++) {
        if ((address & 7) != 0 || address == passed) {
            return WALK_TORN;
        }
        if ((steps & (steps - 1)) == 0) {
            passed = address;
        }
        const unsigned char *frame = find_frame(walk, address, buffer);
        if (frame == NULL) {
            return WALK_UNREADABLE;
        }
        int owner = (signed char)frame[offsets->frame_owner];
        uint64_t previous = load_u64(frame + offsets->frame_previous);
        if (owner == OWNER_THREAD || owner == OWNER_GENERATOR) {
            uint64_t code = load_u64(frame + offsets->frame_code) & ~offsets->code_tag_mask;
            walk_status status = WALK_OK;
            /* 3.14 and later clear the code of a frame that ends: copied between its end and its next use,
             * the youngest frame was not there yet, or no longer, and its caller is the youngest. */
            if (code != 0 || walker->n_frames != 0) {
                status = add_frame(walker, code, load_u64(frame + offsets->frame_instr));
            }
            if (status != WALK_OK) {
                return status;
            }
        }
        else if (owner < OWNER_SHIM_FIRST || owner > OWNER_SHIM_LAST) {
            return WALK_TORN;
        }
        if (is_root(walk, address, previous, owner)) {
            return WALK_OK;
        }
        if (previous == 0) {
            return WALK_TORN;
        }
        address = previous;
    }
    return WALK_TORN;
}

walk_status
stack_walk(stack_walker *walker, uint64_t thread, stack_lane *lane)
{
    walk_run walk = {.walker = walker};
    walker->n_frames = 0;
    walk_status status = take_snapshot(&walk, thread, lane);
    return status == WALK_OK ? follow_frames(&walk) : status;
}
