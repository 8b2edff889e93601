"""Modules that can't be loaded: the program gets the error, the traceback and the warnings that it gets unmeasured."""

import pytest

from engines import IS_CPYTHON, Engine, Measured, each_engine, measured  # noqa: F401, a fixture

_MODULES = {
    "no_syntax": b"def f(:\n",
    "no_place": b"x = 1\nreturn x\n",
    "no_encoding": b"# coding: nothing-such\nx = 1\n",
    "no_text": b"x = '\xe9'\n",
    "no_module": b"import nothing_such\n",
    "zero": b"def f():\n    return 1 / 0\nf()\n",
    "warns": b"x = 1 is 1\n",
}
_ENDLESS = b"def f():\n    f()\nf()\n"
_EACH_WAY = """\
import importlib.util, runpy, sys, traceback
for name in sys.argv[1:]:
    for load in (
        lambda: __import__(name),
        lambda: importlib.import_module(name),
        lambda: runpy.run_module(name),
        lambda: runpy.run_path(name + ".py"),
        lambda: importlib.util.find_spec(name).loader.get_code(name),
        lambda: importlib.util.find_spec(name).loader.load_module("other"),
    ):
        sys.modules.pop(name, None)
        try:
            load()
        except Exception:
            traceback.print_exc()
"""


@each_engine
def test_a_failing_import_looks_as_it_does_bare(measured: Measured, engine: Engine) -> None:  # noqa: F811
    """Byte by byte, by every way to load a module."""
    modules = dict(_MODULES)
    # PyPy's stack has room by bytes, and traced calls take more of it; callbacks in Python take a frame
    if IS_CPYTHON and engine.name != "settrace" and not engine.is_pure:
        modules["endless"] = _ENDLESS
    for name, source in modules.items():
        (measured.work / f"{name}.py").write_bytes(source)
    options = ("-Werror", "-Wignore:Module globals:DeprecationWarning")  # of 3.15, as it prints tracebacks of runpy's
    done = measured.run(_EACH_WAY, *options, "main.py", *modules)
    bare = measured.run_bare(*options, "main.py", *modules)
    assert bare.stderr.count("Traceback") > 5 * len(modules)
    assert (done.returncode, done.stdout) == (bare.returncode, bare.stdout)
    assert done.stderr.splitlines() == bare.stderr.splitlines()


@each_engine
@pytest.mark.parametrize("name", ["no_syntax", "zero"])
def test_a_failing_module_of_m_looks_as_it_does_bare(measured: Measured, engine: Engine, name: str) -> None:  # noqa: F811
    """The interpreter's own frames are those without us."""
    (measured.work / f"{name}.py").write_bytes(_MODULES[name])
    done = measured.run("", "-m", name)
    bare = measured.run_bare("-m", name)
    assert (done.returncode, done.stderr) == (bare.returncode, bare.stderr)
