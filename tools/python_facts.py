"""What one interpreter says of itself: numbers of instructions, where structures have their fields. Prints JSON.

tools/new_python.py runs this file under the interpreter in question, so it imports the standard library alone. A
CPython needs its headers (on Debian: python3-dev) and a C compiler. A header that lacks what is looked for is a
LookupError.
"""

import ctypes
import importlib.util
import json
import opcode
import os
import re
import subprocess
import sys
import sysconfig
import tempfile
import types

_NATIVE_CALL = re.compile(r"(?:PRE)?CALL_.*")
_OTHER_CALL = re.compile(
    r"CALL_INTRINSIC_.*|CALL_KW|CALL_FUNCTION_EX"  # not specialized
    r"|.*_ADAPTIVE|PRECALL_PYFUNC|.*BOUND_METHOD.*|CALL_PY_.*|CALL_(?:KW|EX)_PY"  # Python code, or not yet known
    r"|CALL_ALLOC_AND_ENTER_INIT"  # of a class with __init__ in Python
)
"""Calls of which the interpreter does not know that C code is called."""

# Where CPython 3.11 and 3.12, which publish no offsets, have the fields. Names of `walk_offsets`: expressions in C.
_FIXED = {
    "runtime_interpreters": "offsetof(_PyRuntimeState, interpreters.head)",
    "interp_next": "offsetof(PyInterpreterState, next)",
    "interp_id": "offsetof(PyInterpreterState, id)",
    "interp_threads": "offsetof(PyInterpreterState, threads.head)",
    "interp_gc_collecting": "offsetof(PyInterpreterState, gc.collecting)",
    "thread_next": "offsetof(PyThreadState, next)",
    "thread_interp": "offsetof(PyThreadState, interp)",
    "thread_frame": "offsetof(PyThreadState, cframe)",
    "thread_native_id": "offsetof(PyThreadState, native_thread_id)",
    "thread_chunk": "offsetof(PyThreadState, datastack_chunk)",
    "cframe_frame": "offsetof(_PyCFrame, current_frame)",
    "frame_code": "offsetof(_PyInterpreterFrame, f_code)",
    "frame_previous": "offsetof(_PyInterpreterFrame, previous)",
    "frame_instr": "offsetof(_PyInterpreterFrame, prev_instr)",
    "frame_owner": "offsetof(_PyInterpreterFrame, owner)",
    "frame_bytes": "offsetof(_PyInterpreterFrame, localsplus)",
    "code_filename": "offsetof(PyCodeObject, co_filename)",
    "code_qualname": "offsetof(PyCodeObject, co_qualname)",
    "code_linetable": "offsetof(PyCodeObject, co_linetable)",
    "code_firstlineno": "offsetof(PyCodeObject, co_firstlineno)",
    "code_adaptive": "offsetof(PyCodeObject, co_code_adaptive)",
    "object_type": "offsetof(PyObject, ob_type)",
    "object_size": "offsetof(PyVarObject, ob_size)",
    "bytes_data": "offsetof(PyBytesObject, ob_sval)",
    "text_length": "offsetof(PyASCIIObject, length)",
    "text_state": "offsetof(PyASCIIObject, state)",
    "text_ascii_data": "sizeof(PyASCIIObject)",
    "text_compact_data": "sizeof(PyCompactUnicodeObject)",
}
_FIXED_IN = {
    (3, 11): {
        "gil_holder": "offsetof(_PyRuntimeState, ceval.gil.last_holder)",
        "gil_locked": "offsetof(_PyRuntimeState, ceval.gil.locked)",
    },
    (3, 12): {
        "interp_gil": "offsetof(PyInterpreterState, ceval.gil)",
        "gil_holder": "offsetof(PyInterpreterState, _gil.last_holder)",
        "gil_locked": "offsetof(PyInterpreterState, _gil.locked)",
        "code_version": "offsetof(PyCodeObject, co_version)",
    },
}
# Of no field: names of an own choice.
_OF_PUBLISHERS = {
    "owner_thread": "FRAME_OWNED_BY_THREAD",
    "owner_generator": "FRAME_OWNED_BY_GENERATOR",
    "owner_frame_object": "FRAME_OWNED_BY_FRAME_OBJECT",
    "state_waits": "FRAME_SUSPENDED_YIELD_FROM",
    "state_runs": "FRAME_EXECUTING",
}


def facts():
    """Return everything; of PyPy only names and numbers that it shares with CPython."""
    found = {
        "implementation": sys.implementation.name,
        "version": sys.version_info[:2],
        "magic": int.from_bytes(importlib.util.MAGIC_NUMBER[:2], "little"),
        "opcodes": dict(opcode.opmap),
        "events": sorted(name for name in dir(sys.monitoring.events) if name.isupper())
        if hasattr(sys, "monitoring")
        else [],
    }
    if sys.implementation.name != "cpython":
        return found
    include = sysconfig.get_path("include")
    words = _debug_words(include)
    found["native_calls"] = _native_calls(include)
    found["debug_words"] = words
    if words:
        found["constants"] = _constants(include, words)
        if "gen_object.gi_iframe" in words:
            found["awaited_depth"] = _awaited_depth(words, found["constants"]["tag_mask"])
    else:
        found["fixed"] = _compiled(include, {**_FIXED, **_FIXED_IN[sys.version_info[:2]]})
    return found


