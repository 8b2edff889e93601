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

static uint32_t
size_to(const c_stack *stack, uint64_t end)
{
    uint64_t size = end - stack->registers[STACK_POINTER];
    return size < MAX_C_STACK_BYTES ? (uint32_t)size & ~7u : MAX_C_STACK_BYTES;
}

void
c_stack_expect(c_stack *stack, stack_walker *walker, const void *context, uint64_t end)
{
    stack->is_taken = 0;
    load_registers(stack, context);
    uint64_t first = stack->registers[STACK_POINTER];
    stack->n_bytes = end > first ? size_to(stack, end) : 0;
    walker->extra[0] = (memory_span){first, stack->bytes, stack->n_bytes};
    walker->n_extra = stack->n_bytes != 0;
}

void
c_stack_take(c_stack *stack, const stack_walker *walker)
{
    uint64_t first = stack->registers[STACK_POINTER];
    /* Otherwise the thread runs no Python code, or is on another stack than its evaluation loops. */
    if (walker->n_shims == 0 || walker->entered <= first || walker->n_walked > MAX_WALKED_FRAMES) {
        return;
    }
    stack->end = walker->shims[walker->n_shims - 1].address;
    uint32_t n_bytes = size_to(stack, stack->end);
    stack->is_taken = n_bytes <= stack->n_bytes || memory_read(walker->source, first, stack->bytes, n_bytes) == 0;
    stack->n_bytes = n_bytes;
}
