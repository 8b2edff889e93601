/* offsets.c finds where the fields of an interpreter's structures are: from what its version fixes (walk/layouts) and
 * from what its _Py_DebugOffsets, an array of 64-bit words, publishes. It contains nothing specific to a version.
 * Everything that is read is untrusted. */
#include "walk/offsets.h"

#include "walk/layouts/layout.h"
#include "walk/memory.h"

/* The first words are the same in every version. */
#define WORD_COOKIE 0
#define WORD_VERSION 1
#define WORD_FREE_THREADED 2

#define MINOR_VERSION(version) ((version) >> 16 & 0xffff)

/* Return whether the words with these numbers are below a limit; the number 0 means no word. */
static int
are_below(const uint64_t *words, const uint8_t *numbers, size_t n, uint64_t limit)
{
    for (size_t i = 0; i < n; i++) {
        if (numbers[i] != 0 && words[numbers[i]] >= limit) {
            return 0;
        }
    }
    return 1;
}

/* The word with a number; 0 if there is none. */
static uint32_t
word(const uint64_t *words, uint8_t number)
{
    return number != 0 ? (uint32_t)words[number] : 0;
}

#define ARE_BELOW(limit, group) are_below(words, (const uint8_t *)&at->group, sizeof at->group, limit)

static int
is_sane(const uint64_t *words, const debug_words *at)
{
    uint64_t frame_bytes = words[at->interpreter_frame.localsplus];
    return ARE_BELOW(MAX_RUNTIME_OFFSET, runtime_state) && ARE_BELOW(MAX_INTERPRETER_OFFSET, interpreter_state)
           && ARE_BELOW(MAX_THREAD_OFFSET, thread_state) && frame_bytes >= 16 && frame_bytes < MAX_FRAME_OFFSET
           && words[at->interpreter_frame.previous] < frame_bytes - 7
           && words[at->interpreter_frame.executable] < frame_bytes - 7
           && words[at->interpreter_frame.instr_ptr] < frame_bytes - 7
           && words[at->interpreter_frame.owner] < frame_bytes && ARE_BELOW(MAX_CODE_OFFSET, code_object)
           && ARE_BELOW(MAX_OBJECT_OFFSET, pyobject) && ARE_BELOW(MAX_OBJECT_OFFSET, bytes_object)
           && ARE_BELOW(MAX_OBJECT_OFFSET, unicode_object) && ARE_BELOW(MAX_GC_OFFSET, gc)
           && words[at->gc.collecting] >= 72 /* the counts before it are read too */
           /* thread_id is read as the word before native_thread_id */
           && words[at->thread_state.native_thread_id] == words[at->thread_state.thread_id] + 8;
}

