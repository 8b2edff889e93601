/* sampler/log.c owns the sample log file and its tables of code objects and nodes. It knows nothing about threads,
 * stacks or Python. */
#include "sampler/log.h"

#include "record/clocks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define FIRST_ROOM 1024u /* entries in a new table */

static void
end_log(sample_log *log, int error)
{
    if (log->n[COUNT_FULL] == 0) {
        log->n[COUNT_FULL] = (uint64_t)(error != 0 ? error : EIO);
    }
}

int
sample_log_is_open(const sample_log *log)
{
    return log->n[COUNT_FULL] == 0;
}

/* Reserve an entry, and unmap the segment that it left: nothing points into a full one except the header's counters, so
 * a long run does not keep its whole log mapped. */
static unsigned char *
reserve(sample_log *log, size_t size)
{
    if (!sample_log_is_open(log)) {
        return NULL;
    }
    if (log->log.file_bytes > MAX_LOG_BYTES) {
        end_log(log, EFBIG);
        return NULL;
    }
    unsigned char *before = log->log.segment;
    size_t before_bytes = log->log.segment_bytes;
    unsigned char *payload = maplog_reserve(&log->log, size);
    if (payload == NULL) {
        end_log(log, log->log.error);
        return NULL;
    }
    if (before != NULL && before != log->log.segment && before != log->first_segment) {
        munmap(before, before_bytes);
    }
    return payload;
}

static int
fail_open(sample_log *log, int error)
{
    sample_log_close(log);
    errno = error;
    return -1;
}

int
sample_log_open(sample_log *log, const char *path, pid_t pid, uint32_t version, uint64_t interval_ns)
{
    memset(log, 0, sizeof *log);
    if (maplog_open(&log->log, path) < 0) {
        return fail_open(log, log->log.error);
    }
    unsigned char *payload = reserve(log, SAMPLE_HEADER_BYTES);
    if (payload == NULL) {
        return fail_open(log, log->log.error);
    }
    log->first_segment = log->log.segment;
    log->first_segment_bytes = log->log.segment_bytes;
    log->start_ns = clock_ns(CLOCK_MONOTONIC);
    memcpy(payload, MAGIC, 8);
    unsigned char *to = maplog_put_u32(payload + 8, SAMPLE_LOG_FORMAT);
    to = maplog_put_u32(to, version);
    to = maplog_put_u64(to, (uint64_t)pid);
    to = maplog_put_u64(to, clock_ns(CLOCK_REALTIME));
    to = maplog_put_u64(to, log->start_ns);
    maplog_put_u64(to, interval_ns);
    log->counters = payload + COUNTERS_AT;
    log->lease = payload + LEASE_AT;
    maplog_commit(&log->log, payload, SAMPLE_HEADER);
    log->codes_room = log->nodes_room = FIRST_ROOM;
    log->codes = calloc(log->codes_room, sizeof *log->codes);
    log->nodes = calloc(log->nodes_room, sizeof *log->nodes);
    if (log->codes == NULL || log->nodes == NULL) {
        return fail_open(log, ENOMEM);
    }
    log->next_code_id = log->next_node_id = log->generation = 1;
    return 0;
}

void
sample_log_close(sample_log *log)
{
    if (log->counters != NULL) {
        sample_log_publish(log);
    }
    if (log->log.segment != NULL && log->log.segment != log->first_segment) {
        munmap(log->log.segment, log->log.segment_bytes);
    }
    if (log->first_segment != NULL) {
        munmap(log->first_segment, log->first_segment_bytes);
    }
    maplog_close(&log->log);
    free(log->codes);
    free(log->nodes);
    log->codes = NULL;
    log->nodes = NULL;
    log->counters = log->lease = log->first_segment = log->log.segment = NULL;
}

void
sample_log_publish(sample_log *log)
{
    unsigned char *to = log->counters;
    for (int i = 0; i < N_COUNTERS; i++) {
        to = maplog_put_u64(to, log->n[i]);
    }
}

