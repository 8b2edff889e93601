"""Which modules are measured where packages are asked for by name: what coverage.py finds in the frame that runs.

However a module is loaded, its name is known at the latest when its code runs.
"""

import os
import pathlib
import subprocess
import sys
import zipfile

import pytest

from engines import ENGINES, IS_CPYTHON, Measured, each_engine, measured  # noqa: F401, a fixture

_BODY = """\
def double(x):
    if x:
        return 2 * x
    return 0
double(1)
"""

_MODULES = (
    "ours/__init__", "ours/plain", "ours/again", "ours/lazy", "ours/as_main", "ours/as_other", "ours/in_thread",
    "ours/custom", "ours/inspected", "spaced/inner", "files/made", "files/made_elsewhere", "files/nameless", "files/own",
    "files/by_path", "files/by_path_named", "files/located", "files/located_elsewhere", "files/first_theirs",
    "files/first_ours", "files/theirs_in_dir",
)  # fmt: skip

_PACKAGES = ("ours", "spaced", "own", "prog", "zipped")

_PROGRAM = """\
import importlib, importlib.abc, importlib.util, runpy, sys, threading

def text(path):
    with open(path) as file:
        return file.read()

def execute(path, namespace):
    exec(compile(text(path), path, "exec"), namespace)

def locate(name, path, **options):
    spec = importlib.util.spec_from_file_location(name, path, **options)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module

class Custom(importlib.abc.Loader):
    def create_module(self, spec):
        return None
    def exec_module(self, module):
        execute(module.__spec__.origin, module.__dict__)

class Inspected(importlib.abc.InspectLoader):
    def get_source(self, fullname):
        return text("ours/inspected.py")
    def get_code(self, fullname):
        return self.source_to_code(self.get_source(fullname), "ours/inspected.py")

import ours.plain
ours.plain.double(0)
import ours.again
importlib.reload(ours.again)
import spaced.inner
execute("files/made.py", {"__name__": "ours.made"})
execute("files/made_elsewhere.py", {"__name__": "theirs.made"})
execute("files/nameless.py", {})
execute("files/own.py", {})
runpy.run_path("files/by_path.py")
runpy.run_path("files/by_path_named.py", run_name="ours.by_path")
runpy.run_module("ours.as_main", run_name="__main__")
runpy.run_module("ours.as_other", run_name="theirs")
locate("ours.located", "files/located.py")
locate("theirs", "files/located_elsewhere.py")
locate("theirs", "files/first_theirs.py").double(0)
locate("ours.second", "files/first_theirs.py")
locate("ours.first", "files/first_ours.py")
locate("theirs", "files/first_ours.py").double(0)
locate("ours.custom", "ours/custom.py", loader=Custom())
importlib.util.module_from_spec(importlib.util.spec_from_loader("ours.inspected", Inspected()))
exec(Inspected().get_code("ours.inspected"), {"__name__": "ours.inspected"})
spec = importlib.util.find_spec("ours.lazy")
spec.loader = importlib.util.LazyLoader(spec.loader)
lazy = importlib.util.module_from_spec(spec)
spec.loader.exec_module(lazy)
lazy.double(0)
thread = threading.Thread(target=importlib.import_module, args=("ours.in_thread",))
thread.start()
thread.join()
sys.path.insert(0, "files")
import theirs_in_dir
sys.path.insert(0, "all.zip")
import zipped.inner
"""


def _write_modules(work: pathlib.Path) -> None:
    for name in _MODULES:
        path = work / f"{name}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(_BODY)
    with zipfile.ZipFile(work / "all.zip", "w") as archive:
        archive.writestr("zipped/__init__.py", "HERE = 1\n")
        archive.writestr("zipped/inner.py", _BODY)


Seen = dict[str, tuple[set[int], set[tuple[int, int]]]]