/* Convert the words to `out`. WALK_OK, or WALK_UNKNOWN if they are not from this version. */
static walk_status
offsets_from_words(const uint64_t *words, const debug_words *at, uint32_t version, walk_offsets *out)
{
    if (memcmp(&words[WORD_COOKIE], "xdebugpy", 8) != 0 || words[WORD_FREE_THREADED] != 0
        || MINOR_VERSION(words[WORD_VERSION]) != MINOR_VERSION(version) || !is_sane(words, at)) {
        return WALK_UNKNOWN;
    }
    out->runtime_finalizing = word(words, at->runtime_state.finalizing);
    out->runtime_interpreters = word(words, at->runtime_state.interpreters_head);
    out->interp_id = word(words, at->interpreter_state.id);
    out->interp_next = word(words, at->interpreter_state.next);
    out->interp_threads = word(words, at->interpreter_state.threads_head);
    out->interp_gil = word(words, at->interpreter_state.ceval_gil);
    out->gil_locked = word(words, at->interpreter_state.gil_runtime_state_locked);
    out->gil_holder = word(words, at->interpreter_state.gil_runtime_state_holder);
    out->interp_code_generation = word(words, at->interpreter_state.code_object_generation);
    uint32_t gc = word(words, at->interpreter_state.gc);
    out->interp_gc_collecting = gc + word(words, at->gc.collecting);
    out->interp_gc_frame = at->gc.frame != 0 ? gc + word(words, at->gc.frame) : 0;
    out->thread_next = word(words, at->thread_state.next);
    out->thread_interp = word(words, at->thread_state.interp);
    out->thread_frame = word(words, at->thread_state.current_frame);
    out->thread_base_frame = word(words, at->thread_state.base_frame);
    out->thread_native_id = word(words, at->thread_state.native_thread_id);
    out->thread_chunk = word(words, at->thread_state.datastack_chunk);
    out->thread_gil_requested = word(words, at->thread_state.gil_requested);
    out->frame_previous = word(words, at->interpreter_frame.previous);
    out->frame_code = word(words, at->interpreter_frame.executable);
    out->frame_instr = word(words, at->interpreter_frame.instr_ptr);
    out->frame_bytes = word(words, at->interpreter_frame.localsplus);
    out->frame_owner = word(words, at->interpreter_frame.owner);
    out->code_filename = word(words, at->code_object.filename);
    out->code_qualname = word(words, at->code_object.qualname);
    out->code_linetable = word(words, at->code_object.linetable);
    out->code_firstlineno = word(words, at->code_object.firstlineno);
    out->code_adaptive = word(words, at->code_object.co_code_adaptive);
    out->code_version = out->code_firstlineno + 24; /* five ints later, in every version that publishes offsets */
    out->object_type = word(words, at->pyobject.ob_type);
    out->object_size = word(words, at->bytes_object.ob_size);
    out->bytes_data = word(words, at->bytes_object.ob_sval);
    out->text_state = word(words, at->unicode_object.state);
    out->text_length = word(words, at->unicode_object.length);
    out->text_ascii_data = word(words, at->unicode_object.asciiobject_size);
    out->text_compact_data = out->text_ascii_data + 16; /* utf8_length and utf8 are in between */
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
        offsets->thread_native_id + 8,  offsets->thread_frame + 8,
        offsets->thread_base_frame + 8, offsets->thread_gil_requested + 4,
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
    const version_layout *layout = find_layout(version);
    if (layout == NULL) {
        return WALK_UNKNOWN;
    }
    *offsets = layout->fixed;
    offsets->version = version;
    if (layout->words.count != 0) {
        uint64_t words[MAX_DEBUG_WORDS];
        if (memory_read(source, runtime, words, layout->words.count * sizeof words[0]) < 0) {
            return WALK_UNREADABLE;
        }
        walk_status status = offsets_from_words(words, &layout->words, version, offsets);
        if (status != WALK_OK) {
            return status;
        }
    }
    offsets->thread_bytes = end_of_thread_fields(offsets);
    offsets->code_header_bytes = end_of_code_fields(offsets);
    return WALK_OK;
}

walk_status
walk_find_coroutine_offsets(const memory_source *source, uint64_t runtime, const walk_offsets *offsets,
                            coroutine_offsets *found)
{
    const version_layout *layout = find_layout(offsets->version);
    if (layout == NULL || layout->coroutines.awaited_depth == 0) {
        return WALK_UNKNOWN;
    }
    const debug_words *at = &layout->words;
    uint64_t words[MAX_DEBUG_WORDS];
    if (memory_read(source, runtime, words, at->count * sizeof words[0]) < 0) {
        return WALK_UNREADABLE;
    }
    if (words[at->interpreter_frame.stackpointer] > offsets->frame_bytes - 8 || !ARE_BELOW(MAX_TYPE_OFFSET, type_object)
        || !ARE_BELOW(MAX_OBJECT_OFFSET, set_object) || !ARE_BELOW(MAX_OBJECT_OFFSET, long_object)
        || !ARE_BELOW(MAX_OBJECT_OFFSET, gen_object)
        || words[at->gen_object.gi_frame_state]
               >= words[at->gen_object.gi_iframe] /* it is read together with what comes before it */
        || words[at->llist_node.next] > 8 || words[at->llist_node.prev] > 8) {
        return WALK_UNKNOWN;
    }
    *found = layout->coroutines;
    found->frame_stackpointer = word(words, at->interpreter_frame.stackpointer);
    found->type_flags = word(words, at->type_object.tp_flags);
    found->set_used = word(words, at->set_object.used);
    found->set_table = word(words, at->set_object.table);
    found->set_mask = word(words, at->set_object.mask);
    found->long_tag = word(words, at->long_object.lv_tag);
    found->long_digits = word(words, at->long_object.ob_digit);
    found->gen_frame = word(words, at->gen_object.gi_iframe);
    found->gen_state = word(words, at->gen_object.gi_frame_state);
    found->list_next = word(words, at->llist_node.next);
    found->list_previous = word(words, at->llist_node.prev);
    return WALK_OK;
}
