/* mappings.c keeps where a log is mapped. A process that measures again and again would else have all earlier records in
 * its memory, and in the end no room for another mapping. */
#include "record/mappings.h"

#include <stdlib.h>
#include <sys/mman.h>

void
log_mappings_note(log_mapping **last, const maplog *log)
{
    if (log->segment == NULL || (*last != NULL && (*last)->start == log->segment)) {
        return;
    }
    log_mapping *mapping = malloc(sizeof *mapping);
    if (mapping == NULL) {
        return;
    }
    mapping->before = *last;
    mapping->start = log->segment;
    mapping->bytes = log->segment_bytes;
    *last = mapping;
}

void
log_mappings_free(log_mapping **last, int unmap)
{
    while (*last != NULL) {
        log_mapping *mapping = *last;
        *last = mapping->before;
        if (unmap) {
            munmap(mapping->start, mapping->bytes);
        }
        free(mapping);
    }
}
