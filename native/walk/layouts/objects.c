/* layouts/objects.c has the layouts of objects by version. */
#include "walk/layouts/objects.h"

#define COROUTINES_OF_BOTH                                                                                             \
    .frame_stackpointer = 64, .is_stack_counted = 1, .awaited_depth = 1, .state_runs = 0, .state_ended = 1,            \
    .gen_frame = 72, .gen_state = 67, .set_used = 24, .set_table = 40, .set_mask = 32, .type_flags = 168,              \
    .long_tag = 16, .long_digits = 24

static const object_layout layout_3_12 = {
    .coroutines = {COROUTINES_OF_BOTH, .state_waits = {-1, -1}, .waits_at_resume = 1},
    .interp_modules = 944,
    .thread_dict = 112,
    .future_bytes = 128,
    .future_state = 88,
    .task_bytes = 176,
    .task_coroutine = 136,
};

static const object_layout layout_3_13 = {
    .coroutines = {COROUTINES_OF_BOTH, .state_waits = {-1, -1}},
    .interp_modules = 7656,
    .thread_loop = 304,
    .has_inline_values = 1,
    .values_head = 8,
    .future_bytes = 104,
    .future_state = 96,
    .task_bytes = 144,
    .task_coroutine = 120,
};

const object_layout *
find_object_layout(uint32_t version)
{
    switch (version >> 16) {
    case 0x030C:
        return &layout_3_12;
    case 0x030D:
        return &layout_3_13;
    default:
        return NULL;
    }
}
