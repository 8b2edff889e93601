/* Reading memory of a process, this one included, without ever faulting. Plain C: no Python.h. Even our own memory is
 * read through the kernel: memory that the interpreter frees meanwhile may be unmapped; a load would then cause a
 * SIGSEGV, where a system call returns EFAULT. */
#ifndef FOOTFALL_WALK_MEMORY_H
#define FOOTFALL_WALK_MEMORY_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>

#define MAX_SPANS 64 /* per call; the kernel accepts 1024 */

/* Instead of a pid: plain loads from this process. Only for a caller that holds the GIL and reads what the GIL keeps
 * alive. */
#define MEMORY_DIRECT 0

/* Whose memory is read, and how. Without a window: by process_vm_readv, which pins each page that it reads. With one,
 * which is only possible for our own process: by writing the memory to an unnamed file that is mapped. This is one
 * copy, and takes 0.7 us a call and 0.03 us a span here, where process_vm_readv takes 0.8 us and 0.35 us. Where the
 * system does not have or permit process_vm_readv: from /proc/PID/mem, in a call for each span. */
typedef struct memory_source {
    pid_t pid; /* or MEMORY_DIRECT */
    int window_file;
    unsigned char *window; /* NULL: none */
} memory_source;

/* Open the window of a source that has our own pid. 0; -1 if that is impossible, and reads then work without it. The
 * file descriptor must be in a table in which nobody else closes descriptors (otherwise whoever gets its number next
 * would be written to), and only threads of that table may read the source. */
int memory_window_open(memory_source *source);
void memory_window_close(memory_source *source);

typedef struct memory_span {
    uint64_t address; /* in the target */
    void *to;
    size_t size;
} memory_span;

/* Read all spans, in order, in one system call if the system has it. 0; -1 with errno set if any byte was not readable (the contents of the
 * `to` areas are then undefined). */
int memory_read_spans(const memory_source *source, const memory_span *spans, int n_spans);

/* Read one span. As above. */
int memory_read(const memory_source *source, uint64_t address, void *to, size_t size);

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
