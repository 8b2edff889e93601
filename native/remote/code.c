/* remote/code.c checks whether a code object that was read once is still there. From outside there is no notice when
 * one is freed, and memory is reused at once, so the fields that identify an object are compared. 3.14 and later count
 * the code objects freed, and nothing is checked until that changes; 3.12 and 3.13 number code objects (co_version), so
 * an equal header is the same object; 3.11 does not, so there names and tables are also read again. */
#include "remote/code.h"

#include <stdlib.h>

/* FNV-1a. */
static uint64_t
hash_bytes(uint64_t hash, const void *bytes, size_t size)
{
    const unsigned char *at = bytes;
    for (size_t i = 0; i < size; i++) {
        hash = (hash ^ at[i]) * 0x100000001b3u;
    }
    return hash;
}

/* A digest of the fields from co_firstlineno to co_linetable, without those that change in use. 0 if it is not a code
 * object. */
static uint64_t
digest_header(const sampler *s, const unsigned char *object)
{
    const walk_offsets *at = &s->interpreter.offsets;
    if (load_u64(object + at->object_type) != s->interpreter.code_type) {
        return 0;
    }
    uint64_t hash = 0xcbf29ce484222325u;
    hash = hash_bytes(hash, object + at->object_size, 8);
    hash = hash_bytes(hash, object + at->code_firstlineno, 4);
    if (at->code_version != 0) {
        hash = hash_bytes(hash, object + at->code_version, 4);
    }
    hash = hash_bytes(hash, object + at->code_filename, 8);
    hash = hash_bytes(hash, object + at->code_qualname, 8);
    hash = hash_bytes(hash, object + at->code_linetable, 8);
    return hash | 1;
}

static uint64_t
read_header(const sampler *s, uint64_t address)
{
    unsigned char object[MAX_CODE_OFFSET + 8];
    if (memory_read(&s->memory, address, object, s->interpreter.offsets.code_header_bytes) < 0) {
        return 0;
    }
    return digest_header(s, object);
}

static uint64_t
digest_names(const code_names *names)
{
    uint64_t hash = 0xcbf29ce484222325u;
    hash = hash_bytes(hash, names->filename, names->filename_bytes);
    hash = hash_bytes(hash, names->qualname, names->qualname_bytes);
    return hash_bytes(hash, names->linetable, names->linetable_bytes);
}

walk_status
remote_read_code(sampler *s, uint64_t address, uint64_t *header)
{
    *header = read_header(s, address);
    walk_status status =
        code_names_read(&s->memory, &s->interpreter.offsets, address, s->interpreter.code_type, &s->names);
    if (status != WALK_OK) {
        return status;
    }
    return *header != 0 && read_header(s, address) == *header ? WALK_OK : WALK_TORN;
}

void
remote_note_code(const sampler *s, code_entry *entry, uint64_t header)
{
    entry->header = header;
    entry->names = digest_names(&s->names);
    entry->checked = s->n_walks;
    entry->checked_ns = remote_target_of(s)->tick_ns;
}

static int
has_same_names(sampler *s, const code_entry *entry)
{
    return code_names_read(&s->memory, &s->interpreter.offsets, entry->address, s->interpreter.code_type, &s->names)
               == WALK_OK
           && digest_names(&s->names) == entry->names;
}

int
remote_is_same_code(sampler *s, code_entry *entry)
{
    const remote_target *target = remote_target_of(s);
    if (entry->checked == s->n_walks
        || (s->interpreter.offsets.interp_code_generation != 0 && entry->checked_ns >= target->checked_all_ns)) {
        return 1;
    }
    int is_same = read_header(s, entry->address) == entry->header;
    if (is_same && s->interpreter.offsets.code_version == 0 && target->tick_ns - entry->checked_ns > CODE_DOUBT_NS) {
        is_same = has_same_names(s, entry);
        entry->checked_ns = remote_target_of(s)->tick_ns;
    }
    if (s->interpreter.offsets.code_version != 0) {
        entry->checked_ns = remote_target_of(s)->tick_ns;
    }
    entry->checked = s->n_walks;
    if (!is_same) {
        sample_log_erase_code(&s->log, entry->address);
    }
    return is_same;
}
