/* Reading what identifies a code object: its file, its qualified name, its location table. Plain C: no Python.h. */
#ifndef FOOTFALL_WALK_CODE_H
#define FOOTFALL_WALK_CODE_H

#include "walk/offsets.h"

/* Longer texts are cut: no path or name is that long, but a damaged length may be. */
#define MAX_TEXT_CHARS 8192u
#define MAX_TEXT_BYTES (MAX_TEXT_CHARS * 3 + 4)
/* A function of 2 MiB of bytecode; a longer table is left out, and samples of its function have no lines. */
#define MAX_LINETABLE_BYTES (1u << 22)
#define MAX_CODE_UNITS (1u << 26)

typedef struct code_names {
    uint32_t first_line;
    uint32_t n_units;
    uint32_t filename_bytes;
    uint32_t qualname_bytes;
    uint32_t linetable_bytes;
    char filename[MAX_TEXT_BYTES]; /* UTF-8; undecodable bytes are unchanged */
    char qualname[MAX_TEXT_BYTES];
    unsigned char *linetable; /* owned: grows, reused from one code object to the next */
    uint32_t linetable_room;
} code_names;

/* Read the code object at `code`, whose type must be at `code_type`. WALK_OK; WALK_TORN if it is not a code object;
 * WALK_UNREADABLE; WALK_NO_MEMORY. */
walk_status code_names_read(const memory_source *source, const walk_offsets *offsets, uint64_t code, uint64_t code_type,
                            code_names *names);

/* Return whether this is the interpreter's own code, which no traceback shows: what CPython 3.13 and later run below a
 * class's __init__, and 3.12 in the evaluation loop's own frames. */
int code_names_is_hidden(const code_names *names);

/* Set the names for something that is not a code object: `name` (of at most 64 bytes) is its file and its function. */
void code_names_set(code_names *names, const char *name);

/* Read a str object as UTF-8 into `text` (MAX_TEXT_BYTES), without a NUL. Returns as above. */
walk_status walk_read_text(const memory_source *source, const walk_offsets *offsets, uint64_t address, char *text,
                           uint32_t *n_bytes);

void code_names_free(code_names *names);

#endif