/* Mix a key into table places (the finalizer of MurmurHash3, public domain). */
static uint32_t
mix(uint64_t key)
{
    key ^= key >> 33;
    key *= 0xff51afd7ed558ccdu;
    key ^= key >> 33;
    key *= 0xc4ceb9fe1a85ec53u;
    key ^= key >> 33;
    return (uint32_t)key;
}

/* Find the place of an address: its entry, or the free one where it would go. */
static code_entry *
probe_code(code_entry *codes, uint32_t room, uint64_t address)
{
    uint32_t place = mix(address) & (room - 1);
    while (codes[place].address != 0 && codes[place].address != address) {
        place = (place + 1) & (room - 1);
    }
    return &codes[place];
}

code_entry *
sample_log_find_code(sample_log *log, uint64_t address)
{
    code_entry *entry = probe_code(log->codes, log->codes_room, address);
    return entry->address != 0 && entry->id != NO_CODE ? entry : NULL;
}

void
sample_log_erase_code(sample_log *log, uint64_t address)
{
    code_entry *entry = probe_code(log->codes, log->codes_room, address);
    if (entry->address != 0 && entry->id != NO_CODE) {
        entry->id = NO_CODE;
        log->generation++;
    }
}

void
sample_log_erase_all_codes(sample_log *log)
{
    memset(log->codes, 0, log->codes_room * sizeof *log->codes);
    log->codes_used = 0;
    log->generation++;
}

/* Make room for one more code object: drop the erased ones, double, or start again at the limit. */
static int
make_code_room(sample_log *log)
{
    if (log->codes_used * 2 < log->codes_room) {
        return 0;
    }
    uint32_t live = 0;
    for (uint32_t i = 0; i < log->codes_room; i++) {
        live += log->codes[i].address != 0 && log->codes[i].id != NO_CODE;
    }
    if (live >= MAX_LIVE_CODES) {
        sample_log_erase_all_codes(log);
        return 0;
    }
    uint32_t room = log->codes_room;
    while (live * 4 >= room) {
        room *= 2;
    }
    code_entry *codes = calloc(room, sizeof *codes);
    if (codes == NULL) {
        end_log(log, ENOMEM);
        return -1;
    }
    for (uint32_t i = 0; i < log->codes_room; i++) {
        const code_entry *entry = &log->codes[i];
        if (entry->address != 0 && entry->id != NO_CODE) {
            *probe_code(codes, room, entry->address) = *entry;
        }
    }
    free(log->codes);
    log->codes = codes;
    log->codes_room = room;
    log->codes_used = live;
    return 0;
}

/* Log a code object under a new number. NO_CODE if the log has ended. */
static uint32_t
log_code(sample_log *log, const code_names *names)
{
    size_t size = 2 * 4 + 3 * 4 + (size_t)names->filename_bytes + names->qualname_bytes + names->linetable_bytes;
    unsigned char *payload = reserve(log, size);
    if (payload == NULL) {
        return NO_CODE;
    }
    uint32_t id = log->next_code_id++;
    unsigned char *to = maplog_put_u32(payload, id);
    to = maplog_put_u32(to, names->first_line);
    to = maplog_put_bytes(to, names->filename, names->filename_bytes);
    to = maplog_put_bytes(to, names->qualname, names->qualname_bytes);
    maplog_put_bytes(to, names->linetable, names->linetable_bytes);
    maplog_commit(&log->log, payload, SAMPLE_CODE);
    log->n[COUNT_CODES]++;
    return id;
}

code_entry *
sample_log_add_code(sample_log *log, uint64_t address, const code_names *names)
{
    if (make_code_room(log) < 0) {
        return NULL;
    }
    uint32_t id = code_names_is_hidden(names) ? HIDDEN_CODE : log_code(log, names);
    if (id == NO_CODE) {
        return NULL;
    }
    code_entry *entry = probe_code(log->codes, log->codes_room, address);
    log->codes_used += entry->address == 0;
    *entry = (code_entry){.address = address, .id = id, .n_units = names->n_units};
    return entry;
}

