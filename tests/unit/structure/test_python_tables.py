"""The data of interpreter versions is what the interpreters say, and nothing else in footfall knows a version."""

import ast
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import REPOSITORY
from footfall.python_tables import (
    CONSTANT_TEST_OPCODES,
    DEBUG_WORDS,
    HANDLER_OPCODES,
    STEERING_OPCODES,
    TRACED_OPCODES,
)
from footfall.pythons import CPYTHON, HAS_BRANCH_EVENTS, HAS_MONITORING, OWN

TABLES, PYTHONS, LAYOUTS = "src/footfall/python_tables.py", "src/footfall/pythons.py", "native/walk/layouts"
PACKAGE = REPOSITORY / "src" / "footfall"
MAY_COMPARE = {PACKAGE / "pythons.py", PACKAGE / "python_tables.py"}
SOURCES = sorted({*PACKAGE.rglob("*.py"), *PACKAGE.rglob("*.pyi")} - MAY_COMPARE)
C_SOURCES = sorted(
    path for path in (REPOSITORY / "native").rglob("*.[ch]") if path.parent.name not in ("compat", "layouts")
)
COMPARISONS = (ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Eq, ast.NotEq)
INSTRUCTIONS = {
    *(
        name
        for row in (*STEERING_OPCODES.values(), *CONSTANT_TEST_OPCODES.values(), *HANDLER_OPCODES.values())
        for name in row
    ),
    *(name for rows in TRACED_OPCODES.values() for row in rows.values() for name in row),
}


def _change(path: Path, pattern: str, replacement: str) -> None:
    path.write_text(re.sub(pattern, replacement, path.read_text(), flags=re.MULTILINE))


def test_what_is_generated_for_this_interpreter_is_what_is_there(tmp_path) -> None:
    """With its data taken out, tools/new_python.py writes the same again, byte for byte, and then nothing more."""
    for name in ("tools", "src", LAYOUTS, "docs", ".ci"):
        shutil.copytree(REPOSITORY / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__", "images"))
    (tmp_path / "tests" / "support").mkdir(parents=True)
    for name in ("tests/support/interpreters.py", "README.md", "pyproject.toml"):
        shutil.copy(REPOSITORY / name, tmp_path / name)
    major, minor = OWN
    _change(tmp_path / TABLES, rf"^    \({major}, {minor}\): {{\n(        .*\n)*    }},\n", "")
    if sys.implementation.name == "pypy":
        _change(tmp_path / TABLES, rf'^(    "{sys.implementation.name}": {{\n)(        .*\n)*', r"\1")
    if sys.implementation.name == "cpython":
        _change(tmp_path / PYTHONS, rf"^    \({major}, {minor}\): \(\d+", f"    ({major}, {minor}): (1")
        (tmp_path / LAYOUTS / f"{major}_{minor}.c").unlink()
        (tmp_path / LAYOUTS / "layouts.c").write_text("")
    pypy = "pypy" if sys.implementation.name == "pypy" else ""
    command = [sys.executable, tmp_path / "tools/new_python.py", f"{pypy}{major}.{minor}", "--python", sys.executable]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    written = set(re.findall(r"^written: (.*)", done.stdout, re.MULTILINE))
    assert TABLES in written or OWN in ((3, 11), (3, 12))  # of which no number is needed
    assert sys.implementation.name == "pypy" or {PYTHONS, f"{LAYOUTS}/{major}_{minor}.c"} <= written
    for name in written:
        assert (tmp_path / name).read_text() == (REPOSITORY / name).read_text(), name
    subprocess.run([*command, "--check"], check=True, capture_output=True)


@pytest.mark.any_python
def test_python_and_c_read_the_same_words_of_debug_offsets() -> None:
    """Where both have a word it has one number; every known version has a layout."""
    for version in CPYTHON:
        text = (REPOSITORY / LAYOUTS / f"{version[0]}_{version[1]}.c").read_text()
        groups = dict(re.findall(r"\.(\w+) = \{((?:\s*\.\w+ = \d+,?)+)\s*\}", text))
        numbers = {
            f"{group}.{name}": int(number)
            for group, fields in groups.items()
            for name, number in re.findall(r"\.(\w+) = (\d+)", fields)
        }
        words = DEBUG_WORDS.get(version, {})
        assert (".words" in text) == bool(words)
        shared = words.keys() & numbers.keys()
        assert {name: words[name] for name in shared} == {name: numbers[name] for name in shared}
        assert not words or "runtime_state.interpreters_head" in shared


@pytest.mark.any_python
def test_no_other_python_file_compares_versions_or_numbers_instructions() -> None:
    """Versions are asked for by name in pythons.py; instructions have their numbers in python_tables.py."""
    nodes = [(path, node) for path in SOURCES for node in ast.walk(ast.parse(path.read_bytes()))]
    for file, node in nodes:
        where = f"{file}:{getattr(node, 'lineno', 0)}"
        if isinstance(node, ast.Compare) and any(isinstance(operator, COMPARISONS) for operator in node.ops):
            assert not any(map(_is_version, (node.left, *node.comparators))), f"{where} compares a version"
        elif isinstance(node, ast.Tuple | ast.List) and len(node.elts) == 2:
            assert not _is_version(node), f"{where} names a version"
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.RShift):
            assert "version" not in ast.unparse(node.left), f"{where} takes a version apart"
        elif isinstance(node, ast.Constant):
            assert node.value not in {row[0] for row in CPYTHON.values()}, f"{where} names a magic number"
        elif isinstance(node, ast.Assign):
            for name, value in _assigned(node):
                is_number = isinstance(value, ast.Constant) and type(value.value) is int
                assert not (is_number and name.strip("_").lower() in INSTRUCTIONS), f"{where} numbers an instruction"


