/* native_frames/capture.c copies an interrupted thread's registers and C stack. It runs in a signal handler: loads,
 * stores to memory that exists already, and one system call, which cannot fault. Nothing is interpreted here. */
#include "sampler/native_frames/capture.h"

#include <ucontext.h>

#if defined(__x86_64__)

int
c_stack_is_known(void)
{
    return 1;
}

static void
load_registers(c_stack *stack, const void *context)
{
    static const int order[N_REGISTERS] = {REG_RAX, REG_RDX, REG_RCX, REG_RBX, REG_RSI, REG_RDI,
                                           REG_RBP, REG_RSP, REG_R8,  REG_R9,  REG_R10, REG_R11,
                                           REG_R12, REG_R13, REG_R14, REG_R15, REG_RIP};
    const ucontext_t *interrupted = context;
    for (int i = 0; i < N_REGISTERS; i++) {
        stack->registers[i] = (uint64_t)interrupted->uc_mcontext.gregs[order[i]];
    }
}

#else

int
c_stack_is_known(void)
{
    return 0;
}

static void
load_registers(c_stack *stack, const void *context)
{
    (void)stack;
    (void)context;
}

#endif

void
c_stack_take(c_stack *stack, const stack_walker *walker, const void *context)
{
    stack->is_taken = 0;
    load_registers(stack, context);
    uint64_t first = stack->registers[STACK_POINTER];
    /* Otherwise the thread runs no Python code, or is on another stack than its evaluation loops. */
    if (walker->n_shims == 0 || walker->entered <= first || walker->n_walked > MAX_WALKED_FRAMES) {
        return;
    }
    uint64_t size = walker->shims[walker->n_shims - 1].address - first;
    stack->n_bytes = size < MAX_C_STACK_BYTES ? (uint32_t)size & ~7u : MAX_C_STACK_BYTES;
    stack->is_taken = memory_read(walker->source, first, stack->bytes, stack->n_bytes) == 0;
}
