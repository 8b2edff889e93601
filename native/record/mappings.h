/* The mappings of a log, for a caller that can tell when nothing is stored into them any more. Plain C: no Python.h. */
#ifndef FOOTFALL_RECORD_MAPPINGS_H
#define FOOTFALL_RECORD_MAPPINGS_H

#include "record/maplog.h"

typedef struct log_mapping {
    struct log_mapping *before; /* owned, malloc */
    unsigned char *start;
    size_t bytes;
} log_mapping;

/* Note the current mapping of a log if it is new. Without memory for that it stays mapped until the process ends. */
void log_mappings_note(log_mapping **last, const maplog *log);

/* Forget all; with `unmap`, they are gone. */
void log_mappings_free(log_mapping **last, int unmap);

#endif
