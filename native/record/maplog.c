/* maplog.c owns the growth of a mapped log file. It does not know what the entries mean. Space is reserved with
 * posix_fallocate before it is touched: a store into a sparse mapping on a full disk would cause a SIGBUS in the user's
 * program. */
#include "record/maplog.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MAX_ENTRY_BYTES (1u << 30)

static size_t
round_up(size_t value, size_t to)
{
    return (value + to - 1) / to * to;
}

int
maplog_open(maplog *log, const char *path)
{
    memset(log, 0, sizeof *log);
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0) {
        log->error = errno;
        return -1;
    }
    close(fd);
    log->path = strdup(path);
    if (log->path == NULL) {
        log->error = ENOMEM;
        return -1;
    }
    return 0;
}

/* Reserve and map `bytes` more of the file. NULL with log->error set. */
static void *
map_more(maplog *log, size_t bytes)
{
    int fd = open(log->path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        log->error = errno;
        return NULL;
    }
    void *mapping = NULL;
    do {
        log->error = posix_fallocate(fd, (off_t)log->file_bytes, (off_t)bytes);
    } while (log->error == EINTR);
    if (log->error == 0) {
        mapping = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)log->file_bytes);
        if (mapping == MAP_FAILED) {
            log->error = errno;
            mapping = NULL;
        }
    }
    close(fd);
    return mapping;
}

/* How much the file grows: by its size, within bounds, so that short processes take little room and long ones few
 * mappings. A multiple of the page, as mappings begin at pages. */
static size_t
growth_bytes(const maplog *log, size_t at_least)
{
    size_t step = log->file_bytes < SEGMENT_BYTES ? (size_t)log->file_bytes : SEGMENT_BYTES;
    step = step < FIRST_SEGMENT_BYTES ? FIRST_SEGMENT_BYTES : step;
    return round_up(round_up(at_least, step), (size_t)sysconf(_SC_PAGESIZE));
}

static int
next_segment(maplog *log, size_t at_least)
{
    size_t bytes = growth_bytes(log, at_least);
    void *mapping = map_more(log, bytes);
    if (mapping == NULL) {
        return -1;
    }
    if (log->segment != NULL && log->used + ENTRY_HEAD_BYTES <= log->segment_bytes) {
        unsigned char *rest = log->segment + log->used;
        maplog_put_u32(rest + 4, (uint32_t)(log->segment_bytes - log->used - ENTRY_HEAD_BYTES));
        __atomic_store_n((uint32_t *)(void *)rest, ENTRY_PADDING, __ATOMIC_RELEASE);
    }
    log->segment = mapping;
    log->segment_bytes = bytes;
    log->used = 0;
    log->file_bytes += bytes;
    return 0;
}

void *
maplog_reserve(maplog *log, size_t size)
{
    if (log->path == NULL || log->error != 0) {
        return NULL;
    }
    if (size > MAX_ENTRY_BYTES) {
        log->error = EFBIG;
        return NULL;
    }
    size_t needed = ENTRY_HEAD_BYTES + round_up(size, 8);
    if (log->segment == NULL || log->used + needed > log->segment_bytes) {
        if (next_segment(log, needed) < 0) {
            return NULL;
        }
    }
    unsigned char *entry = log->segment + log->used;
    maplog_put_u32(entry + 4, (uint32_t)size);
    log->used += needed;
    return entry + ENTRY_HEAD_BYTES;
}

void
maplog_commit(maplog *log, void *payload, uint32_t kind)
{
    (void)log;
    unsigned char *entry = (unsigned char *)payload - ENTRY_HEAD_BYTES;
    /* Pairs with the reader's load of the kind, which may be in another process. */
    __atomic_store_n((uint32_t *)(void *)entry, kind, __ATOMIC_RELEASE);
}

void
maplog_close(maplog *log)
{
    free(log->path);
    log->path = NULL;
}

unsigned char *
maplog_put_u32(unsigned char *to, uint32_t value)
{
    memcpy(to, &value, sizeof value);
    return to + sizeof value;
}

unsigned char *
maplog_put_u64(unsigned char *to, uint64_t value)
{
    memcpy(to, &value, sizeof value);
    return to + sizeof value;
}

unsigned char *
maplog_put_bytes(unsigned char *to, const void *bytes, uint32_t size)
{
    to = maplog_put_u32(to, size);
    if (size != 0) {
        memcpy(to, bytes, size);
    }
    return to + size;
}
