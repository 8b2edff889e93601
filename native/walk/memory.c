/* memory.c owns the one system call by which stacks are read, from inside and from outside. */
#include "walk/memory.h"

#include <errno.h>
#include <sys/uio.h>

/* User space addresses on the 64-bit Linux machines we know; what is above is a torn pointer. */
#define MAX_ADDRESS 0x0000ffffffffffffu
#define MIN_ADDRESS 4096u

int
memory_read_spans(pid_t pid, const memory_span *spans, int n_spans)
{
    struct iovec local[MAX_SPANS];
    struct iovec remote[MAX_SPANS];
    size_t total = 0;
    if (n_spans > MAX_SPANS) {
        errno = EINVAL;
        return -1;
    }
    for (int i = 0; i < n_spans; i++) {
        if (spans[i].address < MIN_ADDRESS || spans[i].address > MAX_ADDRESS) {
            errno = EFAULT;
            return -1;
        }
        if (pid == MEMORY_DIRECT) {
            memcpy(spans[i].to, (const void *)(uintptr_t)spans[i].address, spans[i].size);
            continue;
        }
        local[i].iov_base = spans[i].to;
        local[i].iov_len = spans[i].size;
        remote[i].iov_base = (void *)(uintptr_t)spans[i].address;
        remote[i].iov_len = spans[i].size;
        total += spans[i].size;
    }
    if (pid == MEMORY_DIRECT) {
        return 0;
    }
    ssize_t got = process_vm_readv(pid, local, (unsigned long)n_spans, remote,
                                   (unsigned long)n_spans, 0);
    if (got < 0) {
        return -1;
    }
    if ((size_t)got != total) {
        errno = EFAULT;
        return -1;
    }
    return 0;
}

int
memory_read(pid_t pid, uint64_t address, void *to, size_t size)
{
    memory_span span = {address, to, size};
    return memory_read_spans(pid, &span, 1);
}
