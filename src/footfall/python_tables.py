"""Numbers that differ between versions of Python. Written by tools/new_python.py; do not edit.

A test compares the rows of the interpreter that runs it. What they are for: analyze/bytecode/opcodes.py and pythons.py.
"""

STEERING_OPCODES: dict[tuple[int, int], dict[str, int]] = {
    (3, 14): {
        "cleanup_throw": 7,
        "end_async_for": 68,
        "end_for": 9,
        "end_send": 10,
        "extended_arg": 69,
        "for_iter": 70,
        "jump_backward": 75,
        "jump_backward_no_interrupt": 76,
        "jump_forward": 77,
        "not_taken": 28,
        "pop_iter": 30,
        "pop_jump_if_false": 100,
        "pop_jump_if_none": 101,
        "pop_jump_if_not_none": 102,
        "pop_jump_if_true": 103,
        "raise_varargs": 104,
        "reraise": 105,
        "resume": 128,
        "return_value": 35,
        "send": 106,
        "yield_value": 120,
    },
    (3, 15): {
        "cleanup_throw": 7,
        "end_async_for": 66,
        "end_for": 9,
        "end_send": 10,
        "extended_arg": 67,
        "for_iter": 68,
        "jump_backward": 74,
        "jump_backward_no_interrupt": 75,
        "jump_forward": 76,
        "not_taken": 26,
        "pop_iter": 28,
        "pop_jump_if_false": 99,
        "pop_jump_if_none": 100,
        "pop_jump_if_not_none": 101,
        "pop_jump_if_true": 102,
        "raise_varargs": 103,
        "reraise": 104,
        "resume": 128,
        "return_value": 33,
        "send": 105,
        "yield_value": 119,
    },
}
"""Of the instructions that steer control, where branches are events."""

CONSTANT_TEST_OPCODES: dict[tuple[int, int], dict[str, int]] = {
    (3, 14): {
        "load_common_constant": 81,
        "load_const": 82,
        "load_small_int": 94,
        "copy": 59,
        "to_bool": 39,
    },
    (3, 15): {
        "load_common_constant": 80,
        "load_const": 81,
        "load_small_int": 93,
        "copy": 57,
        "to_bool": 37,
    },
}
"""Of the instructions that test a constant whose value is kept."""

HANDLER_OPCODES: dict[tuple[int, int], dict[str, int]] = {
    (3, 14): {
        "call_intrinsic_2": 54,
        "check_exc_match": 6,
        "push_exc_info": 32,
        "with_except_start": 43,
    },
    (3, 15): {
        "call_intrinsic_2": 52,
        "check_exc_match": 6,
        "push_exc_info": 30,
        "with_except_start": 41,
    },
}
"""Of the instructions in exception handlers, where branches are events."""

TRACED_OPCODES: dict[str, dict[tuple[int, int], dict[str, int]]] = {
    "pypy": {
        (3, 11): {
            "copy": 38,
            "dup_top": 4,
            "extended_arg": 144,
            "jump_absolute": 113,
            "jump_forward": 110,
            "list_append": 145,
            "load_const": 100,
            "nop": 9,
            "pop_except": 89,
            "pop_top": 1,
            "prep_reraise_star": 88,
            "push_exc_info": 35,
            "raise_varargs": 130,
            "reraise": 119,
            "return_value": 83,
            "store_subscr": 60,
            "yield_from": 72,
            "yield_value": 86,
        },
    },
}
"""Of instructions that trace functions look at, by implementation."""

DEBUG_WORDS: dict[tuple[int, int], dict[str, int]] = {
    (3, 13): {
        "runtime_state.interpreters_head": 5,
    },
    (3, 14): {
        "runtime_state.interpreters_head": 5,
        "debugger_support.remote_debugging_enabled": 91,
    },
    (3, 15): {
        "runtime_state.interpreters_head": 5,
        "debugger_support.remote_debugging_enabled": 107,
    },
}
"""Words of _Py_DebugOffsets, by number and the names there."""
