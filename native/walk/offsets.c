/* offsets.c owns the layouts: two tables, and the reading of _Py_DebugOffsets.
 * _Py_DebugOffsets is a row of 64-bit words, stable within a minor version and not across them, so each
 * minor has its list of word numbers (Include/internal/pycore_debug_offsets.h; in 3.13 pycore_runtime.h). */
#include "walk/offsets.h"

#include "walk/memory.h"

#define MINOR(version) ((version) >> 16 & 0xff)
#define MAJOR(version) ((version) >> 24)

static const walk_offsets layout_3_11 = {
    .root = ROOT_BY_THREAD_OWNER,
    .has_cframe = 1,
    .runtime_interpreters = 40,
    .interp_next = 0,
    .interp_id = 48,
    .interp_threads = 16,
    .interp_gc_collecting = 848,
    .gil_in_runtime = 1,
    .gil_holder = 368,
    .gil_locked = 376,
    .thread_next = 8,
    .thread_interp = 16,
    .thread_frame = 56,
    .thread_native_id = 160,
    .thread_chunk = 296,
    .cframe_frame = 8,
    .frame_code = 32,
    .frame_previous = 48,
    .frame_instr = 56,
    .frame_owner = 69,
    .frame_bytes = 72,
    .instr_is_before = 1,
    .code_filename = 112,
    .code_qualname = 128,
    .code_linetable = 136,
    .code_firstlineno = 72,
    .code_adaptive = 184,
    .object_type = 8,
    .object_size = 16,
    .bytes_data = 32,
    .text_length = 16,
    .text_state = 32,
    .text_ascii_data = 48,
    .text_compact_data = 72,
};

static const walk_offsets layout_3_12 = {
    .root = ROOT_BY_SHIM,
    .has_cframe = 1,
    .runtime_interpreters = 40,
    .interp_next = 0,
    .interp_id = 8,
    .interp_threads = 72,
    .interp_gc_collecting = 312,
    .interp_gil = 384,
    .gil_holder = 1048,
    .gil_locked = 1056,
    .thread_next = 8,
    .thread_interp = 16,
    .thread_frame = 56,
    .thread_native_id = 144,
    .thread_chunk = 232,
    .cframe_frame = 0,
    .frame_code = 0,
    .frame_previous = 8,
    .frame_instr = 56,
    .frame_owner = 70,
    .frame_bytes = 72,
    .instr_is_before = 1,
    .code_filename = 112,
    .code_qualname = 128,
    .code_linetable = 136,
    .code_firstlineno = 68,
    .code_version = 92,
    .code_adaptive = 192,
    .object_type = 8,
    .object_size = 16,
    .bytes_data = 32,
    .text_length = 16,
    .text_state = 32,
    .text_ascii_data = 40,
    .text_compact_data = 56,
};

/* Word numbers in _Py_DebugOffsets. */
typedef struct debug_words {
    uint8_t count; /* words in all */
    uint8_t base_frame; /* 0 = the version has none */
    uint8_t frame_first; /* size, previous, executable, instr_ptr, localsplus, owner follow */
    uint8_t threads_head;
    uint8_t gil_locked; /* the holder follows */
    uint8_t thread_first; /* size, prev, next, interp, current_frame */
    uint8_t native_id; /* datastack_chunk follows */
    uint8_t code_first; /* size, filename, name, qualname, linetable, firstlineno, ..., +9 adaptive */
    uint8_t object_type;
    uint8_t bytes_first; /* size, ob_size, ob_sval, then unicode: size, state, length, ascii size */
    uint8_t gc; /* of the collector's state in an interpreter */
    uint8_t gc_collecting; /* in that state */
    uint8_t gc_frame; /* likewise; 0 = the version has none */
} debug_words;