def _read(include, *names):
    for name in names:
        path = os.path.join(include, name)
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                return file.read()
    raise LookupError(f"{include} has no {' and no '.join(names)}: install the interpreter's headers")


def _debug_words(include):
    """Number the words of _Py_DebugOffsets, as in `thread_state.next`; {} where the version has none."""
    text = _read(include, "internal/pycore_debug_offsets.h", "internal/pycore_runtime.h")
    struct = re.search(r"typedef struct _Py_DebugOffsets \{(.*?)\n\} _Py_DebugOffsets;", text, re.DOTALL)
    if struct is None:
        return {}
    words = {}
    fields = []
    n = 0
    body = re.sub(r"//.*|/\*.*?\*/", "", struct.group(1))
    for line in filter(None, map(str.strip, body.splitlines())):
        field = re.fullmatch(r"uint64_t (\w+);", line)
        end = re.fullmatch(r"\} (\w+);", line)
        if field or line.startswith("char cookie[8]"):
            fields.append((field.group(1) if field else "cookie", n))
            n += 1
        elif end or re.fullmatch(r"struct( \w+)? ?\{", line):
            words.update((f"{end.group(1)}.{name}" if end else name, number) for name, number in fields)
            fields = []
        else:
            raise LookupError(f"_Py_DebugOffsets has a line of another form: {line}")
    return {**words, "count": n}


def _native_calls(include):
    """Return the numbers of specialized calls of C functions, as ranges (first, last)."""
    numbers = re.findall(r"#define (\w+)\s+(\d+)\b", _read(include, "opcode_ids.h", "opcode.h"))
    chosen = {
        int(number) for name, number in numbers if _NATIVE_CALL.fullmatch(name) and not _OTHER_CALL.fullmatch(name)
    }
    ranges = []
    for number in sorted(chosen):
        if ranges and ranges[-1][1] == number - 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    return ranges


def _constants(include, words):
    frames = _read(include, "internal/pycore_interpframe_structs.h", "internal/pycore_frame.h")
    is_tagged = re.search(r"_PyStackRef f_executable;", frames) is not None
    found = _compiled(include, {**_OF_PUBLISHERS, "tag_mask": "Py_TAG_BITS" if is_tagged else "0"})
    states = re.search(r"typedef enum _framestate \{(.*?)\}", _read(include, "internal/pycore_frame.h"), re.DOTALL)
    if states is None:
        raise LookupError("internal/pycore_frame.h has no enum _framestate")
    values = {name: int(value) for name, value in re.findall(r"(FRAME_\w+) = (-?\d+)", states.group(1))}
    waits = values["FRAME_SUSPENDED_YIELD_FROM"]
    found["state_waits_locked"] = values.get("FRAME_SUSPENDED_YIELD_FROM_LOCKED", waits)
    found["state_ended"] = min(value for value in values.values() if value > values["FRAME_EXECUTING"])
    return found


def _compiled(include, expressions):
    """Evaluate expressions in C, with the interpreter's own structures."""
    prints = "".join(f'    printf("{name} %ld\\n", (long)({text}));\n' for name, text in expressions.items())
    stackref = "#include <internal/pycore_stackref.h>\n" if "Py_TAG_BITS" in expressions.values() else ""
    source = (
        "#define Py_BUILD_CORE\n#include <Python.h>\n#include <stddef.h>\n#include <stdio.h>\n"
        "#include <internal/pycore_runtime.h>\n#include <internal/pycore_interp.h>\n"
        "#include <internal/pycore_frame.h>\n"
        f"{stackref}int main(void)\n{{\n{prints}    return 0;\n}}\n"
    )
    with tempfile.TemporaryDirectory() as folder:
        file, program = os.path.join(folder, "facts.c"), os.path.join(folder, "facts")
        with open(file, "w", encoding="utf-8") as out:
            out.write(source)
        compiler = os.environ.get("CC", "cc").split()
        # Functions in the headers refer to the interpreter's; none is called. (Not `-O0`, which keeps them.)
        subprocess.run([*compiler, "-O2", "-w", f"-I{include}", file, "-o", program], check=True)
        lines = subprocess.run([program], check=True, capture_output=True, text=True).stdout.splitlines()
    return {name: int(value) for name, value in map(str.split, lines)}


def _awaited_depth(words, tag_mask):
    """Look how deep in the stack of a coroutine that waits the awaited one is; 1 = on top."""

    @types.coroutine
    def wait():
        yield

    async def inner():
        await wait()

    async def outer(awaited):
        await awaited

    def load(address):
        return ctypes.c_uint64.from_address(address).value

    runtime = ctypes.addressof(ctypes.c_char.in_dll(ctypes.pythonapi, "_PyRuntime"))
    awaited = inner()
    waiting = outer(awaited)
    waiting.send(None)
    frame = id(waiting) + load(runtime + 8 * words["gen_object.gi_iframe"])
    top = load(frame + load(runtime + 8 * words["interpreter_frame.stackpointer"])) & ~tag_mask
    depths = [depth for depth in range(1, 5) if load(top - 8 * depth) & ~tag_mask == id(awaited)]
    waiting.close()
    if not depths:
        raise LookupError("what a coroutine waits for is not in the upper four places of its stack")
    return depths[0]


if __name__ == "__main__":
    json.dump(facts(), sys.stdout)