def _of_coverage(work: pathlib.Path, packages: tuple[str, ...], *arguments: str) -> Seen:
    """Lines and arcs by file, of those with any, as coverage.py's tracer records them."""
    import coverage

    (work / ".truthrc").write_text(f"[run]\nbranch = true\ndata_file = .truth\nsource_pkgs = {', '.join(packages)}\n")
    core = "ctrace" if IS_CPYTHON else "pytrace"
    environment = {
        **os.environ,
        "COVERAGE_CORE": core,
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    command = [sys.executable, "-m", "coverage", "run", "--rcfile=.truthrc", *arguments]
    subprocess.run(command, cwd=work, env=environment, check=True, capture_output=True, text=True, timeout=100)
    data = coverage.CoverageData(str(work / ".truth"))
    data.read()
    found = {path: (set(data.lines(path) or ()), set(data.arcs(path) or ())) for path in data.measured_files()}
    return {path: seen for path, seen in found.items() if seen[0]}


def _of_footfall(measured: Measured) -> Seen:  # noqa: F811
    files = measured.data().files
    found = {
        path: (set().union(*file.lines.values()) - {0}, set().union(*file.arcs.values()))
        for path, file in files.items()
    }
    return {path: seen for path, seen in found.items() if seen[0]}


def _branches(seen: Seen) -> dict[str, set[tuple[int, int]]]:
    """The ways out of the `if` in line 2, by file."""
    return {path: {pair for pair in arcs if pair[0] == 2} for path, (_, arcs) in seen.items()}


def _names(work: pathlib.Path, seen: Seen) -> set[str]:
    return {os.path.relpath(path, work).removesuffix(".py") for path in seen}


@each_engine
def test_packages_are_measured_however_their_modules_are_loaded(measured: Measured) -> None:  # noqa: F811
    """Imported, executed, run, located, lazy, in an archive: the same files and lines as under coverage.py."""
    _write_modules(measured.work)
    measured.narrow_to(*_PACKAGES)
    done = measured.run(_PROGRAM, name="prog.py")
    assert (done.returncode, done.stderr) == (0, "")
    truth = _of_coverage(measured.work, _PACKAGES, "prog.py")
    found = _of_footfall(measured)
    names = _names(measured.work, found)
    assert names == _names(measured.work, truth)
    assert {"prog", "ours/plain", "files/made", "files/own", "all.zip/zipped/inner", "files/first_ours"} <= names
    assert not {"files/made_elsewhere", "files/nameless", "files/by_path", "files/first_theirs"} & names
    if measured.engine.branch and IS_CPYTHON:
        assert _branches(found) == _branches(truth)
    assert {path: lines for path, (lines, _) in found.items()} == {path: lines for path, (lines, _) in truth.items()}


@each_engine
@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (("-m", "ours.as_main"), "ours/as_main"),
        (("-m", "ours"), "ours/__main__"),
        (("own.py",), "own"),
        (("tool",), ""),
    ],
    ids=["a module", "a package", "a script by its file", "a script without a suffix is no module"],
)
def test_the_main_module_is_known_by_its_spec_or_file(measured: Measured, arguments, name) -> None:  # noqa: F811
    """`__main__` is measured under the name by which it could be imported."""
    _write_modules(measured.work)
    for file in ("ours/__main__.py", "own.py", "tool"):
        (measured.work / file).write_text(_BODY)
    measured.narrow_to("ours", "own", "tool")
    done = measured.run("", *arguments, name="unused.py")
    assert (done.returncode, done.stderr) == (0, "")
    found = _names(measured.work, _of_footfall(measured))
    assert found - {"ours/__init__"} == ({name} if name else set())
    assert found == _names(measured.work, _of_coverage(measured.work, ("ours", "own", "tool"), *arguments))


_PYTEST_FILES = {
    "conftest.py": "def pytest_runtest_setup(item):\n    item.user_properties\n",
    "tests/__init__.py": "HERE = 1\n",
    "tests/conftest.py": "import pytest\n@pytest.fixture\ndef one():\n    if 1 > 0:\n        return 1\n",
    "tests/test_inside.py": "from ours.plain import double\ndef test_it(one):\n    assert double(one) == 2\n",
    "loose/test_loose.py": "def test_it():\n    assert 2 == 2\n",
    "ours/plugin.py": "import pytest\ndef pytest_report_header():\n    if pytest:\n        return 'ours'\n",
    "registered.py": "def check(x):\n    assert x\n    return x\n",
    "loose/test_registered.py": "import pytest\npytest.register_assert_rewrite('registered')\nimport registered\n"
    "def test_it():\n    assert registered.check(1)\n",
}


@pytest.mark.parametrize(
    ("engine", "mode"),
    [*((engine, "prepend") for engine in ENGINES), (ENGINES[1], "importlib")],
    ids=lambda value: getattr(value, "name", value),
)
def test_modules_that_pytest_rewrites_are_measured_by_their_names(measured: Measured, mode) -> None:  # noqa: F811
    """Tests, conftests, plugins and registered modules, also from pytest's cache: the same as under coverage.py."""
    _write_modules(measured.work)
    for name, text in _PYTEST_FILES.items():
        (measured.work / name).parent.mkdir(exist_ok=True)
        (measured.work / name).write_text(text)
    (measured.work / "pytest.ini").write_text("[pytest]\npythonpath = .\n")
    packages = ("ours", "tests", "registered", "conftest", "loose.test_loose")
    arguments = ("-m", "pytest", "-q", "-p", "ours.plugin", f"--import-mode={mode}", "tests", "loose")
    truth = _of_coverage(measured.work, packages, *arguments)
    assert {"tests/test_inside", "ours/plugin", "ours/plain"} <= _names(measured.work, truth)
    n_runs = 1
    if measured.engine.name == "probes":
        n_runs = 2  # the second time from pytest's cache
        measured.narrow_to("ours.plain")  # the tests go into that as they are
        measured.run("", *arguments, name="unused.py")
    for _ in range(n_runs):
        measured.narrow_to(*packages)
        done = measured.run("", *arguments, name="unused.py")
        assert done.returncode == 0, done.stdout + done.stderr
        found = _of_footfall(measured)
        assert {path: lines for path, (lines, _) in found.items()} == {
            path: lines for path, (lines, _) in truth.items()
        }


@each_engine
def test_a_program_may_replace_functions_of_os(measured: Measured) -> None:  # noqa: F811
    """Where those raise, as tools that look for blocking calls have them, imports go on and are measured, links resolved."""
    (measured.work / "real").mkdir()
    (measured.work / "real" / "inner.py").write_text(_BODY)
    (measured.work / "linked").symlink_to("real")
    done = measured.run(
        """\
        import os, sys
        sys.path.insert(0, "linked")
        def refuse(*args, **named):
            raise RuntimeError("blocking")
        kept = os.path.abspath, os.lstat, os.readlink
        os.path.abspath = os.lstat = os.readlink = refuse
        import inner
        os.path.abspath, os.lstat, os.readlink = kept
        """
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert _of_footfall(measured)[str(measured.work / "real" / "inner.py")][0] == {1, 2, 3, 5}