#define WORD_COOKIE 0
#define WORD_VERSION 1
#define WORD_FREE_THREADED 2
#define WORD_FINALIZING 4
#define WORD_INTERPRETERS 5
#define WORD_INTERP_ID 7
#define WORD_INTERP_NEXT 8
#define WORD_INTERP_GIL(at) ((at)->gil_locked - 3)
#define MAX_WORDS 111

static const debug_words words_3_13 = {
    .count = 73,
    .threads_head = 9,
    .gil_locked = 17,
    .thread_first = 19,
    .native_id = 25,
    .frame_first = 28,
    .code_first = 34,
    .object_type = 45,
    .bytes_first = 64,
    .gc = 10,
    .gc_collecting = 72,
};

static const debug_words words_3_14 = {
    .count = 95,
    .threads_head = 9,
    .gil_locked = 18,
    .thread_first = 22,
    .native_id = 28,
    .frame_first = 31,
    .code_first = 39,
    .object_type = 51,
    .bytes_first = 74,
    .gc = 11,
    .gc_collecting = 82,
};

static const debug_words words_3_15 = {
    .count = 111,
    .threads_head = 9,
    .gil_locked = 18,
    .thread_first = 22,
    .base_frame = 27,
    .native_id = 31,
    .frame_first = 39,
    .code_first = 47,
    .object_type = 59,
    .bytes_first = 86,
    .gc = 11,
    .gc_collecting = 95,
    .gc_frame = 96,
};

static int
are_all_below(const uint64_t *words, int first, int last, uint64_t limit)
{
    for (int i = first; i <= last; i++) {
        if (words[i] >= limit) {
            return 0;
        }
    }
    return 1;
}

static int
is_sane(const uint64_t *words, const debug_words *at)
{
    return are_all_below(words, WORD_FINALIZING, WORD_INTERPRETERS, MAX_RUNTIME_OFFSET)
           && are_all_below(words, WORD_INTERP_ID, at->gil_locked + 2, MAX_INTERPRETER_OFFSET)
           && are_all_below(words, at->thread_first + 1, at->native_id + 1, MAX_THREAD_OFFSET)
           && are_all_below(words, at->frame_first + 1, at->frame_first + 5, MAX_FRAME_OFFSET)
           && words[at->frame_first + 4] >= 16
           && are_all_below(words, at->frame_first + 1, at->frame_first + 3, words[at->frame_first + 4] - 7)
           && words[at->frame_first + 5] < words[at->frame_first + 4]
           && are_all_below(words, at->code_first + 1, at->code_first + 9, MAX_CODE_OFFSET)
           && are_all_below(words, at->object_type, at->object_type, MAX_OBJECT_OFFSET)
           && are_all_below(words, at->bytes_first, at->bytes_first + 6, MAX_OBJECT_OFFSET)
           && are_all_below(words, at->gc_collecting, at->gc_collecting + (at->gc_frame != 0), MAX_GC_OFFSET)
           && words[at->gc_collecting] >= 72; /* what is counted is read too */
}

