/* The files that this process runs native code of, and where. Plain C: no Python.h. Belongs to the sampling thread. */
#ifndef FOOTFALL_SAMPLER_NATIVE_FRAMES_MAPPINGS_H
#define FOOTFALL_SAMPLER_NATIVE_FRAMES_MAPPINGS_H

#include "walk/memory.h"

/* What a file is: the interpreter and its own extensions, a library of the system, or the program's own. */
#define FILE_INTERPRETER 'i'
#define FILE_SYSTEM 's'
#define FILE_PROGRAM 'p'

typedef struct code_range {
    uint64_t start;
    uint64_t end;
} code_range;

typedef struct code_mappings {
    uint64_t interpreter; /* an address in the interpreter's data */
    uint64_t own; /* an address in our own code */
    uint64_t loaded; /* address of the dynamic linker's struct r_debug; 0 = not known */
    uint64_t last_loaded; /* address of the last link_map of its list, when the mappings were read; 0 = not known */
    uint64_t next_loaded; /* what follows it, as read with the list of threads; not 0: it may be the last one no more */
    uint64_t next_ns; /* when they are to be read again in any case */
    code_range *ranges; /* owned: code of the program's own files, ascending */
    uint32_t n_ranges;
    char *text; /* owned: a line for each file's code, as in /proc/self/maps, preceded by what it is and a space */
    uint32_t n_text;
} code_mappings;

/* Find what is needed later; `interpreter` is an address in the interpreter's data. */
void code_mappings_open(code_mappings *mappings, uint64_t interpreter);
void code_mappings_close(code_mappings *mappings);

/* Return the part of memory to read into next_loaded; its size is 0 if that is not known. */
memory_span code_mappings_span(code_mappings *mappings);

/* Read the mappings again if files may have been loaded since. Returns whether `text` is new. */
int code_mappings_follow(code_mappings *mappings, const memory_source *memory, uint64_t now_ns);

/* Return whether an address is in code of the program's own files. */
int code_mappings_has(const code_mappings *mappings, uint64_t address);

#endif
