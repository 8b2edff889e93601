/* The sample log (.smp, docs/formats.md): its entries, and the tables that give code objects and stack nodes their
 * numbers. Plain C: no Python.h. A sample_log belongs to the sampling thread alone. */
#ifndef FOOTFALL_SAMPLER_LOG_H
#define FOOTFALL_SAMPLER_LOG_H

#include "record/format.h"
#include "record/maplog.h"
#include "walk/code.h"

/* Memory limits. At either, its table is emptied and filled again (numbers keep rising), so a program with endless new
 * code costs only log space; and the log itself ends at MAX_LOG_BYTES. */
#define MAX_LIVE_CODES (1u << 16)
#define MAX_LIVE_NODES (1u << 18)
#define MAX_LOG_BYTES ((uint64_t)4 << 30)
#define MAX_THREAD_NAME 64u

#define NO_CODE 0u
#define HIDDEN_CODE 0xFFFFFFFFu /* frames of this code are left out */
#define NO_NODE 0u

typedef struct code_entry {
    uint64_t address; /* 0 = free */
    uint32_t id;      /* NO_CODE = erased */
    uint32_t n_units;
    uint64_t header; /* this and the next belong to remote/code.c: a digest, and when it was last compared */
    uint64_t names;
    uint64_t checked; /* the number of the walk */
    uint64_t checked_ns;
} code_entry;

typedef struct node_entry {
    uint32_t parent;
    uint32_t code;
    uint32_t unit;
    uint32_t id; /* NO_NODE = free */
} node_entry;

typedef struct sample_log {
    maplog log;
    unsigned char *counters; /* borrowed from the mapping of the header */
    unsigned char *lease; /* borrowed from the same; written by the process that started the sampler from outside */
    unsigned char *first_segment; /* never unmapped: it contains the counters */
    size_t first_segment_bytes;
    uint64_t start_ns; /* CLOCK_MONOTONIC */
    uint64_t n[N_COUNTERS];
    code_entry *codes; /* owned: open addressing, room is a power of two */
    uint32_t codes_room;
    uint32_t codes_used; /* including erased ones */
    node_entry *nodes; /* owned: as above */
    uint32_t nodes_room;
    uint32_t nodes_used;
    uint32_t next_code_id;
    uint32_t next_node_id;
    uint32_t next_thread_index;
    uint32_t generation; /* changes whenever node numbers or code addresses that were handed out may be stale */
} sample_log;

/* One sample's payload. The last sample of an idle thread is updated in place. */
typedef struct sample_fields {
    uint32_t thread_index;
    uint32_t node;
    uint64_t time_ns; /* since the start; time of the last repeat */
    uint64_t cpu_ns;
    uint32_t context;
    uint16_t flags;
    uint16_t repeat;
} sample_fields;

/* An evaluation loop on a thread's C stack, and the node of the Python frame whose call entered it; NO_NODE: none. */
typedef struct c_stack_entry {
    uint64_t address;
    uint32_t node;
} c_stack_entry;

/* The place of a sample. A later segment may be mapped where its own was: log_bytes distinguishes them. */
typedef struct sample_place {
    unsigned char *payload; /* borrowed from the mapping of its segment, which may have been unmapped; NULL = nowhere */
    uint64_t log_bytes; /* size of the log up to the end of that segment */
} sample_place;

/* Create the log of process `pid` and its header. 0; -1 with errno set. */
int sample_log_open(sample_log *log, const char *path, pid_t pid, uint32_t version, uint64_t interval_ns);
/* Free the tables and accept no more entries. */
void sample_log_close(sample_log *log);

/* Copy the counters into the file. */
void sample_log_publish(sample_log *log);

/* 0 once the log has ended (disk full or MAX_LOG_BYTES). */
int sample_log_is_open(const sample_log *log);

code_entry *sample_log_find_code(sample_log *log, uint64_t address);
/* Log a code object (unless it is hidden) and remember its address. NULL without memory or if the log has ended; the
 * entry is valid until the next call. */
code_entry *sample_log_add_code(sample_log *log, uint64_t address, const code_names *names);
/* Forget an address: the object there no longer exists. */
void sample_log_erase_code(sample_log *log, uint64_t address);
void sample_log_erase_all_codes(sample_log *log);

/* Return the number of (parent, code, unit), which is logged if it is new. NO_NODE without memory or if the log has
 * ended. */
uint32_t sample_log_intern_node(sample_log *log, uint32_t parent, uint32_t code, uint32_t unit);

/* Log a thread's name again after it has changed. */
void sample_log_name_thread(sample_log *log, uint32_t index, uint64_t native_id, const char *name);
/* Log a thread. Returns its index. */
uint32_t sample_log_add_thread(sample_log *log, uint64_t native_id, const char *name);

/* Log a sample. Returns its place, nowhere if the log has ended. */
sample_place sample_log_add_sample(sample_log *log, const sample_fields *sample);
/* Log that `n` looks at tasks of a thread found them waiting at a node, for this long in total. */
void sample_log_add_waiting(sample_log *log, uint32_t thread_index, uint32_t node, uint64_t time_ns, uint64_t wall_ns,
                            uint32_t n);
/* Log that the instructions at these units of a code object call C functions. */
void sample_log_add_calls(sample_log *log, uint32_t code_id, const uint32_t *units, uint32_t n);
/* Log the files whose code is mapped, as native_frames/mappings.h has them. */
void sample_log_add_mappings(sample_log *log, const char *text, uint32_t n_text);
/* Log a C stack of a thread. Of its bytes the last `n_same` are those of the thread's last one, and are not written.
 * Returns whether it was logged. */
int sample_log_add_c_stack(sample_log *log, uint32_t thread_index, const uint64_t registers[N_REGISTERS],
                           const c_stack_entry *entries, uint32_t n_entries, const unsigned char *bytes,
                           uint32_t n_bytes, uint32_t n_same);
/* Return whether a sample is still mapped, so that it can be updated. */
int sample_log_is_mapped(const sample_log *log, sample_place place);
void sample_log_put_repeat(sample_place place, uint64_t time_ns, uint16_t repeat);

#endif
