/* What is known about one CPython for reading its memory, as data: a file 3_NN.c beside this one for each version,
 * which tools/new_python.py writes from the interpreter's headers. Plain C: no Python.h. */
#ifndef FOOTFALL_WALK_LAYOUTS_LAYOUT_H
#define FOOTFALL_WALK_LAYOUTS_LAYOUT_H

#include "walk/fields.h"

#define MAX_DEBUG_WORDS 160
#define MAX_NATIVE_CALL_RANGES 8

/* Positions of the fields of _Py_DebugOffsets that are read (Include/internal/pycore_debug_offsets.h; in 3.13
 * pycore_runtime.h), by their names there: indexes of 64-bit words. 0 = the version does not have it.
 * tools/new_python.py reads this list of names. */
typedef struct debug_words {
    uint8_t count; /* in all; 0 = the version publishes no offsets */
    struct { uint8_t finalizing, interpreters_head; } runtime_state;
    struct {
        uint8_t id, next, threads_head, gc, ceval_gil, gil_runtime_state_locked, gil_runtime_state_holder;
        uint8_t code_object_generation;
    } interpreter_state;
    struct {
        uint8_t next, interp, current_frame, base_frame, thread_id, native_thread_id, datastack_chunk, gil_requested;
    } thread_state;
    struct { uint8_t previous, executable, instr_ptr, localsplus, owner, stackpointer; } interpreter_frame;
    struct { uint8_t filename, qualname, linetable, firstlineno, co_code_adaptive; } code_object;
    struct { uint8_t ob_type; } pyobject;
    struct { uint8_t tp_flags; } type_object;
    struct { uint8_t used, table, mask; } set_object;
    struct { uint8_t lv_tag, ob_digit; } long_object;
    struct { uint8_t ob_size, ob_sval; } bytes_object;
    struct { uint8_t state, length, asciiobject_size; } unicode_object;
    struct { uint8_t collecting, frame; } gc;
    struct { uint8_t gi_iframe, gi_frame_state; } gen_object;
    struct { uint8_t next, prev; } llist_node;
} debug_words;

typedef struct opcode_range {
    uint8_t first, last;
} opcode_range;

typedef struct version_layout {
    walk_offsets fixed; /* what the interpreter does not publish: everything before 3.13 */
    debug_words words;
    coroutine_offsets coroutines; /* likewise; awaited_depth 0 = the version publishes no tasks */
    opcode_range native_calls[MAX_NATIVE_CALL_RANGES]; /* see walk/calls.h; ends with {0, 0} */
} version_layout;

/* The layout of `version` (PY_VERSION_HEX); NULL if it is not known. */
const version_layout *find_layout(uint32_t version);

#endif
