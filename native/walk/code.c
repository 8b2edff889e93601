/* code.c decodes CPython's code, str and bytes objects from raw memory. */
#include "walk/code.h"

#include "walk/memory.h"

#include <stdlib.h>

#define MAX_TEXT_HEADER (MAX_OBJECT_OFFSET + 32)

/* Bits of PyASCIIObject.state, the same from 3.11 to 3.15. */
#define STATE_KIND(state) ((state) >> 2 & 7u)
#define STATE_IS_COMPACT(state) ((state) >> 5 & 1u)
#define STATE_IS_ASCII(state) ((state) >> 6 & 1u)

/* Return whether the first word of an object is a reference count. In freed memory it links free blocks: 0, or an
 * address, which is over 2^32 in CPython's arenas. From 3.14 on the two upper bytes are flags. */
static int
is_alive(const unsigned char *object)
{
    uint64_t count = load_u64(object);
    return (count & 0xffffffffu) != 0 && (count >> 32 & 0xffffu) == 0;
}

/* Write one code point. A surrogate that stands for an undecodable byte (PEP 383) becomes that byte. */
static char *
put_character(char *to, uint32_t c)
{
    if (c < 0x80) {
        *to++ = (char)c;
    }
    else if (c < 0x800) {
        *to++ = (char)(0xc0 | c >> 6);
        *to++ = (char)(0x80 | (c & 63));
    }
    else if (c >= 0xdc80 && c <= 0xdcff) {
        *to++ = (char)(c - 0xdc00);
    }
    else if (c < 0x10000) {
        *to++ = (char)(0xe0 | c >> 12);
        *to++ = (char)(0x80 | (c >> 6 & 63));
        *to++ = (char)(0x80 | (c & 63));
    }
    else {
        *to++ = (char)(0xf0 | (c >> 18 & 7));
        *to++ = (char)(0x80 | (c >> 12 & 63));
        *to++ = (char)(0x80 | (c >> 6 & 63));
        *to++ = (char)(0x80 | (c & 63));
    }
    return to;
}

static uint32_t
encode_text(const unsigned char *data, uint32_t n_chars, uint32_t kind, char *text)
{
    char *to = text;
    char *end = text + MAX_TEXT_BYTES - 4;
    for (uint32_t i = 0; i < n_chars && to < end; i++) {
        uint32_t c = 0;
        memcpy(&c, data + (size_t)i * kind, kind);
        to = put_character(to, c);
    }
    return (uint32_t)(to - text);
}

walk_status
walk_read_text(const memory_source *source, const walk_offsets *offsets, uint64_t address, char *text,
               uint32_t *n_bytes)
{
    unsigned char header[MAX_TEXT_HEADER];
    if (memory_read(source, address, header, offsets->text_ascii_data) < 0) {
        return WALK_UNREADABLE;
    }
    uint64_t length = load_u64(header + offsets->text_length);
    uint32_t state = load_u32(header + offsets->text_state);
    uint32_t kind = STATE_KIND(state);
    if (!is_alive(header) || !STATE_IS_COMPACT(state) || (kind != 1 && kind != 2 && kind != 4)) {
        return WALK_TORN;
    }
    uint32_t n_chars = (uint32_t)(length < MAX_TEXT_CHARS ? length : MAX_TEXT_CHARS);
    uint32_t data_at = STATE_IS_ASCII(state) ? offsets->text_ascii_data : offsets->text_compact_data;
    if (n_chars == 0) {
        *n_bytes = 0;
        return WALK_OK;
    }
    if (STATE_IS_ASCII(state)) {
        *n_bytes = n_chars;
        return memory_read(source, address + data_at, text, n_chars) < 0 ? WALK_UNREADABLE : WALK_OK;
    }
    unsigned char data[MAX_TEXT_CHARS * 4];
    if (memory_read(source, address + data_at, data, (size_t)n_chars * kind) < 0) {
        return WALK_UNREADABLE;
    }
    *n_bytes = encode_text(data, n_chars, kind, text);
    return WALK_OK;
}

/* Read a bytes object into names->linetable. */
static walk_status
read_linetable(const memory_source *source, const walk_offsets *offsets, uint64_t address, code_names *names)
{
    unsigned char header[MAX_OBJECT_OFFSET + 8];
    if (memory_read(source, address, header, offsets->object_size + 8) < 0) {
        return WALK_UNREADABLE;
    }
    if (!is_alive(header)) {
        return WALK_TORN;
    }
    uint64_t size = load_u64(header + offsets->object_size);
    if (size > MAX_LINETABLE_BYTES) {
        size = 0;
    }
    if (size > names->linetable_room) {
        unsigned char *more = realloc(names->linetable, size);
        if (more == NULL) {
            return WALK_NO_MEMORY;
        }
        names->linetable = more;
        names->linetable_room = (uint32_t)size;
    }
    names->linetable_bytes = (uint32_t)size;
    if (size != 0 && memory_read(source, address + offsets->bytes_data, names->linetable, size) < 0) {
        return WALK_UNREADABLE;
    }
    return WALK_OK;
}

walk_status
code_names_read(const memory_source *source, const walk_offsets *offsets, uint64_t code, uint64_t code_type,
                code_names *names)
{
    unsigned char object[MAX_CODE_OFFSET + 8];
    if ((code & 7) != 0) {
        return WALK_TORN;
    }
    if (memory_read(source, code, object, offsets->code_linetable + 8) < 0) {
        return WALK_UNREADABLE;
    }
    uint64_t n_units = load_u64(object + offsets->object_size);
    if (!is_alive(object) || load_u64(object + offsets->object_type) != code_type || n_units > MAX_CODE_UNITS) {
        return WALK_TORN;
    }
    names->n_units = (uint32_t)n_units;
    names->first_line = load_u32(object + offsets->code_firstlineno);
    walk_status status = walk_read_text(source, offsets, load_u64(object + offsets->code_filename), names->filename,
                                        &names->filename_bytes);
    if (status == WALK_OK) {
        status = walk_read_text(source, offsets, load_u64(object + offsets->code_qualname), names->qualname,
                                &names->qualname_bytes);
    }
    if (status == WALK_OK) {
        status = read_linetable(source, offsets, load_u64(object + offsets->code_linetable), names);
    }
    return status;
}

static int
is_text(const char *text, uint32_t n_bytes, const char *expected)
{
    return n_bytes == strlen(expected) && memcmp(text, expected, n_bytes) == 0;
}

int
code_names_is_hidden(const code_names *names)
{
    /* 3.12 also gives code to the evaluation loop's own frame; its owner identifies it, except while it is being
     * created. */
    return (is_text(names->filename, names->filename_bytes, "__init__")
            && is_text(names->qualname, names->qualname_bytes, "__init__"))
           || (is_text(names->filename, names->filename_bytes, "<shim>")
               && is_text(names->qualname, names->qualname_bytes, "<interpreter trampoline>"));
}

void
code_names_set(code_names *names, const char *name)
{
    uint32_t size = (uint32_t)strnlen(name, 64);
    memcpy(names->filename, name, size);
    memcpy(names->qualname, name, size);
    names->filename_bytes = names->qualname_bytes = size;
    names->first_line = names->n_units = names->linetable_bytes = 0;
}

void
code_names_free(code_names *names)
{
    free(names->linetable);
    names->linetable = NULL;
    names->linetable_room = 0;
}
