/* memory.c makes the system calls that read stacks, from inside and from outside. */
#include "walk/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8u /* Linux 6.3, which recommends it */
#endif
/* A whole data-stack chunk of the largest size that is copied at once, and the small parts that go with it. */
#define WINDOW_BYTES (320u << 10)

/* User space addresses on the 64-bit Linux machines we know; a pointer above is torn. */
#define MAX_ADDRESS 0x0000ffffffffffffu
#define MIN_ADDRESS 4096u

int
memory_window_open(memory_source *source)
{
    source->window = NULL;
    int fd = memfd_create("footfall", MFD_CLOEXEC | MFD_NOEXEC_SEAL);
    if (fd < 0 && errno == EINVAL) {
        fd = memfd_create("footfall", MFD_CLOEXEC);
    }
    if (fd < 0) {
        return -1;
    }
    void *window = MAP_FAILED;
    if (ftruncate(fd, WINDOW_BYTES) == 0) {
        window = mmap(NULL, WINDOW_BYTES, PROT_READ, MAP_SHARED, fd, 0);
    }
    if (window == MAP_FAILED) {
        close(fd);
        return -1;
    }
    madvise(window, WINDOW_BYTES, MADV_DONTFORK); /* a child does not need it; failure does no harm */
    source->window_file = fd;
    source->window = window;
    return 0;
}

void
memory_window_close(memory_source *source)
{
    if (source->window != NULL) {
        munmap(source->window, WINDOW_BYTES);
        close(source->window_file);
        source->window = NULL;
    }
}

/* Copy through the window. -1 with errno when not all could be read. */
static int
read_through_window(const memory_source *source, const memory_span *spans, const struct iovec *remote, int n_spans,
                    size_t total)
{
    /* Not by the library's function: AddressSanitizer's wrapper of it objects to freed memory, which may be read here.
     * The offset is two words, low and high. */
    ssize_t got = syscall(SYS_pwritev, source->window_file, remote, n_spans, 0L, 0L);
    if (got < 0 || (size_t)got != total) {
        errno = got < 0 ? errno : EFAULT;
        return -1;
    }
    const unsigned char *from = source->window;
    for (int i = 0; i < n_spans; i++) {
        memcpy(spans[i].to, from, spans[i].size);
        from += spans[i].size;
    }
    return 0;
}

/* Copy from the file that the kernel has for a process's memory. -1 with errno: EFAULT if a byte was not readable,
 * `refusal` if the file can't be opened. Opened for each call: the program could close a descriptor that stays open. */
static int
read_through_file(pid_t pid, const struct iovec *local, const memory_span *spans, int n_spans, int refusal)
{
    char path[32];
    snprintf(path, sizeof path, "/proc/%d/mem", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        errno = refusal;
        return -1;
    }
    int status = 0;
    int error = 0;
    for (int i = 0; i < n_spans && status == 0; i++) {
        ssize_t got = preadv(fd, &local[i], 1, (off_t)spans[i].address);
        status = got >= 0 && (size_t)got == spans[i].size ? 0 : -1;
        error = got < 0 && errno != EIO ? refusal : EFAULT;
    }
    close(fd);
    errno = error;
    return status;
}

int
memory_read_spans(const memory_source *source, const memory_span *spans, int n_spans)
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
        if (source->pid == MEMORY_DIRECT) {
            memcpy(spans[i].to, (const void *)(uintptr_t)spans[i].address, spans[i].size);
            continue;
        }
        local[i].iov_base = spans[i].to;
        local[i].iov_len = spans[i].size;
        remote[i].iov_base = (void *)(uintptr_t)spans[i].address;
        remote[i].iov_len = spans[i].size;
        total += spans[i].size;
    }
    if (source->pid == MEMORY_DIRECT) {
        return 0;
    }
    if (source->window != NULL && total <= WINDOW_BYTES) {
        int status = read_through_window(source, spans, remote, n_spans, total);
        if (status == 0 || errno == EFAULT) {
            return status;
        }
        /* A limit on file size (EFBIG), or no memory for the file's pages: process_vm_readv still works. */
    }
    ssize_t got = process_vm_readv(source->pid, local, (unsigned long)n_spans, remote, (unsigned long)n_spans, 0);
    if (got < 0 && (errno == ENOSYS || errno == EPERM)) {
        return read_through_file(source->pid, local, spans, n_spans, errno);
    }
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
memory_read(const memory_source *source, uint64_t address, void *to, size_t size)
{
    memory_span span = {address, to, size};
    return memory_read_spans(source, &span, 1);
}
