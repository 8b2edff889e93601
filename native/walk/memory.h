/* Reading memory of a process, this one included, without ever faulting. Plain C: no Python.h.
 * Even our own memory is read through the kernel: what the interpreter frees meanwhile may be unmapped, which a
 * load would answer with a SIGSEGV and a system call answers with EFAULT. */
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

/* Whose memory is read, and how. Without a window by process_vm_readv, which pins each page that it reads. With
 * one, which only our own process can have, by writing the memory to an unnamed file that is mapped: one copy,
 * 0.7 us a call and 0.03 us a span here, where process_vm_readv takes 0.8 us and 0.35 us. */
typedef struct memory_source {
    pid_t pid; /* or MEMORY_DIRECT */
    int window_file;
    unsigned char *window; /* NULL: none */
} memory_source;

/* Open the window of a source of our own pid. 0; -1 where that cannot be, and reading goes on without. The file
 * descriptor must be in a table that nobody else closes from (who gets its number next would be written to), and the
 * source be read by threads of that table only. */
int memory_window_open(memory_source *source);
void memory_window_close(memory_source *source);

typedef struct memory_span {
    uint64_t address; /* in the target */
    void *to;
    size_t size;
} memory_span;

/* Read all spans, in order, in one system call. 0; -1 with errno set when any byte was not readable
 * (the `to` areas then hold anything). */
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
