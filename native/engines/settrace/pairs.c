/* settrace/pairs.c owns the sets of pairs (last line, this line) in the record file: one for each code object, which grows,
 * and is emptied when the context ends. */
#include "core/state.h" /* first: Python.h must come before the system headers */

#include "engines/settrace/pairs.h"

#include "engines/context_labels.h"
#include "engines/other_context_events.h"
#include "record/recorder.h"

#include <string.h>

int
traced_pairs_begin(module_state *state, PyCodeObject *code, traced_code *traced, uint32_t n_expected)
{
    PyObject *path = settrace_decision(state, code->co_filename); // borrowed
    if (path == NULL) {
        return -1;
    }
    uint32_t n_slots = pair_set_room(n_expected);
    traced->generation = state->recorder->generation;
    traced->pairs.slots = (uint64_t *)(void *)recorder_add_trace(state->recorder, code->co_filename, path, n_slots,
                                                                 (uint32_t)state->settrace->with_arcs);
    traced->pairs.n_slots = n_slots;
    traced->pairs.n_used = 0;
    return PyErr_Occurred() ? -1 : 0;
}

/* Move the pairs of a full set into a bigger one; if killed in between, they are in both. */
static int
grow_set(module_state *state, PyCodeObject *code, traced_code *traced)
{
    pair_set old = traced->pairs;
    if (traced_pairs_begin(state, code, traced, old.n_slots) < 0) {
        return -1;
    }
    if (traced->pairs.slots == NULL || traced->pairs.n_slots <= old.n_slots) {
        return 0; /* recording is off; or no set is larger, and the full one stays as it is */
    }
    for (uint32_t i = 0; i < old.n_slots; i++) {
        pair_set_add(&traced->pairs, (int32_t)(uint32_t)old.slots[i], (int32_t)(old.slots[i] >> 32));
    }
    memset(old.slots, 0, old.n_slots * sizeof *old.slots);
    return 0;
}

/* Record a pair of work in a context other than the process's, at once and only once. */
static int
add_other_pair(module_state *state, PyCodeObject *code, traced_code *traced, int32_t from, int32_t to,
               uint32_t context_id)
{
    recorder *rec = state->recorder;
    PyObject *path = settrace_decision(state, code->co_filename); // borrowed
    if (path == NULL) {
        return -1;
    }
    if (other_context_pairs_add(&traced->other_pairs, context_id, rec->generation, from, to) > 0) {
        uint64_t pair = pair_of(from, to);
        recorder_add_trace_pairs(rec, code->co_filename, path, &pair, 1, 1, (uint32_t)state->settrace->with_arcs,
                                 context_id);
    }
    return 0;
}

int
traced_pairs_add(module_state *state, PyCodeObject *code, traced_code *traced, int32_t from, int32_t to)
{
    if (!state->settrace->with_arcs) {
        if (to < 0) {
            return 0; /* an exit is not a line */
        }
        from = to == 0 ? -1 : NO_LINE; /* (0, 0) is an empty slot */
    }
    uint32_t context_id;
    if (context_is_other(state, &context_id)) {
        return add_other_pair(state, code, traced, from, to, context_id);
    }
    if (traced->generation != state->recorder->generation) {
        /* a forked child has a file of its own */
        if (traced_pairs_begin(state, code, traced, traced->pairs.n_used + 1) < 0) {
            return -1;
        }
    }
    traced_code_mark_dirty(state->settrace, traced);
    if (pair_set_add(&traced->pairs, from, to) || state->recorder->is_off) {
        return 0;
    }
    if (grow_set(state, code, traced) < 0) {
        return -1;
    }
    pair_set_add(&traced->pairs, from, to);
    return 0;
}

/* Record and clear the pairs of one code object, which is no longer in the list. */
static void
flush_traced(module_state *state, traced_code *traced)
{
    recorder *rec = state->recorder;
    PyObject *path = settrace_decision(state, traced->filename); // borrowed
    if (path == NULL) {
        PyErr_Clear(); /* it was decided when the code was registered */
    }
    /* Of another generation: a forked child records none of it; the slots are the parent's. */
    if (path == NULL || traced->pairs.slots == NULL || traced->generation != rec->generation) {
        return;
    }
    if (recorder_add_trace_pairs(rec, traced->filename, path, traced->pairs.slots, traced->pairs.n_slots,
                                 traced->pairs.n_used, (uint32_t)state->settrace->with_arcs, rec->context_id)
        == 0) {
        memset(traced->pairs.slots, 0, traced->pairs.n_slots * sizeof *traced->pairs.slots);
        traced->pairs.n_used = 0;
    }
}

int
traced_pairs_flush(module_state *state)
{
    struct settrace *engine = state->settrace;
    if (engine == NULL || engine->is_off) {
        return 0;
    }
    for (traced_code *traced = traced_code_pop_dirty(engine); traced != NULL; traced = traced_code_pop_dirty(engine)) {
        flush_traced(state, traced);
        if (traced->is_orphan) {
            traced_code_free(traced);
        }
    }
    return 0;
}