static node_entry *
probe_node(node_entry *nodes, uint32_t room, uint32_t parent, uint32_t code, uint32_t unit)
{
    uint64_t key = ((uint64_t)parent << 32 | code) ^ (uint64_t)unit * 0x9e3779b97f4a7c15u;
    uint32_t place = mix(key) & (room - 1);
    while (nodes[place].id != NO_NODE
           && (nodes[place].parent != parent || nodes[place].code != code || nodes[place].unit != unit)) {
        place = (place + 1) & (room - 1);
    }
    return &nodes[place];
}

static int
make_node_room(sample_log *log)
{
    if (log->nodes_used * 2 < log->nodes_room) {
        return 0;
    }
    if (log->nodes_used >= MAX_LIVE_NODES) {
        memset(log->nodes, 0, log->nodes_room * sizeof *log->nodes);
        log->nodes_used = 0;
        log->generation++;
        return 0;
    }
    uint32_t room = log->nodes_room * 2;
    node_entry *nodes = calloc(room, sizeof *nodes);
    if (nodes == NULL) {
        end_log(log, ENOMEM);
        return -1;
    }
    for (uint32_t i = 0; i < log->nodes_room; i++) {
        const node_entry *entry = &log->nodes[i];
        if (entry->id != NO_NODE) {
            *probe_node(nodes, room, entry->parent, entry->code, entry->unit) = *entry;
        }
    }
    free(log->nodes);
    log->nodes = nodes;
    log->nodes_room = room;
    return 0;
}

uint32_t
sample_log_intern_node(sample_log *log, uint32_t parent, uint32_t code, uint32_t unit)
{
    node_entry *entry = probe_node(log->nodes, log->nodes_room, parent, code, unit);
    if (entry->id != NO_NODE) {
        return entry->id;
    }
    if (make_node_room(log) < 0) {
        return NO_NODE;
    }
    unsigned char *payload = reserve(log, NODE_BYTES);
    if (payload == NULL) {
        return NO_NODE;
    }
    uint32_t id = log->next_node_id++;
    unsigned char *to = maplog_put_u32(payload, id);
    to = maplog_put_u32(to, parent);
    to = maplog_put_u32(to, code);
    maplog_put_u32(to, unit);
    maplog_commit(&log->log, payload, SAMPLE_NODE);
    log->n[COUNT_NODES]++;
    entry = probe_node(log->nodes, log->nodes_room, parent, code, unit);
    *entry = (node_entry){parent, code, unit, id};
    log->nodes_used++;
    return id;
}

void
sample_log_name_thread(sample_log *log, uint32_t index, uint64_t native_id, const char *name)
{
    uint32_t name_bytes = (uint32_t)strnlen(name, MAX_THREAD_NAME);
    unsigned char *payload = reserve(log, 4 + 4 + 8 + 4 + name_bytes);
    if (payload != NULL) {
        unsigned char *to = maplog_put_u32(payload, index);
        to = maplog_put_u32(to, 0);
        to = maplog_put_u64(to, native_id);
        maplog_put_bytes(to, name, name_bytes);
        maplog_commit(&log->log, payload, SAMPLE_THREAD);
    }
}

uint32_t
sample_log_add_thread(sample_log *log, uint64_t native_id, const char *name)
{
    uint32_t index = log->next_thread_index++;
    sample_log_name_thread(log, index, native_id, name);
    return index;
}

