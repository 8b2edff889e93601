"""The files that hold the data of interpreter versions, as text: rendered from what tools/python_facts.py found.

Each function returns the whole new text of one file of the repository, whose other rows stay as they are.
"""

import re
import runpy
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PYTHONS = "src/footfall/pythons.py"
TABLES = "src/footfall/python_tables.py"
LAYOUTS = "native/walk/layouts"

# Names of instructions, in the order of analyze/bytecode/opcodes.py: Opcodes.
_STEERING = (
    "cleanup_throw", "end_async_for", "end_for", "end_send", "extended_arg", "for_iter", "jump_backward",
    "jump_backward_no_interrupt", "jump_forward", "not_taken", "pop_iter", "pop_jump_if_false", "pop_jump_if_none",
    "pop_jump_if_not_none", "pop_jump_if_true", "raise_varargs", "reraise", "resume", "return_value", "send",
    "yield_value",
)  # fmt: skip
_CONSTANT_TEST = ("load_common_constant", "load_const", "load_small_int", "copy", "to_bool")
_HANDLER = ("call_intrinsic_2", "check_exc_match", "push_exc_info", "with_except_start")
_TRACED = {
    "pypy": (
        "copy", "dup_top", "extended_arg", "jump_absolute", "jump_forward", "list_append", "load_const", "nop",
        "pop_except", "pop_top", "prep_reraise_star", "push_exc_info", "raise_varargs", "reraise", "return_value",
        "store_subscr", "yield_from", "yield_value",
    ),
}  # fmt: skip
_DEBUG_WORDS = ("runtime_state.interpreters_head", "debugger_support.remote_debugging_enabled")

_TABLES_HEAD = '''"""Numbers that differ between versions of Python. Written by tools/new_python.py; do not edit.

A test compares the rows of the interpreter that runs it. What they are for: analyze/bytecode/opcodes.py and pythons.py.
"""

'''


def render(facts):
    """Return {path in the repository: text} for the interpreter that the facts are of.

    Raises LookupError where it lacks an instruction, or a word of _Py_DebugOffsets, that footfall knows by name.
    """
    texts = {TABLES: _tables(facts)}
    if facts["implementation"] == "cpython":
        layout = _layout_path(tuple(facts["version"]))
        texts[layout] = _layout(facts)
        texts[f"{LAYOUTS}/layouts.c"] = _list_of_layouts({layout, *_present_layouts()})
        texts[PYTHONS] = _pythons(facts)
    return texts


def _numbers(facts, names, used_by):
    missing = [name.upper() for name in names if name.upper() not in facts["opcodes"]]
    if missing:
        raise LookupError(f"it has no {', '.join(missing)}: change {used_by}, and tools/version_files.py")
    return {name: facts["opcodes"][name.upper()] for name in names}


def _tables(facts):
    old = runpy.run_path(str(ROOT / TABLES))
    version, implementation = tuple(facts["version"]), facts["implementation"]
    steering, tests = dict(old["STEERING_OPCODES"]), dict(old["CONSTANT_TEST_OPCODES"])
    handlers = dict(old["HANDLER_OPCODES"])
    traced = {name: dict(rows) for name, rows in old["TRACED_OPCODES"].items()}
    words = dict(old["DEBUG_WORDS"])
    if "BRANCH_LEFT" in facts["events"]:
        steering[version] = _numbers(facts, _STEERING, "src/footfall/analyze/bytecode/opcodes.py: Opcodes")
        tests[version] = _numbers(facts, _CONSTANT_TEST, "src/footfall/analyze/bytecode/opcodes.py: ConstantTest")
        handlers[version] = _numbers(facts, _HANDLER, "src/footfall/observe/pure/watched_places.py")
    if implementation in _TRACED:
        traced[implementation][version] = _numbers(facts, _TRACED[implementation], "src/footfall/observe/pypy/*.py")
    published = {name: facts["debug_words"][name] for name in _DEBUG_WORDS if name in facts.get("debug_words", ())}
    if published:
        words[version] = published
    return (
        _TABLES_HEAD
        + _rows("STEERING_OPCODES", "Of the instructions that steer control, where branches are events.", steering)
        + _rows("CONSTANT_TEST_OPCODES", "Of the instructions that test a constant whose value is kept.", tests)
        + _rows("HANDLER_OPCODES", "Of the instructions in exception handlers, where branches are events.", handlers)
        + "TRACED_OPCODES: dict[str, dict[tuple[int, int], dict[str, int]]] = {\n"
        + "".join(f'    "{name}": {{\n{_row_lines(rows, 8)}    }},\n' for name, rows in traced.items())
        + '}\n"""Of instructions that trace functions look at, by implementation."""\n\n'
        + _rows("DEBUG_WORDS", "Words of _Py_DebugOffsets, by number and the names there.", words).rstrip("\n")
        + "\n"
    )


def _rows(name, meaning, rows):
    return f'{name}: dict[tuple[int, int], dict[str, int]] = {{\n{_row_lines(rows, 4)}}}\n"""{meaning}"""\n\n'


