/* The layout of CPython 3.15. Written by tools/new_python.py; do not edit. */
#include "walk/layouts/layout.h"

const version_layout layout_3_15 = {
    .fixed = {
        .root = ROOT_BY_BASE_FRAME,
        .code_tag_mask = 3,
    },
    .words = {
        .count = 111,
        .runtime_state = {.finalizing = 4, .interpreters_head = 5},
        .interpreter_state = {
            .id = 7,
            .next = 8,
            .threads_head = 9,
            .gc = 11,
            .ceval_gil = 15,
            .gil_runtime_state_locked = 18,
            .gil_runtime_state_holder = 19,
            .code_object_generation = 20,
        },
        .thread_state = {
            .next = 24,
            .interp = 25,
            .current_frame = 26,
            .base_frame = 27,
            .thread_id = 30,
            .native_thread_id = 31,
            .datastack_chunk = 32,
            .gil_requested = 35,
        },
        .interpreter_frame = {
            .previous = 40,
            .executable = 41,
            .instr_ptr = 42,
            .localsplus = 43,
            .owner = 44,
            .stackpointer = 45,
        },
        .code_object = {
            .filename = 48,
            .qualname = 50,
            .linetable = 51,
            .firstlineno = 52,
            .co_code_adaptive = 56,
        },
        .pyobject = {.ob_type = 59},
        .type_object = {.tp_flags = 63},
        .set_object = {.used = 75, .table = 76, .mask = 77},
        .long_object = {.lv_tag = 84, .ob_digit = 85},
        .bytes_object = {.ob_size = 87, .ob_sval = 88},
        .unicode_object = {.state = 90, .length = 91, .asciiobject_size = 92},
        .gc = {.collecting = 95, .frame = 96},
        .gen_object = {.gi_iframe = 101, .gi_frame_state = 102},
        .llist_node = {.next = 103, .prev = 104},
    },
    .coroutines = {
        .awaited_depth = 2,
        .state_waits = {2, 3},
        .state_runs = 4,
        .state_ended = 5,
    },
    .native_calls = {{147, 151}, {153, 153}, {155, 155}, {157, 163}, {166, 168}, {0, 0}},
};