sample_place
sample_log_add_sample(sample_log *log, const sample_fields *sample)
{
    unsigned char *payload = reserve(log, SAMPLE_BYTES);
    if (payload == NULL) {
        return (sample_place){NULL, 0};
    }
    unsigned char *to = maplog_put_u32(payload, sample->thread_index);
    to = maplog_put_u32(to, sample->node);
    to = maplog_put_u64(to, sample->time_ns);
    to = maplog_put_u64(to, sample->cpu_ns);
    to = maplog_put_u32(to, sample->context);
    memcpy(to, &sample->flags, 2);
    memcpy(payload + SAMPLE_REPEAT_AT, &sample->repeat, 2);
    maplog_commit(&log->log, payload, SAMPLE_SAMPLE);
    return (sample_place){payload, log->log.file_bytes};
}

void
sample_log_add_waiting(sample_log *log, uint32_t thread_index, uint32_t node, uint64_t time_ns, uint64_t wall_ns,
                       uint32_t n)
{
    unsigned char *payload = reserve(log, WAITING_BYTES);
    if (payload == NULL) {
        return;
    }
    unsigned char *to = maplog_put_u32(payload, thread_index);
    to = maplog_put_u32(to, node);
    to = maplog_put_u64(to, time_ns);
    to = maplog_put_u64(to, wall_ns);
    to = maplog_put_u32(to, n);
    maplog_put_u32(to, 0);
    maplog_commit(&log->log, payload, SAMPLE_WAITING);
}

void
sample_log_add_calls(sample_log *log, uint32_t code_id, const uint32_t *units, uint32_t n)
{
    unsigned char *payload = reserve(log, 8 + 4 * (size_t)n);
    if (payload == NULL) {
        return;
    }
    unsigned char *to = maplog_put_u32(payload, code_id);
    to = maplog_put_u32(to, n);
    for (uint32_t i = 0; i < n; i++) {
        to = maplog_put_u32(to, units[i]);
    }
    maplog_commit(&log->log, payload, SAMPLE_CALLS);
}

void
sample_log_add_mappings(sample_log *log, const char *text, uint32_t n_text)
{
    unsigned char *payload = reserve(log, 8 + 4 + (size_t)n_text);
    if (payload != NULL) {
        maplog_put_bytes(maplog_put_u64(payload, clock_ns(CLOCK_REALTIME)), text, n_text);
        maplog_commit(&log->log, payload, SAMPLE_MAPPINGS);
    }
}

int
sample_log_add_c_stack(sample_log *log, uint32_t thread_index, const uint64_t registers[N_REGISTERS],
                       const c_stack_entry *entries, uint32_t n_entries, const unsigned char *bytes, uint32_t n_bytes,
                       uint32_t n_same)
{
    size_t size = C_STACK_HEAD_BYTES + 8 * (size_t)N_REGISTERS + 16 * (size_t)n_entries + n_bytes - n_same;
    unsigned char *payload = reserve(log, size);
    if (payload == NULL) {
        return 0;
    }
    unsigned char *to = maplog_put_u32(payload, thread_index);
    to = maplog_put_u32(to, n_entries);
    to = maplog_put_u32(to, n_bytes);
    to = maplog_put_u32(to, n_same);
    to = maplog_put_u64(to, 0);
    for (int i = 0; i < N_REGISTERS; i++) {
        to = maplog_put_u64(to, registers[i]);
    }
    for (uint32_t i = 0; i < n_entries; i++) {
        to = maplog_put_u64(to, entries[i].address);
        to = maplog_put_u32(to, entries[i].node);
        to = maplog_put_u32(to, 0);
    }
    if (n_bytes != n_same) {
        memcpy(to, bytes, n_bytes - n_same);
    }
    maplog_commit(&log->log, payload, SAMPLE_C_STACK);
    return 1;
}

int
sample_log_is_mapped(const sample_log *log, sample_place place)
{
    return place.payload != NULL && place.log_bytes == log->log.file_bytes;
}

void
sample_log_put_repeat(sample_place place, uint64_t time_ns, uint16_t repeat)
{
    maplog_put_u64(place.payload + SAMPLE_TIME_AT, time_ns);
    memcpy(place.payload + SAMPLE_REPEAT_AT, &repeat, 2);
}
