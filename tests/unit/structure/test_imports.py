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
    "_version", "_core", "_decode", "own_builtins", "formats", "windows_paths", "files", "model", "tier", "printable", "errors", "patterns", "python_tables", "pythons", "settings",
    "config", "probes",
    "observe", "attach", "record", "analyze", "load", "report", "session", "live", "service", "cli", "api", "hypothesis", "compat", "tests_file", "pytest_plugin", "unittest_plugin",
]  # fmt: skip

# These run inside the measured program: they import each other, the C core, and what every interpreter has loaded.
MEASURED = (
    "observe", "probes", "own_builtins", "formats", "model", "tier", "printable", "patterns", "python_tables", "pythons", "settings", "files", "windows_paths",
)  # fmt: skip
ALWAYS_THERE = {
    "sys", "os", "io", "atexit", "codecs", "builtins", "marshal", "time", "posix", "nt", "ntpath", "errno", "gc", "itertools", "_ast",
    "_imp", "_io", "_md5", "_signal", "_thread", "_warnings", "_weakref", "_frozen_importlib",
    "_frozen_importlib_external", "zipimport", "__future__",
    "_functools",  # built in; on CPython 3.11 to 3.13 without the C core
    "_xxsubinterpreters",  # built in; on CPython 3.11 and 3.12 without the C core
    "_posixsubprocess",  # built in from CPython 3.14 on; before, one small library that subprocess needs
}  # fmt: skip
PYPY_HAS = {"__pypy__", "_cffi_backend", "_struct", "_vmprof", "fcntl", "mmap"}  # built in there, files on CPython
PYPY_FILES = {"copyreg"}  # one small file that imports nothing
PYPY_SWITCHES = {"contextvars"}  # two small files, at the first switch of contexts
PURE = ("observe.pure", "observe.pypy", "observe.sampler.pypy")  # where there is no C core

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
    return module.partition(".")[0]


def _is_in(module: str, places: tuple[str, ...]) -> bool:
    return any(module == place or module.startswith(f"{place}.") for place in places)


@pytest.mark.any_python
@pytest.mark.parametrize("path", FILES, ids=[_module(path) or "footfall" for path in FILES])
def test_imports_go_down_the_folder_list(path):
    """A file imports only its own folder and those before it in the design's list."""
    layer = _layer(_module(path))
    if layer in ("", "__main__"):  # the two doors into the package
        return
    for line, name in _imports(path):
        if name.startswith("footfall."):
            target = _layer(name.removeprefix("footfall."))
            assert ORDER.index(target) <= ORDER.index(layer), f"{path}:{line} imports {name}, from above"


@pytest.mark.any_python
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


@pytest.mark.parametrize("path", [path for path in FILES if _is_in(_module(path), MEASURED)], ids=_module)
def test_measured_files_import_only_what_is_there(path):
    """What runs in the measured program imports its own kind, the C core, and modules that are always loaded."""
    is_pure = _is_in(_module(path), PURE)
    allowed = ALWAYS_THERE | PYPY_HAS | PYPY_FILES | PYPY_SWITCHES if is_pure else ALWAYS_THERE
    for line, name in _imports(path):
        if name.startswith("footfall."):
            target = name.removeprefix("footfall.")
            assert _is_in(target, (*MEASURED, "_core")), f"{path}:{line} imports {name} into the measured program"
        else:
            assert name in allowed, f"{path}:{line} imports {name} into the measured program"


# where they are kept, and scripts that run where there may be no footfall
KEEPS_NONE = ("own_builtins", "injected", "sitecustomize")
DEFINING = [path for path in FILES if _is_in(_module(path), MEASURED) and "\ndef " in path.read_text(encoding="utf-8")]


@pytest.mark.parametrize("path", [path for path in DEFINING if path.stem not in KEEPS_NONE], ids=_module)
def test_measured_files_keep_the_built_in_functions(path):
    """What the program puts into `builtins` is not what functions of ours call there."""
    lines = path.read_text(encoding="utf-8").splitlines()
    first = min(number for number, line in enumerate(lines) if line.startswith(("def ", "class ")))
    assert "keep_builtins(globals())" in lines[:first]


def test_no_crowded_folder():
    """A folder that holds no other has at most 15 files."""
    crowded = {}
    for folder in {path.parent for path in FILES}:
        n_files = len([path for path in folder.glob("*.py") if path.name != "__init__.py"])
        if n_files > 15 and not any(each.is_dir() and each.name != "__pycache__" for each in folder.iterdir()):
            crowded[folder] = n_files
    assert crowded == {}


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
