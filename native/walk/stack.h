/* The stack walk: from a thread state to its frames, in memory that changes meanwhile. Plain C: no Python.h. Each
 * sampling thread has one `stack_walker`, and each sampled thread one `stack_lane`. */
#ifndef FOOTFALL_WALK_STACK_H
#define FOOTFALL_WALK_STACK_H

#include "walk/collector.h"
#include "walk/offsets.h"
#include "walk/raw_frame.h"

/* The number of frames that are kept of one stack. */
#define MAX_STACK_FRAMES 65536u
/* The number of frames in a walk: with callers of tasks and marks a stack may become longer. Of a deeper one the
 * youngest frames and the oldest are kept, with MARK_LEFT_OUT between them: the oldest are the same in each sample, and
 * so are, in a recursion, the youngest. */
#define MAX_WALKED_FRAMES 61440u
#define YOUNGEST_KEPT 1024u
/* Ends the walk of a cycle through damaged frames. */
#define MAX_WALK_STEPS (1u << 23)

/* Instead of a code object's address, as MARK_COLLECTOR. */
#define MARK_LEFT_OUT ((uint64_t)32) /* frames of a stack that is too deep to be kept; `instr` is their number */
#define MARK_NOT_READ ((uint64_t)48) /* a stack that could not be read */

/* The name of a mark; NULL for anything else. */
const char *stack_mark_name(uint64_t code);

/* CPython allocates data-stack chunks of 16 KiB, doubled for a function with very many locals. Frames in a larger chunk
 * are read one by one. */
#define MAX_CHUNK_BYTES (1u << 18)
#define MAX_THREADS 4096u

typedef struct thread_fields {
    uint64_t next;
    uint64_t interp;
    uint64_t thread_id; /* its pthread_t */
    uint64_t native_id;
    uint64_t frame; /* current_frame, or the _PyCFrame where has_cframe */
    uint64_t base_frame;
    uint64_t chunk;
    uint64_t top;
    uint64_t limit;
    int is_gil_requested; /* 3.15: it waits for the GIL */
} thread_fields;

/* How many frames outside the data stack (shims on the C stack, generators) are read ahead in one call. */
#define MAX_OUTSIDE 32u

/* How many older chunks of the data stack are read ahead in one call, and how much of them: a thousand frames take some
 * 100 KB. */
#define MAX_CHUNKS_AHEAD 16u
#define MAX_AHEAD_BYTES (192u << 10)

#define MAX_EXTRA_SPANS 4

typedef struct used_chunk {
    uint64_t address;
    uint32_t used_bytes; /* its header included */
} used_chunk;

/* What the last walk of a thread found, used as a guess that saves system calls in the next. */
typedef struct stack_lane {
    uint64_t chunk;
    uint64_t cframe;
    uint32_t used_bytes; /* of the chunk, its header included; 0 = no guess */
    uint32_t n_outside;
    uint32_t n_older;
    uint64_t outside[MAX_OUTSIDE]; /* leaf first */
    used_chunk older[MAX_CHUNKS_AHEAD]; /* the newest first */
} stack_lane;

/* An evaluation loop on the thread's C stack: the frame that marks where C code entered it. */
typedef struct stack_shim {
    uint64_t address; /* on the C stack */
    uint32_t n_frames; /* younger than it, of those in the walk */
} stack_shim;

/* Of more evaluation loops, the youngest are kept. */
#define MAX_SHIMS 1024u

typedef struct stack_walker {
    const memory_source *source; /* borrowed */
    const walk_offsets *offsets; /* borrowed */
    raw_frame *frames; /* owned: leaf first */
    uint32_t n_frames;
    uint32_t n_walked; /* by the current walk; for a deep stack, more than are kept */
    uint32_t room;
    int is_fixed; /* no more room is allocated: a signal handler must not */
    memory_span extra[MAX_EXTRA_SPANS]; /* read by the same call as a stack, before it */
    int n_extra;
    collector_watch collector;
    uint64_t mark; /* address of a frame to look for, 0 = none */
    uint32_t n_marked; /* frames of the last walk up to that one, inclusive; 0 = it was not found */
    uint64_t entered; /* where on the C stack the last walk's youngest evaluation loop is; 0 = no Python code runs */
    uint64_t entered_first; /* and its oldest, if that is known (3.11: the youngest) */
    stack_shim *shims; /* owned: the last walk's, youngest first; NULL: not wanted */
    uint32_t n_shims;
    thread_fields fields; /* the thread's, from the last successful walk */
    unsigned char *chunk; /* owned, MAX_CHUNK_BYTES: the thread's current chunk */
    unsigned char *older; /* owned, MAX_CHUNK_BYTES: the older chunk that the walk is in, if it was not read ahead */
    unsigned char *ahead; /* owned, MAX_AHEAD_BYTES: the older chunks that were read ahead */
} stack_walker;

/* `interp` and `gil_address` identify the interpreter whose garbage collector is marked in stacks; 0: no marks. */
walk_status stack_walker_open(stack_walker *walker, const memory_source *source, const walk_offsets *offsets,
                              uint64_t interp, uint64_t gil_address);
/* Allocate all the room that a walk may need, now. WALK_OK or WALK_NO_MEMORY. */
walk_status stack_walker_fix(stack_walker *walker);
/* Keep the evaluation loops of each walk from now on. WALK_OK or WALK_NO_MEMORY. */
walk_status stack_walker_keep_shims(stack_walker *walker);
void stack_walker_close(stack_walker *walker);

/* Load the fields that we need from thread_bytes bytes of a thread state. */
void thread_fields_load(const walk_offsets *offsets, const unsigned char *bytes, thread_fields *fields);

/* Walk one thread's stack into walker->frames (n_frames may be 0: no Python code runs there). Returns WALK_OK,
 * WALK_TORN, WALK_UNREADABLE or WALK_NO_MEMORY. */
walk_status stack_walk(stack_walker *walker, uint64_t thread, stack_lane *lane);

/* Add a frame behind the outermost one; `address` is 0 if it is not a frame of the walk. WALK_OK; WALK_TORN if there is
 * no room for more; WALK_NO_MEMORY. */
walk_status stack_walker_add(stack_walker *walker, uint64_t address, uint64_t code, uint64_t instr);

#endif