static walk_status
layout_from_words(const uint64_t *words, const debug_words *at, walk_offsets *out)
{
    if (memcmp(&words[WORD_COOKIE], "xdebugpy", 8) != 0 || words[WORD_FREE_THREADED] != 0
        || MINOR(words[WORD_VERSION]) != MINOR(out->version) || !is_sane(words, at)) {
        return WALK_UNKNOWN;
    }
    out->root = at->base_frame != 0 ? ROOT_BY_BASE_FRAME : ROOT_BY_SHIM;
    out->runtime_finalizing = (uint32_t)words[WORD_FINALIZING];
    out->runtime_interpreters = (uint32_t)words[WORD_INTERPRETERS];
    out->interp_id = (uint32_t)words[WORD_INTERP_ID];
    out->interp_next = (uint32_t)words[WORD_INTERP_NEXT];
    out->interp_threads = (uint32_t)words[at->threads_head];
    out->gil_locked = (uint32_t)words[at->gil_locked];
    out->gil_holder = (uint32_t)words[at->gil_locked + 1];
    out->interp_gil = (uint32_t)words[WORD_INTERP_GIL(at)];
    out->interp_code_generation = MINOR(out->version) >= 14 ? (uint32_t)words[at->gil_locked + 2] : 0;
    out->interp_gc_collecting = (uint32_t)(words[at->gc] + words[at->gc_collecting]);
    out->interp_gc_frame = at->gc_frame != 0 ? (uint32_t)(words[at->gc] + words[at->gc_frame]) : 0;
    out->thread_next = (uint32_t)words[at->thread_first + 2];
    out->thread_interp = (uint32_t)words[at->thread_first + 3];
    out->thread_frame = (uint32_t)words[at->thread_first + 4];
    out->thread_base_frame = at->base_frame != 0 ? (uint32_t)words[at->base_frame] : 0;
    if (words[at->native_id] != words[at->native_id - 1] + 8) {
        return WALK_UNKNOWN; /* thread_id is read as the word before native_thread_id */
    }
    out->thread_native_id = (uint32_t)words[at->native_id];
    out->thread_chunk = (uint32_t)words[at->native_id + 1];
    out->frame_previous = (uint32_t)words[at->frame_first + 1];
    out->frame_code = (uint32_t)words[at->frame_first + 2];
    out->frame_instr = (uint32_t)words[at->frame_first + 3];
    out->frame_bytes = (uint32_t)words[at->frame_first + 4];
    out->frame_owner = (uint32_t)words[at->frame_first + 5];
    out->code_tag_mask = MINOR(out->version) >= 14 ? 3 : 0;
    out->code_filename = (uint32_t)words[at->code_first + 1];
    out->code_qualname = (uint32_t)words[at->code_first + 3];
    out->code_linetable = (uint32_t)words[at->code_first + 4];
    out->code_firstlineno = (uint32_t)words[at->code_first + 5];
    out->code_adaptive = (uint32_t)words[at->code_first + 9];
    out->code_version = out->code_firstlineno + 24; /* five ints and it, since 3.12 */
    out->object_type = (uint32_t)words[at->object_type];
    out->object_size = (uint32_t)words[at->bytes_first + 1];
    out->bytes_data = (uint32_t)words[at->bytes_first + 2];
    out->text_state = (uint32_t)words[at->bytes_first + 4];
    out->text_length = (uint32_t)words[at->bytes_first + 5];
    out->text_ascii_data = (uint32_t)words[at->bytes_first + 6];
    out->text_compact_data = out->text_ascii_data + 16; /* utf8_length and utf8 */
    return WALK_OK;
}

static uint32_t
end_of_code_fields(const walk_offsets *offsets)
{
    const uint32_t starts[] = {offsets->code_filename, offsets->code_qualname, offsets->code_linetable,
                               offsets->code_version, offsets->code_firstlineno};
    uint32_t end = 0;
    for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++) {
        end = starts[i] + 8 > end ? starts[i] + 8 : end;
    }
    return end < MAX_CODE_OFFSET ? end : MAX_CODE_OFFSET;
}

static uint32_t
end_of_thread_fields(const walk_offsets *offsets)
{
    const uint32_t ends[] = {
        offsets->thread_chunk + 24, /* the chunk, its top, its limit */
        offsets->thread_native_id + 8,
        offsets->thread_frame + 8,
        offsets->thread_base_frame + 8,
    };
    uint32_t end = 0;
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        end = ends[i] > end ? ends[i] : end;
    }
    return end;
}

