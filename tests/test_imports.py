"""Imports go down the folder list only, and a measured process loads nothing it did not have."""

import ast
import os
import pathlib
import subprocess
import sys

import pytest

from conftest import REPOSITORY

PACKAGE = REPOSITORY / "src" / "footfall"

# Each may import itself and what stands before it.
ORDER = [
    "_version", "own_builtins", "model", "printable", "errors", "patterns", "python_tables", "pythons", "config", "observe", "sample",
    "record", "analyze", "report", "live", "cli",
]  # fmt: skip
# What lives in a file of its own beside a phase's main one.
SAME_LAYER = {"configfile": "config", "_decode": "analyze"}

# These run inside the measured program: they import each other, the C core, and what every interpreter has loaded.
MEASURED_FOLDERS = ("observe",)
MEASURED_FILES = (
    "own_builtins", "model", "patterns", "printable", "python_tables", "pythons", "sample.inside", "sample.fallback",
    "sample.injected", "sample.pypy",
)  # fmt: skip
ALWAYS_THERE = {
    "sys", "os", "io", "atexit", "codecs", "builtins", "marshal", "time", "posix", "errno", "gc", "itertools", "_ast",
    "_imp", "_io", "_md5", "_signal", "_thread", "_warnings", "_weakref", "_frozen_importlib",
    "_frozen_importlib_external", "zipimport", "__future__",
    "_posixsubprocess",  # built in from CPython 3.14 on; before, one small library that subprocess needs
}  # fmt: skip
PYPY_HAS = {"__pypy__", "_cffi_backend", "_struct", "_vmprof", "fcntl", "mmap"}  # built in there, files on CPython
PYPY_FILES = {"copyreg"}  # one small file that imports nothing
PYPY_SWITCHES = {"contextvars"}  # two small files, at the first switch of contexts
PYPY_ONLY = (
    "observe.pypy_children", "observe.pypy_contexts", "observe.pypy_hooks", "observe.pypy_marshal",
    "observe.pypy_recursion", "observe.pure_recorder", "sample.pypy",
)  # fmt: skip

FILES = sorted(PACKAGE.rglob("*.py"))


def _module(path: pathlib.Path) -> str:
    """Dotted name below `footfall`, e.g. `observe.start`; "" for the package itself."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def _imports(path: pathlib.Path) -> list[tuple[int, str]]:
    """Every module that a file imports when it runs, at any depth, with the line; footfall's submodules by name."""
    found = []
    todo: list[ast.AST] = [ast.parse(path.read_bytes())]
    for node in todo:
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            todo += node.orelse
            continue
        todo += ast.iter_child_nodes(node)
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: imports are absolute"
            if (node.module or "").partition(".")[0] == "footfall" and _is_package(node.module or ""):
                found += [(node.lineno, f"{node.module}.{alias.name}") for alias in node.names]
            else:
                found.append((node.lineno, node.module or ""))
    return found


def _is_package(name: str) -> bool:
    return PACKAGE.parent.joinpath(*name.split(".")).is_dir()


def _layer(module: str) -> str:
    top = module.split(".")[0]
    return SAME_LAYER.get(top, top)


def _is_measured(module: str) -> bool:
    return module.startswith(tuple(f"{folder}." for folder in MEASURED_FOLDERS)) or module in MEASURED_FILES


@pytest.mark.parametrize("path", FILES, ids=[_module(path) or "footfall" for path in FILES])
def test_imports_go_down_the_folder_list(path):
    """A file imports only its own folder and those before it in the design's list."""
    layer = _layer(_module(path))
    if layer not in ORDER:
        assert layer in ("", "api", "captures", "compat", "pytest_plugin", "__main__"), f"where does {layer} stand in the list?"
        return
    for line, name in _imports(path):
        if not name.startswith("footfall.") or name == "footfall._core" or name.startswith("footfall._core."):
            continue
        target = name.removeprefix("footfall.")
        if _module(path) == "observe.start" and target.startswith(MEASURED_FILES):
            continue  # the start hook starts the sampler, which runs in the measured process as it does
        assert ORDER.index(_layer(target)) <= ORDER.index(layer), f"{path}:{line} imports {name}, from above"


def test_no_circle_of_imports():
    """No module imports, through others and however late, itself."""
    modules = {_module(path): path for path in FILES}
    imported = {
        name: {target.removeprefix("footfall.") for _, target in _imports(path)} & modules.keys() - {name}
        for name, path in modules.items()
    }
    while True:
        leaves = {name for name, targets in imported.items() if not targets}
        if not leaves:
            break
        imported = {name: targets - leaves for name, targets in imported.items() if name not in leaves}
    assert imported == {}, "these import each other, or what does"


@pytest.mark.parametrize("path", [path for path in FILES if _is_measured(_module(path))], ids=_module)
def test_measured_files_import_only_what_is_there(path):
    """What runs in the measured program imports its own kind, the C core, and modules that are always loaded."""
    allowed = ALWAYS_THERE | PYPY_HAS | PYPY_FILES | PYPY_SWITCHES if _module(path) in PYPY_ONLY else ALWAYS_THERE
    for line, name in _imports(path):
        if name.startswith("footfall."):
            target = name.removeprefix("footfall.")
            kin = any(target == own or target.startswith(f"{own}.") for own in (*MEASURED_FILES, "_core", "observe"))
            assert kin, f"{path}:{line} imports {name} into the measured program"
        else:
            assert name in allowed, f"{path}:{line} imports {name} into the measured program"


DEFINING = [path for path in FILES if _is_measured(_module(path)) and "\ndef " in path.read_text(encoding="utf-8")]


@pytest.mark.parametrize("path", [path for path in DEFINING if path.stem != "own_builtins"], ids=_module)
def test_measured_files_keep_the_built_in_functions(path):
    """What the program puts into `builtins` is not what functions of ours call there."""
    lines = path.read_text(encoding="utf-8").splitlines()
    first = min(number for number, line in enumerate(lines) if line.startswith(("def ", "class ")))
    assert "keep_builtins(globals())" in lines[:first]


def test_a_measured_process_loads_no_other_module(tmp_path):
    """Measuring adds footfall's own and built-in modules to sys.modules, nothing of the standard library."""
    (tmp_path / "settings").write_text("branch\t1\ncover\t1\nprofile\t1\nrate_hz\t1000\n", encoding="utf-8")
    program = tmp_path / "program.py"
    program.write_text("import sys\nprint(*sys.modules, sep='\\n')\n", encoding="utf-8")
    modules = []
    for extra in ({}, {"FOOTFALL_RUN": str(tmp_path)}):
        done = subprocess.run(
            [sys.executable, str(program)], env={**os.environ, **extra}, capture_output=True, text=True, check=True
        )
        assert done.stderr == ""
        modules.append(set(done.stdout.split()))
    bare, measured = modules
    added = {name for name in measured - bare if name not in sys.builtin_module_names}
    assert "footfall.observe.start" in added
    assert {name for name in added if name.partition(".")[0] != "footfall"} <= ALWAYS_THERE | PYPY_FILES
