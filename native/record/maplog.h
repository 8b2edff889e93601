/* An append-only log of entries in a growing, memory-mapped file. Plain C: no Python.h.
 * What is committed survives any death of the process: the mapping is the file.
 * Not thread-safe: one writer at a time, which the caller ensures.
 * No descriptor is held between growths: programs close descriptors that they do not know. */
#ifndef FOOTFALL_RECORD_MAPLOG_H
#define FOOTFALL_RECORD_MAPLOG_H

#include "record/format.h"

#include <stddef.h>
#include <stdint.h>

typedef struct maplog {
    char *path;            /* owned, malloc; NULL when closed */
    unsigned char *segment; /* start of the current mapping */
    size_t segment_bytes;
    size_t used;           /* bytes used in the current segment */
    uint64_t file_bytes;   /* bytes reserved in the file so far */
    int error;             /* errno of the first failure; after it the log accepts nothing */
} maplog;

/* Create the file (it must not exist). 0, or -1 with log->error set. */
int maplog_open(maplog *log, const char *path);

/* Reserve an entry's payload of `size` zeroed bytes, 8-byte aligned and never moved. NULL if the disk is full or the
 * log has failed. Fill it, then call maplog_commit. */
void *maplog_reserve(maplog *log, size_t size);

/* Publish the payload that maplog_reserve returned last. */
void maplog_commit(maplog *log, void *payload, uint32_t kind);

/* Accept no more entries. Mappings stay: events may still be stored into them. */
void maplog_close(maplog *log);

/* Small functions that fill payloads; each returns the place after what it wrote. */
unsigned char *maplog_put_u32(unsigned char *to, uint32_t value);
unsigned char *maplog_put_u64(unsigned char *to, uint64_t value);
unsigned char *maplog_put_bytes(unsigned char *to, const void *bytes, uint32_t size);

#endif