def _row_lines(rows, indent):
    blanks = " " * indent
    return "".join(
        f"{blanks}{version}: {{\n" + "".join(f'{blanks}    "{name}": {row[name]},\n' for name in row) + f"{blanks}}},\n"
        for version, row in sorted(rows.items())
    )


def _pythons(facts):
    """Put in the version's row, with the engines of the newest before it, or change its magic number."""
    text = (ROOT / PYTHONS).read_text(encoding="utf-8")
    version, magic = tuple(facts["version"]), facts["magic"]
    row = re.compile(rf"^(    \({version[0]}, {version[1]}\): \()\d+", re.MULTILINE)
    if row.search(text):
        return row.sub(rf"\g<1>{magic}", text)
    last = re.findall(r"^    \(\d+, \d+\): \(\d+, ENGINE.*\n", text, re.MULTILINE)[-1]
    engines = last.partition(", ENGINE")[2].partition(")")[0]
    return text.replace(last, f"{last}    {version}: ({magic}, ENGINE{engines}),\n")


def _layout_path(version):
    return f"{LAYOUTS}/{version[0]}_{version[1]}.c"


def _present_layouts():
    return {f"{LAYOUTS}/{path.name}" for path in (ROOT / LAYOUTS).glob("[0-9]_*.c")}


def _list_of_layouts(paths):
    versions = sorted(tuple(map(int, Path(path).stem.split("_"))) for path in paths)
    names = [f"layout_{major}_{minor}" for major, minor in versions]
    return (
        "/* layouts.c lists the versions whose layout is known. Written by tools/new_python.py; do not edit. */\n"
        '#include "walk/layouts/layout.h"\n\n'
        f"extern const version_layout {', '.join(names)};\n\n"
        "const version_layout *\nfind_layout(uint32_t version)\n{\n    switch (version >> 16) {\n"
        + "".join(
            f"    case 0x{major:02X}{minor:02X}:\n        return &{name};\n"
            for (major, minor), name in zip(versions, names, strict=True)
        )
        + "    default:\n        return NULL;\n    }\n}\n"
    )


# What the structures of a version without published offsets are like, beyond where their fields are.
_SHAPES = {
    (3, 11): {"root": "ROOT_BY_THREAD_OWNER", "has_cframe": 1, "gil_in_runtime": 1, "instr_is_before": 1},
    (3, 12): {"root": "ROOT_BY_SHIM", "has_cframe": 1, "instr_is_before": 1},
}


def _layout(facts):
    version = tuple(facts["version"])
    words = facts["debug_words"]
    if words:
        fixed = {"root": "ROOT_BY_BASE_FRAME" if "thread_state.base_frame" in words else "ROOT_BY_SHIM"}
        if facts["constants"]["tag_mask"]:
            fixed["code_tag_mask"] = facts["constants"]["tag_mask"]
    else:
        fixed = {**_SHAPES[version], **facts["fixed"]}
    ranges = ", ".join(f"{{{first}, {last}}}" for first, last in facts["native_calls"])
    return (
        f"/* The layout of CPython {version[0]}.{version[1]}. Written by tools/new_python.py; do not edit. */\n"
        '#include "walk/layouts/layout.h"\n\n'
        f"const version_layout layout_{version[0]}_{version[1]} = {{\n"
        + _members("fixed", fixed)
        + (_words(words) if words else "")
        + (_members("coroutines", _coroutines(facts)) if "awaited_depth" in facts else "")
        + f"    .native_calls = {{{ranges}, {{0, 0}}}},\n}};\n"
    )


def _members(name, values):
    return f"    .{name} = {{\n" + "".join(f"        .{key} = {value},\n" for key, value in values.items()) + "    },\n"


def _coroutines(facts):
    constants = facts["constants"]
    return {
        "awaited_depth": facts["awaited_depth"],
        "state_waits": f"{{{constants['state_waits']}, {constants['state_waits_locked']}}}",
        "state_runs": constants["state_runs"],
        "state_ended": constants["state_ended"],
    }


def _words(words):
    lines = [f"        .count = {words['count']},\n"]
    for group, names in read_word_names():
        members = [f".{name} = {words[f'{group}.{name}']}" for name in names if f"{group}.{name}" in words]
        if members:
            lines += _wrapped(f"        .{group} = {{", members)
    return f"    .words = {{\n{''.join(lines)}    }},\n"


def _wrapped(head, members):
    """One line, or where that is too long one for each member."""
    line = f"{head}{', '.join(members)}}},\n"
    if len(line) <= 110:
        return [line]
    return [f"{head}\n", *(f"            {member},\n" for member in members), "        },\n"]


def read_word_names():
    """Return [(group, names)] of the words that native/walk/layouts/layout.h has."""
    text = (ROOT / LAYOUTS / "layout.h").read_text(encoding="utf-8")
    body = text.partition("typedef struct debug_words {")[2].partition("} debug_words;")[0]
    groups = re.findall(r"struct \{(.*?)\} (\w+);", body, re.DOTALL)
    return [(group, re.findall(r"\w+(?=[,;])", fields)) for fields, group in groups]
