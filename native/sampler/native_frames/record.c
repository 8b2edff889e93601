/* native_frames/record.c writes the C stack of a sample to the log: the registers, where evaluation loops are on it,
 * and its bytes up to the oldest return address into the program's own files. Nothing is unwound in the program: that
 * is done after the run, with the tables in the files. */
#include "sampler/native_frames/record.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int
native_frames_open(sampler *s)
{
    if (!c_stack_is_known()) {
        errno = ENOTSUP;
        return -1;
    }
    s->native.stack.bytes = malloc(MAX_C_STACK_BYTES);
    if (s->native.stack.bytes == NULL || stack_walker_keep_shims(&s->walker) != WALK_OK) {
        errno = ENOMEM;
        return -1;
    }
    code_mappings_open(&s->native.mappings, s->interpreter.runtime);
    s->native.is_on = 1;
    return 0;
}

void
native_frames_close(sampler *s)
{
    free(s->native.stack.bytes);
    s->native.stack.bytes = NULL;
    code_mappings_close(&s->native.mappings);
    s->native.is_on = 0;
}

void
native_frames_follow(sampler *s, uint64_t now_ns)
{
    code_mappings *mappings = &s->native.mappings;
    if (s->native.is_on && code_mappings_follow(mappings, &s->memory, now_ns)) {
        sample_log_add_mappings(&s->log, mappings->text, mappings->n_text);
    }
}

/* Return how many bytes of the stack reach the oldest return address into the program's own files. */
static uint32_t
used_bytes(const native_frames *native)
{
    const c_stack *stack = &native->stack;
    uint32_t size = stack->n_bytes;
    while (size >= 8 && !code_mappings_has(&native->mappings, load_u64(stack->bytes + size - 8))) {
        size -= 8;
    }
    return size;
}

/* The nodes that evaluation loops run below: for each loop, the Python frame whose call entered it. Returns their
 * number, 0 if they are not in the order of one stack. */
static uint32_t
find_entries(const sampler *s, const thread_lane *lane, uint32_t n_bytes, c_stack_entry *entries)
{
    const stack_walker *walker = &s->walker;
    uint64_t last = s->native.stack.registers[STACK_POINTER] + n_bytes;
    uint32_t n = 0;
    for (uint32_t i = 0; i < walker->n_shims; i++) {
        const stack_shim *shim = &walker->shims[i];
        if (shim->n_frames > lane->depth || (i != 0 && shim->address <= walker->shims[i - 1].address)) {
            return 0;
        }
        uint32_t n_older = lane->depth - shim->n_frames;
        entries[n++] = (c_stack_entry){shim->address, n_older != 0 ? lane->path[n_older - 1].node : NO_NODE};
        if (shim->address >= last) {
            break; /* the program's own code is younger than the loops beyond */
        }
    }
    return n;
}

/* Return how many bytes at the old end of the stack are the same as in the thread's stack before. */
static uint32_t
same_bytes(const thread_lane *lane, const c_stack *stack, uint32_t n_bytes)
{
    uint64_t end = stack->registers[STACK_POINTER] + n_bytes;
    uint32_t most = n_bytes < lane->n_c_stack ? n_bytes : lane->n_c_stack;
    uint32_t same = 0;
    if (end != lane->c_stack_end) {
        return 0;
    }
    while (same + 8 <= most
           && load_u64(stack->bytes + n_bytes - same - 8) == load_u64(lane->c_stack + lane->n_c_stack - same - 8)) {
        same += 8;
    }
    return same;
}

static void
keep_stack(thread_lane *lane, const c_stack *stack, uint32_t n_bytes)
{
    if (lane->c_stack == NULL) {
        lane->c_stack = malloc(MAX_C_STACK_BYTES);
    }
    lane->n_c_stack = lane->c_stack != NULL ? n_bytes : 0;
    lane->c_stack_end = stack->registers[STACK_POINTER] + n_bytes;
    if (lane->c_stack != NULL) {
        memcpy(lane->c_stack, stack->bytes, n_bytes);
    }
}

void
native_frames_log(sampler *s, thread_lane *lane)
{
    lane->has_c_stack = 0;
    c_stack *stack = &s->native.stack;
    if (!s->native.is_on || !stack->is_taken) {
        return;
    }
    uint32_t n_bytes = used_bytes(&s->native);
    if (n_bytes == 0 && !code_mappings_has(&s->native.mappings, stack->registers[INSTRUCTION])) {
        return;
    }
    c_stack_entry entries[MAX_SHIMS];
    uint32_t n_entries = find_entries(s, lane, n_bytes, entries);
    if (n_entries == 0) {
        return;
    }
    uint32_t n_same = same_bytes(lane, stack, n_bytes);
    lane->has_c_stack = sample_log_add_c_stack(&s->log, lane->index, stack->registers, entries, n_entries, stack->bytes,
                                               n_bytes, n_same);
    keep_stack(lane, stack, lane->has_c_stack ? n_bytes : 0);
}
