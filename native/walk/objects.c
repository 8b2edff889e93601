/* objects.c decodes dicts, sets, attributes and types of Python objects. Everything that is read is untrusted. */
#include "walk/objects.h"

#include <string.h>

#define SET_SLOT_BYTES 16u /* key, hash */
#define SLOTS_PER_READ 64u
#define MAX_SET_SLOTS 262144u
#define NO_HASH UINT64_MAX /* of a slot that was cleared */

/* Include/cpython/dictobject.h and Include/internal/pycore_dict.h */
#define DICT_KEYS 32u /* after it, the values of a dict that shares its keys */
#define DICT_BYTES 48u
#define KEYS_INDEX_BITS 9u /* dk_log2_index_bytes */
#define KEYS_KIND 10u
#define KEYS_N_ENTRIES 24u
#define KEYS_HEAD_BYTES 32u
#define MAX_INDEX_BITS 24u
#define MAX_ENTRIES (1u << 20)
#define KIND_GENERAL 0 /* entries are hash, key, value */
#define KIND_UNICODE 1 /* key, value */
#define KIND_SPLIT 2 /* key, and a value that is unused: it is with the object */
#define MAX_ENTRY_BYTES 24u
#define ENTRIES_PER_READ 32u
#define MAX_KEY_BYTES 64u

/* Include/cpython/object.h */
#define TYPE_NAME 24u
#define TYPE_BASE 256u
#define TYPE_CACHED_KEYS 880u
#define FLAG_INLINE_VALUES (1u << 2)
#define FLAG_MANAGED_DICT (1u << 4)
#define MANAGED_DICT_BEFORE 24u

uint64_t
object_word(const memory_source *source, uint64_t address, uint32_t offset)
{
    uint64_t word = 0;
    if (address == 0 || (address & 7) != 0 || memory_read(source, address + offset, &word, sizeof word) < 0) {
        return 0;
    }
    return word;
}

uint64_t
object_type(const object_reader *reader, uint64_t object)
{
    return object_word(reader->source, object, reader->offsets->object_type);
}

int
object_is_a(const object_reader *reader, uint64_t object, uint64_t type)
{
    uint64_t at = type != 0 ? object_type(reader, object) : 0;
    for (int i = 0; i < MAX_SUPERCLASSES && at != 0; i++) {
        if (at == type) {
            return 1;
        }
        at = object_word(reader->source, at, TYPE_BASE);
    }
    return 0;
}

int
object_is_kind(const object_reader *reader, uint64_t object, const char *name)
{
    char found[MAX_KEY_BYTES];
    size_t size = strlen(name) + 1;
    uint64_t at = object_word(reader->source, object_type(reader, object), TYPE_NAME);
    return at != 0 && size <= sizeof found && memory_read(reader->source, at, found, size) == 0
           && memcmp(found, name, size) == 0;
}

/* The keys of a dict, and where its entries are. */
typedef struct dict_keys {
    uint64_t entries;
    uint64_t n_entries;
    uint32_t entry_bytes;
    uint32_t key_at; /* in an entry */
} dict_keys;

static int
read_keys(const object_reader *reader, uint64_t address, dict_keys *keys)
{
    unsigned char head[KEYS_HEAD_BYTES];
    if (address == 0 || (address & 7) != 0 || memory_read(reader->source, address, head, sizeof head) < 0) {
        return -1;
    }
    int is_general = head[KEYS_KIND] == KIND_GENERAL;
    keys->n_entries = load_u64(head + KEYS_N_ENTRIES);
    if (head[KEYS_INDEX_BITS] > MAX_INDEX_BITS || head[KEYS_KIND] > KIND_SPLIT || keys->n_entries > MAX_ENTRIES) {
        return -1;
    }
    keys->entries = address + KEYS_HEAD_BYTES + ((uint64_t)1 << head[KEYS_INDEX_BITS]);
    keys->entry_bytes = is_general ? MAX_ENTRY_BYTES : 16;
    keys->key_at = is_general ? 8 : 0;
    return 0;
}

