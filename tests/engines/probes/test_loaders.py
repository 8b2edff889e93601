"""Loaders that run other code than their file's text gives.

The program runs what it runs unmeasured; the file is measured, or a message names it.
"""

import pathlib
import subprocess
import sys

import pytest

from engines import IS_CPYTHON, Measured, measured, with_default  # noqa: F401, a fixture
from footfall.analyze.resolve import resolve

_MODULE = """\
word = "plain"
def choose(x):
    if x:
        return word
    return None
print(choose(1))
"""

_MAIN = """\
import importlib.abc, importlib.machinery, importlib.util, ast, sys

{loader}

def load(name, path):
    spec = importlib.util.spec_from_file_location(name, path, loader=Loader(name, path))
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module

load("module", "module.py")
"""

_TRANSLATES = """\
class Loader(importlib.machinery.SourceFileLoader):
    def get_data(self, path):
        data = super().get_data(path)
        return data.replace(b"plain", b"changed") if path.endswith(".py") else data
"""

_COMPILES = """\
class Loader(importlib.machinery.SourceFileLoader):
    def source_to_code(self, data, path, *rest, **options):  # 3.15 gives the name too
        return compile(data.replace(b"plain", b"changed"), path, "exec", dont_inherit=True)
"""

_COMPILES_ALIKE = """\
class Loader(importlib.machinery.SourceFileLoader):
    def source_to_code(self, data, path, *rest, **options):  # 3.15 gives the name too
        return compile(data, path, "exec", dont_inherit=True)
"""

_ON_THE_INSTANCE = """\
def Loader(name, path):
    loader = importlib.machinery.SourceFileLoader(name, path)
    plain = loader.get_data
    loader.get_data = lambda path: plain(path).replace(b"plain", b"changed")
    return loader
"""

_ABSTRACT = """\
class Loader(importlib.abc.SourceLoader):
    def __init__(self, name, path):
        self.path = path
    def get_filename(self, fullname):
        return self.path
    def get_data(self, path):
        with open(path, "rb") as file:
            return file.read().replace(b"plain", b"changed")
"""

_DELEGATES = """\
class Loader(importlib.abc.InspectLoader):
    def __init__(self, name, path):
        self.inner = importlib.machinery.SourceFileLoader(name, path)
    def get_source(self, fullname):
        return self.inner.get_source(fullname)
    def get_code(self, fullname):
        return self.inner.get_code(fullname)
"""

_FROM_A_TREE = """\
class Change(ast.NodeTransformer):
    def visit_Constant(self, node):
        return ast.copy_location(ast.Constant("changed"), node) if node.value == "plain" else node

class Loader(importlib.machinery.SourceFileLoader):
    def source_to_code(self, data, path, *rest, **options):  # 3.15 gives the name too
        return compile(Change().visit(ast.parse(data)), path, "exec", dont_inherit=True)
"""

_CHANGES_CODE = """\
class Loader(importlib.machinery.SourceFileLoader):
    def source_to_code(self, data, path, *rest, **options):  # 3.15 gives the name too
        code = super().source_to_code(data, path)
        return code.replace(co_consts=tuple("changed" if value == "plain" else value for value in code.co_consts))
"""


def _check_lines(measured: Measured) -> None:  # noqa: F811
    """The module ran, with one of its two branches taken."""
    file = resolve(measured.run_directory).files[str(measured.work / "module.py")]
    assert set().union(*file.lines.values()) == {1, 2, 3, 4, 6}
    if measured.engine.branch:
        assert {pair for pair in set().union(*file.arcs.values()) if pair[0] == 3} == {(3, 4)}


def _messages(measured: Measured) -> list[str]:  # noqa: F811
    return [slug for slug, _ in resolve(measured.run_directory).messages]


@with_default
@pytest.mark.parametrize(
    ("loader", "printed"),
    [
        (_TRANSLATES, "changed"),
        (_COMPILES, "changed"),
        (_COMPILES_ALIKE, "plain"),
        (_ON_THE_INSTANCE, "changed"),
        (_ABSTRACT, "changed"),
        (_DELEGATES, "plain"),
    ],
    ids=["get_data", "source_to_code", "source_to_code of its own", "an instance's get_data", "abstract", "delegates"],
)
def test_what_a_loader_reads_runs_and_is_measured(measured: Measured, loader: str, printed: str) -> None:  # noqa: F811
    """The text that the loader has compiled is what runs, from source and from its bytecode, and its lines are known."""
    (measured.work / "module.py").write_text(_MODULE)
    for _ in range(2):
        done = measured.run(_MAIN.format(loader=loader))
        assert (done.stdout, done.stderr) == (f"{printed}\n", "")
    assert measured.run_bare().stdout == f"{printed}\n"  # from the bytecode, which holds no probes
    if IS_CPYTHON:
        for path in (measured.work / "__pycache__").glob("module.*.pyc"):
            assert b"footfall" not in path.read_bytes()
    _check_lines(measured)
    assert _messages(measured) == []