walk_status
walk_find_offsets(const memory_source *source, uint64_t runtime, uint32_t version, walk_offsets *offsets)
{
    const debug_words *at = NULL;
    if (MAJOR(version) != 3) {
        return WALK_UNKNOWN;
    }
    switch (MINOR(version)) {
    case 11:
        *offsets = layout_3_11;
        break;
    case 12:
        *offsets = layout_3_12;
        break;
    case 13:
        at = &words_3_13;
        break;
    case 14:
        at = &words_3_14;
        break;
    case 15:
        at = &words_3_15;
        break;
    default:
        return WALK_UNKNOWN;
    }
    if (at != NULL) {
        uint64_t words[MAX_WORDS];
        memset(offsets, 0, sizeof *offsets);
        offsets->version = version;
        if (memory_read(source, runtime, words, at->count * sizeof words[0]) < 0) {
            return WALK_UNREADABLE;
        }
        walk_status status = layout_from_words(words, at, offsets);
        if (status != WALK_OK) {
            return status;
        }
    }
    offsets->version = version;
    offsets->thread_bytes = end_of_thread_fields(offsets);
    offsets->code_header_bytes = end_of_code_fields(offsets);
    return WALK_OK;
}

/* Word numbers of what coroutines and sets need. The groups' sizes come before their first words. */
typedef struct coroutine_words {
    uint8_t count;
    uint8_t stackpointer;
    uint8_t type_flags;
    uint8_t set_used; /* table and mask follow */
    uint8_t long_tag; /* digits follow */
    uint8_t gen_frame; /* the state follows */
    uint8_t list_next; /* previous follows */
} coroutine_words;

static const coroutine_words coroutine_words_3_14 = {95, 37, 55, 63, 72, 85, 87};
static const coroutine_words coroutine_words_3_15 = {111, 45, 63, 75, 84, 101, 103};

walk_status
walk_find_coroutine_offsets(const memory_source *source, uint64_t runtime, const walk_offsets *offsets,
                            coroutine_offsets *found)
{
    uint64_t words[MAX_WORDS];
    int is_3_14 = MINOR(offsets->version) == 14;
    const coroutine_words *at = is_3_14 ? &coroutine_words_3_14 : &coroutine_words_3_15;
    if (MAJOR(offsets->version) != 3 || (!is_3_14 && MINOR(offsets->version) != 15)) {
        return WALK_UNKNOWN;
    }
    if (memory_read(source, runtime, words, at->count * sizeof words[0]) < 0) {
        return WALK_UNREADABLE;
    }
    if (words[at->stackpointer] > offsets->frame_bytes - 8
        || !are_all_below(words, at->type_flags, at->type_flags, MAX_TYPE_OFFSET)
        || !are_all_below(words, at->set_used, at->set_used + 2, MAX_OBJECT_OFFSET)
        || !are_all_below(words, at->long_tag, at->long_tag + 1, MAX_OBJECT_OFFSET)
        || !are_all_below(words, at->gen_frame, at->gen_frame + 1, MAX_OBJECT_OFFSET)
        || words[at->gen_frame + 1] >= words[at->gen_frame] /* it is read with what comes before the frame */
        || words[at->list_next] > 8 || words[at->list_next + 1] > 8) {
        return WALK_UNKNOWN;
    }
    found->frame_stackpointer = (uint32_t)words[at->stackpointer];
    found->type_flags = (uint32_t)words[at->type_flags];
    found->set_used = (uint32_t)words[at->set_used];
    found->set_table = (uint32_t)words[at->set_used + 1];
    found->set_mask = (uint32_t)words[at->set_used + 2];
    found->long_tag = (uint32_t)words[at->long_tag];
    found->long_digits = (uint32_t)words[at->long_tag + 1];
    found->gen_frame = (uint32_t)words[at->gen_frame];
    found->gen_state = (uint32_t)words[at->gen_frame + 1];
    found->list_next = (uint32_t)words[at->list_next];
    found->list_previous = (uint32_t)words[at->list_next + 1];
    /* enum _framestate; 3.15 keeps an index above what is waited for. */
    found->awaited_depth = is_3_14 ? 1 : 2;
    found->state_waits[0] = is_3_14 ? -1 : 2;
    found->state_waits[1] = is_3_14 ? -1 : 3;
    found->state_runs = is_3_14 ? 0 : 4;
    found->state_ended = is_3_14 ? 1 : 5;
    return WALK_OK;
}
