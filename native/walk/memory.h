/* Reading memory of a process, this one included, without ever faulting. Plain C: no Python.h.
 * Even our own memory is read by process_vm_readv: what the interpreter frees meanwhile may be unmapped,
 * which a load would answer with a SIGSEGV and this call answers with EFAULT. */
#ifndef FOOTFALL_WALK_MEMORY_H
#define FOOTFALL_WALK_MEMORY_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>

#define MAX_SPANS 64 /* per call; the kernel takes 1024 */

/* In the place of a pid: plain loads from this process. Only for a caller that holds the GIL and reads what the
 * GIL keeps alive. */
#define MEMORY_DIRECT 0

typedef struct memory_span {
    uint64_t address; /* in the target */
    void *to;
    size_t size;
} memory_span;

/* Read all spans, in order, in one system call. 0; -1 with errno set when any byte was not readable
 * (the `to` areas then hold anything). */
int memory_read_spans(pid_t pid, const memory_span *spans, int n_spans);

/* Read one span. As above. */
int memory_read(pid_t pid, uint64_t address, void *to, size_t size);

static inline uint64_t
load_u64(const void *from)
{
    uint64_t value;
    memcpy(&value, from, sizeof value);
    return value;
}

static inline uint32_t
load_u32(const void *from)
{
    uint32_t value;
    memcpy(&value, from, sizeof value);
    return value;
}

#endif