@with_default
@pytest.mark.parametrize(
    "run", ["compile(text, path, 'exec')", "compile(text.encode(), path, 'exec')"], ids=["str", "bytes"]
)
def test_a_text_that_a_program_compiles_for_a_file_is_measured(measured: Measured, run: str) -> None:  # noqa: F811
    """An importer that translates and calls `compile` and `exec` itself: its text runs, the lines are the file's."""
    (measured.work / "module.py").write_text(_MODULE)
    done = measured.run(
        f"""
        import os
        path = os.path.abspath("module.py")
        text = open(path).read().replace("plain", "changed")
        exec({run}, {{"__name__": "module"}})
        """
    )
    assert (done.stdout, done.stderr) == ("changed\n", "")
    _check_lines(measured)


@with_default
@pytest.mark.parametrize("loader", [_FROM_A_TREE, _CHANGES_CODE], ids=["from a tree", "changes the code"])
def test_code_that_no_text_gives_is_traced_or_named(measured: Measured, loader: str) -> None:  # noqa: F811
    """A loader's own code runs as it is; it is measured by the trace function, or a message names the file."""
    (measured.work / "module.py").write_text(_MODULE)
    (measured.work / "later.py").write_text("import threading\nthread = threading.Thread(target=print)\n")
    main = _MAIN.format(loader=loader) + "import later\n"
    for _ in range(2):
        done = measured.run(main)
        assert (done.stdout, done.stderr) == ("changed\n", "")
        if measured.engine.name == "probes":
            (reported,) = measured.messages_of("code-from-elsewhere")
            assert reported.startswith(str(measured.work / "module.py"))
    assert measured.run_bare().stdout == "changed\n"
    _check_lines(measured)
    files = resolve(measured.run_directory).files
    assert set().union(*files[str(measured.work / "later.py")].lines.values()) == {1, 2}


def _compile(work: pathlib.Path, mode: str) -> None:
    text = "import py_compile as c; c.compile('module.py', doraise=True, invalidation_mode=c.PycInvalidationMode."
    subprocess.run([sys.executable, "-c", f"{text}{mode})"], cwd=work, check=True)


@with_default
@pytest.mark.parametrize(
    ("mode", "check", "printed"),
    [
        ("UNCHECKED_HASH", "default", "plain"),
        ("UNCHECKED_HASH", "always", "later"),
        ("CHECKED_HASH", "default", "later"),
        ("CHECKED_HASH", "never", "plain"),
    ],
)
def test_unchecked_bytecode_runs_whatever_the_source_contains(measured: Measured, mode, check, printed) -> None:  # noqa: F811
    """As Python takes the `.pyc` or the source, so it does measured; from bytecode of another text lines are traced."""
    module = measured.work / "module.py"
    module.write_text(_MODULE)
    _compile(measured.work, mode)
    module.write_text(_MODULE.replace("plain", "later"))
    arguments = ("--check-hash-based-pycs", check, "main.py")
    done = measured.run("import module\n", *arguments)
    assert done.stdout == f"{printed}\n" == measured.run_bare(*arguments).stdout
    is_traced = printed == "plain" and measured.engine.name == "probes"
    assert len(measured.messages_of("code-from-elsewhere")) == is_traced
    _check_lines(measured)


@with_default
def test_unchecked_bytecode_of_the_same_text_is_measured(measured: Measured) -> None:  # noqa: F811
    """Where the source was not changed since, nothing is slower or said."""
    (measured.work / "module.py").write_text(_MODULE)
    _compile(measured.work, "UNCHECKED_HASH")
    done = measured.run("import module\n")
    assert (done.stdout, done.stderr) == ("plain\n", "")
    _check_lines(measured)


@with_default
def test_a_file_that_is_no_python_without_its_loader_is_named(measured: Measured) -> None:  # noqa: F811
    """What no report could show is not in the data of probes, and a message says so."""
    (measured.work / "module.py").write_text(_MODULE.replace("def ", "function "))
    loader = _TRANSLATES.replace('b"plain", b"changed"', 'b"function ", b"def "')
    done = measured.run(_MAIN.format(loader=loader))
    assert done.stdout == "plain\n"
    if measured.engine.name == "probes":
        assert _messages(measured) == ["code-from-elsewhere"]
        assert "module.py" in measured.messages_of("code-from-elsewhere")[0]
        assert str(measured.work / "module.py") not in resolve(measured.run_directory).files


@with_default
def test_a_debugger_keeps_its_trace_function(measured: Measured) -> None:  # noqa: F811
    """A file that would have to be traced is named instead where another tool traces."""
    (measured.work / "module.py").write_text(_MODULE)
    main = _MAIN.format(loader=_FROM_A_TREE).replace(
        'load("module"', 'trace = lambda *args: None\nsys.settrace(trace)\nload("module"'
    )
    done = measured.run(main + "assert sys.gettrace() is trace\nsys.settrace(None)\n")
    assert (done.returncode, done.stdout) == (0, "changed\n")
    if measured.engine.name == "probes":
        assert measured.messages_of("code-from-elsewhere")[0].endswith("it is not measured.")
