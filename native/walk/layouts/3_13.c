/* The layout of CPython 3.13. Written by tools/new_python.py; do not edit. */
#include "walk/layouts/layout.h"

const version_layout layout_3_13 = {
    .fixed = {
        .root = ROOT_BY_SHIM,
    },
    .words = {
        .count = 73,
        .runtime_state = {.finalizing = 4, .interpreters_head = 5},
        .interpreter_state = {
            .id = 7,
            .next = 8,
            .threads_head = 9,
            .gc = 10,
            .ceval_gil = 14,
            .gil_runtime_state_locked = 17,
            .gil_runtime_state_holder = 18,
        },
        .thread_state = {
            .next = 21,
            .interp = 22,
            .current_frame = 23,
            .thread_id = 24,
            .native_thread_id = 25,
            .datastack_chunk = 26,
        },
        .interpreter_frame = {
            .previous = 29,
            .executable = 30,
            .instr_ptr = 31,
            .localsplus = 32,
            .owner = 33,
        },
        .code_object = {
            .filename = 35,
            .qualname = 37,
            .linetable = 38,
            .firstlineno = 39,
            .co_code_adaptive = 43,
        },
        .pyobject = {.ob_type = 45},
        .type_object = {.tp_flags = 49},
        .long_object = {.lv_tag = 62, .ob_digit = 63},
        .bytes_object = {.ob_size = 65, .ob_sval = 66},
        .unicode_object = {.state = 68, .length = 69, .asciiobject_size = 70},
        .gc = {.collecting = 72},
    },
    .native_calls = {{165, 176}, {179, 181}, {0, 0}},
};
