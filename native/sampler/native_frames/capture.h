/* A thread's registers and C stack, copied by the thread itself in a signal handler. Plain C: no Python.h. */
#ifndef FOOTFALL_SAMPLER_NATIVE_FRAMES_CAPTURE_H
#define FOOTFALL_SAMPLER_NATIVE_FRAMES_CAPTURE_H

#include "record/format.h"
#include "walk/stack.h"

/* Of a deeper C stack, the youngest part is copied. */
#define MAX_C_STACK_BYTES (1u << 16)

/* One copy. Written by the handler while it answers a request, read by the sampling thread after the answer. */
typedef struct c_stack {
    int is_taken;
    uint32_t n_bytes;
    uint64_t end; /* where the oldest evaluation loop is */
    uint64_t registers[N_REGISTERS]; /* in DWARF's order: the seventh is the stack pointer, the last the instruction */
    unsigned char *bytes; /* owned, MAX_C_STACK_BYTES: from the stack pointer on */
} c_stack;

/* The place of the stack pointer and of the instruction in the registers. */
#define STACK_POINTER 7
#define INSTRUCTION 16

/* Return whether this machine's registers are known. */
int c_stack_is_known(void);

/* Before a walk: copy the registers of an interrupted thread (`context`: the handler's third argument), and have the walk's
 * first call copy its C stack up to `end`, where its oldest evaluation loop was. Async-signal-safe, as the next one. */
void c_stack_expect(c_stack *stack, stack_walker *walker, const void *context, uint64_t end);
/* After it: copy the C stack up to the oldest evaluation loop that `walker` has found there, if that is not done. */
void c_stack_take(c_stack *stack, const stack_walker *walker);

#endif