/* Whether each of `n` objects is an ASCII string of `length`; -1 if one can't be read. */
static int
find_texts_of_length(const object_reader *reader, const uint64_t *objects, uint32_t n, size_t length, int *is_candidate)
{
    const walk_offsets *offsets = reader->offsets;
    unsigned char heads[ENTRIES_PER_READ][MAX_KEY_BYTES];
    memory_span spans[ENTRIES_PER_READ];
    int n_spans = 0;
    uint32_t size = offsets->text_ascii_data;
    if (size > MAX_KEY_BYTES || offsets->text_length > size - 8 || offsets->text_state > size - 4) {
        return -1;
    }
    for (uint32_t i = 0; i < n; i++) {
        memset(heads[i], 0, sizeof heads[i]);
        if (objects[i] != 0 && (objects[i] & 7) == 0) {
            spans[n_spans++] = (memory_span){objects[i], heads[i], size};
        }
    }
    if (n_spans != 0 && memory_read_spans(reader->source, spans, n_spans) < 0) {
        return -1;
    }
    for (uint32_t i = 0; i < n; i++) {
        is_candidate[i] = load_u64(heads[i] + offsets->text_length) == length;
    }
    return 0;
}

static int
is_text(const object_reader *reader, uint64_t object, const char *text, size_t length)
{
    char found[MAX_KEY_BYTES];
    return memory_read(reader->source, object + reader->offsets->text_ascii_data, found, length) == 0
           && memcmp(found, text, length) == 0;
}

int
object_is_text(const object_reader *reader, uint64_t object, const char *text)
{
    size_t length = strlen(text);
    int is_candidate = 0;
    return length <= MAX_KEY_BYTES && find_texts_of_length(reader, &object, 1, length, &is_candidate) == 0
           && is_candidate && is_text(reader, object, text, length);
}

/* Find a key: `text`, or if that is NULL the object `wanted`. Returns its entry's number, with the entry's value in
 * *value; -1 if it is not there. The search begins at the entry *first, which is advanced to the end. */
static int64_t
find_key(const object_reader *reader, const dict_keys *keys, const char *text, uint64_t wanted, uint64_t *first,
         uint64_t *value)
{
    unsigned char entries[ENTRIES_PER_READ * MAX_ENTRY_BYTES];
    uint64_t objects[ENTRIES_PER_READ];
    int is_candidate[ENTRIES_PER_READ];
    size_t length = text != NULL ? strlen(text) : 0;
    if (length > MAX_KEY_BYTES) {
        return -1;
    }
    while (*first < keys->n_entries) {
        uint64_t n_left = keys->n_entries - *first;
        uint32_t n = n_left < ENTRIES_PER_READ ? (uint32_t)n_left : ENTRIES_PER_READ;
        uint64_t at = keys->entries + *first * keys->entry_bytes;
        if (memory_read(reader->source, at, entries, (size_t)n * keys->entry_bytes) < 0) {
            return -1;
        }
        for (uint32_t i = 0; i < n; i++) {
            objects[i] = load_u64(entries + i * keys->entry_bytes + keys->key_at);
            is_candidate[i] = objects[i] == wanted;
        }
        if (text != NULL && find_texts_of_length(reader, objects, n, length, is_candidate) < 0) {
            return -1;
        }
        for (uint32_t i = 0; i < n; i++) {
            if (is_candidate[i] && (text == NULL || is_text(reader, objects[i], text, length))) {
                *value = load_u64(entries + i * keys->entry_bytes + keys->key_at + 8);
                return (int64_t)(*first + i);
            }
        }
        *first += n;
    }
    return -1;
}

static uint64_t
find_in_dict(const object_reader *reader, uint64_t dict, const char *text, uint64_t wanted, dict_place *place)
{
    unsigned char head[DICT_BYTES];
    dict_keys keys;
    dict_place start = {0};
    place = place != NULL ? place : &start;
    if (dict == 0 || (dict & 7) != 0 || memory_read(reader->source, dict, head, sizeof head) < 0) {
        return 0;
    }
    uint64_t address = load_u64(head + DICT_KEYS);
    uint64_t values = load_u64(head + DICT_KEYS + 8);
    if (read_keys(reader, address, &keys) < 0) {
        return 0;
    }
    if (address != place->keys || place->n_looked > keys.n_entries) {
        *place = (dict_place){.keys = address};
    }
    uint64_t value = 0;
    int64_t found = find_key(reader, &keys, text, wanted, &place->n_looked, &value);
    if (found >= 0 && values != 0) {
        value = object_word(reader->source, values, reader->layout->values_head + 8 * (uint32_t)found);
    }
    return found >= 0 ? value : 0;
}

