/* The words of a GIL (_gil_runtime_state, from last_holder on, the same in every version). Plain C: no Python.h. */
#ifndef FOOTFALL_WALK_GIL_H
#define FOOTFALL_WALK_GIL_H

#include "walk/memory.h"

#define GIL_BYTES 24u

typedef struct gil_words {
    uint64_t last; /* the PyThreadState that holds it, or held it last */
    uint64_t holder; /* the one that holds it; 0 = nobody */
    uint64_t switches; /* how often it went to another thread than the last one */
} gil_words;

static inline gil_words
gil_words_load(const unsigned char bytes[GIL_BYTES])
{
    uint64_t last = load_u64(bytes);
    return (gil_words){last, load_u32(bytes + 8) == 1 ? last : 0, load_u64(bytes + 16)};
}

#endif
