/* The layout of CPython 3.14. Written by tools/new_python.py; do not edit. */
#include "walk/layouts/layout.h"

const version_layout layout_3_14 = {
    .fixed = {
        .root = ROOT_BY_SHIM,
        .code_tag_mask = 3,
    },
    .words = {
        .count = 95,
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
            .thread_id = 27,
            .native_thread_id = 28,
            .datastack_chunk = 29,
        },
        .interpreter_frame = {
            .previous = 32,
            .executable = 33,
            .instr_ptr = 34,
            .localsplus = 35,
            .owner = 36,
            .stackpointer = 37,
        },
        .code_object = {
            .filename = 40,
            .qualname = 42,
            .linetable = 43,
            .firstlineno = 44,
            .co_code_adaptive = 48,
        },
        .pyobject = {.ob_type = 51},
        .type_object = {.tp_flags = 55},
        .set_object = {.used = 63, .table = 64, .mask = 65},
        .long_object = {.lv_tag = 72, .ob_digit = 73},
        .bytes_object = {.ob_size = 75, .ob_sval = 76},
        .unicode_object = {.state = 78, .length = 79, .asciiobject_size = 80},
        .gc = {.collecting = 82},
        .gen_object = {.gi_iframe = 85, .gi_frame_state = 86},
        .llist_node = {.next = 87, .prev = 88},
    },
    .coroutines = {
        .awaited_depth = 1,
        .state_waits = {-1, -1},
        .state_runs = 0,
        .state_ended = 1,
    },
    .native_calls = {{146, 150}, {152, 152}, {154, 160}, {163, 165}, {0, 0}},
};