uint64_t
dict_value(const object_reader *reader, uint64_t dict, const char *key, dict_place *place)
{
    return find_in_dict(reader, dict, key, 0, place);
}

uint64_t
dict_value_of(const object_reader *reader, uint64_t dict, uint64_t key)
{
    return key != 0 ? find_in_dict(reader, dict, NULL, key, NULL) : 0;
}

/* Where an object has its attributes: the address of the first, or 0 and *dict. */
static uint64_t
find_values(const object_reader *reader, uint64_t object, uint32_t flags, uint64_t *dict)
{
    *dict = object_word(reader->source, object - MANAGED_DICT_BEFORE, 0);
    if (reader->layout->has_inline_values) {
        uint64_t values = object + reader->offsets->object_type + 8;
        unsigned char head[8] = {0};
        int are_valid = (flags & FLAG_INLINE_VALUES) != 0 && memory_read(reader->source, values, head, sizeof head) == 0
                        && head[3] != 0;
        return are_valid ? values + reader->layout->values_head : 0;
    }
    return (*dict & 1) != 0 ? *dict + 1 : 0; /* the lowest bit tells values from a dict */
}

uint64_t
object_attribute(const object_reader *reader, uint64_t object, const char *name)
{
    uint64_t type = object_type(reader, object);
    uint32_t flags = 0;
    uint64_t dict = 0;
    dict_keys keys;
    if (type == 0 || memory_read(reader->source, type + reader->layout->coroutines.type_flags, &flags, sizeof flags) < 0
        || (flags & FLAG_MANAGED_DICT) == 0) {
        return 0;
    }
    uint64_t values = find_values(reader, object, flags, &dict);
    if (values == 0) {
        return dict_value(reader, dict, name, NULL);
    }
    uint64_t first = 0, unused = 0;
    if (read_keys(reader, object_word(reader->source, type, TYPE_CACHED_KEYS), &keys) < 0) {
        return 0;
    }
    int64_t found = find_key(reader, &keys, name, 0, &first, &unused);
    return found >= 0 ? object_word(reader->source, values, 8 * (uint32_t)found) : 0;
}

walk_status
set_visit(const memory_source *source, const coroutine_offsets *at, uint64_t address, object_visitor visit,
          void *argument)
{
    unsigned char set[MAX_OBJECT_OFFSET + 8];
    unsigned char slots[SLOTS_PER_READ * SET_SLOT_BYTES];
    if (address == 0 || (address & 7) != 0) {
        return WALK_TORN;
    }
    if (memory_read(source, address, set, sizeof set) < 0) {
        return WALK_UNREADABLE;
    }
    uint64_t n_left = load_u64(set + at->set_used);
    uint64_t mask = load_u64(set + at->set_mask);
    uint64_t table = load_u64(set + at->set_table);
    if (mask >= MAX_SET_SLOTS || (mask & (mask + 1)) != 0 || n_left > mask + 1) {
        return WALK_TORN;
    }
    for (uint64_t first = 0; first <= mask && n_left != 0; first += SLOTS_PER_READ) {
        uint64_t n = mask + 1 - first < SLOTS_PER_READ ? mask + 1 - first : SLOTS_PER_READ;
        if (memory_read(source, table + first * SET_SLOT_BYTES, slots, n * SET_SLOT_BYTES) < 0) {
            return WALK_UNREADABLE;
        }
        for (uint64_t i = 0; i < n && n_left != 0; i++) {
            uint64_t key = load_u64(slots + i * SET_SLOT_BYTES);
            if (key != 0 && load_u64(slots + i * SET_SLOT_BYTES + 8) != NO_HASH) {
                n_left--;
                visit(argument, key);
            }
        }
    }
    uint64_t after[3] = {object_word(source, address, at->set_used), object_word(source, address, at->set_mask),
                         object_word(source, address, at->set_table)};
    return n_left == 0 && after[0] == load_u64(set + at->set_used) && after[1] == mask && after[2] == table ? WALK_OK
                                                                                                            : WALK_TORN;
}