def _is_version(node: ast.expr) -> bool:
    if isinstance(node, ast.Tuple):
        values = [getattr(element, "value", None) for element in node.elts]
        return len(values) >= 2 and values[0] == 3 and type(values[1]) is int and 6 <= values[1] <= 40
    text = ast.unparse(node)
    return "version_info" in text or "hexversion" in text


def _assigned(node: ast.Assign) -> list[tuple[str, ast.expr]]:
    found = []
    for target in node.targets:
        if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
            found += [(ast.unparse(name), value) for name, value in zip(target.elts, node.value.elts, strict=False)]
        else:
            found.append((ast.unparse(target), node.value))
    return found


@pytest.mark.any_python
def test_no_other_c_file_compares_versions_or_numbers_instructions() -> None:
    """Versions are asked for by name, from compat/versions.h; numbers of instructions are the interpreter's own."""
    facts = re.findall(r"^#define (\w+)(?!\w*_H$)", (REPOSITORY / "native/compat/versions.h").read_text(), re.MULTILINE)
    names = "|".join(name for name in facts if name not in ("PY_SSIZE_T_CLEAN", "FOOTFALL_COMPAT_VERSIONS_H"))
    for path in C_SOURCES:
        text = path.read_text()
        code = re.sub(r'/\*.*?\*/|//[^\n]*|"(?:[^"\\\n]|\\.)*"', "", text, flags=re.DOTALL)
        found = re.search(
            r"#\s*(?:el)?if[^\n]*PY_(?:VERSION|M[AI])|(?:VERSION_HEX|M[AI][JN]OR_VERSION)\)?\s*[<>=!&]|0x030[0-9a-fA-F]"
            r"|SINCE_3|\bis_3_|_3_1\d",
            code,
        )
        assert found is None, f"{path} compares a version: {found.group()}"
        number = re.search(rf"#define (?:{'|'.join(INSTRUCTIONS)})\s+\d", code, re.IGNORECASE)
        assert number is None, f"{path} numbers an instruction: {number.group()}"
        if re.search(rf"\b(?:{names})\b", code):
            assert '#include "compat/versions.h"' in text, f"{path} asks for a fact that it does not include"


def test_facts_agree_with_the_engines() -> None:
    """What an interpreter is said to have is what is there."""
    assert HAS_MONITORING == hasattr(sys, "monitoring")
    assert HAS_BRANCH_EVENTS == hasattr(getattr(getattr(sys, "monitoring", None), "events", None), "BRANCH_LEFT")
    if sys.implementation.name == "cpython":
        from footfall import _core

        assert hasattr(_core, "monitoring_start") == HAS_MONITORING
