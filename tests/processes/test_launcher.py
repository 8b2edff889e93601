"""A measured program is the plain program: its `__main__`, argv, path, tracebacks and exit status."""

import os
import re
import subprocess
import sys
import zipfile

import pytest

from footfall.record.run.record_file import read_record

_REPORT = '''\
"""A docstring."""
from __future__ import annotations
import sys, os, atexit
shown = {name: repr(value) for name, value in globals().items()}
shown["__loader__"] = type(__loader__).__name__, sorted(map(str, vars(__loader__).items()))
for name in sorted(shown):
    print(name, shown[name])
print(sys.argv, sys.orig_argv[1:], sys.path[0], sys.flags, sys._getframe().f_back)
atexit.register(print, "at exit")
def fail(n):
    if n:
        return fail(n - 1)
    raise ValueError("on purpose")
'''
_ENDINGS = {
    "end": "",
    "traceback": "fail(2)\n",
    "status": "sys.exit(7)\n",
    "message": "sys.exit('a message')\n",
    "interrupted": "import signal; os.kill(os.getpid(), signal.SIGINT)\n",
    "killed": "sys.stdout.flush(); import signal; os.kill(os.getpid(), signal.SIGKILL)\n",
    "os._exit": "sys.stdout.flush(); os._exit(3)\n",
    "chained": "try:\n    fail(1)\nexcept ValueError:\n    1 / 0\n",
}
_IS_ENGINE = sys.implementation.name == "pypy" or sys.version_info < (3, 14)


@pytest.fixture
def compare(tmp_path):
    """Run Python plainly and measured; return (both outcomes, files measured)."""
    directory = tmp_path / "run"
    directory.mkdir()
    settings = f"branch\t1\ncover\t1\nprofile\t0\nsource_dir\t{tmp_path / 'work'}\ncache_dir\t{tmp_path / 'cache'}\n"
    (directory / "settings").write_text(settings)
    (tmp_path / "work").mkdir()

    def run(*arguments, stdin=""):
        outcomes = []
        for variables in ({}, {"FOOTFALL_RUN": str(directory)}):
            done = subprocess.run(
                [sys.executable, *arguments],
                cwd=tmp_path / "work",
                env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **variables},
                input=stdin,
                text=True,
                capture_output=True,
            )
            text = re.sub(r"0x[0-9a-f]+", "0x", done.stdout + done.stderr)
            outcomes.append((done.returncode, text))
        measured = set()
        for path in directory.glob("*.rec"):
            record = read_record(str(path))
            measured |= {os.path.basename(module.path) for module in record.modules if any(module.events)}
            measured |= {os.path.basename(code.path) for code in record.codes if any(code.events)}
        return outcomes, measured

    return run


def _write(path, ending):
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_text(_REPORT + _ENDINGS[ending])


@pytest.mark.parametrize("ending", _ENDINGS)
def test_script(compare, tmp_path, ending):
    """`python script.py` is the same, however it ends, and measured."""
    _write(tmp_path / "work" / "script.py", ending)
    (plain, measured), files = compare("script.py", "-x", "y")
    assert measured == plain
    assert files == {"script.py"}


@pytest.mark.parametrize("ending", ["end", "traceback"])
@pytest.mark.parametrize(
    ("path", "arguments"),
    [
        ("program.py", ["-m", "program", "a"]),
        ("package/__main__.py", ["-m", "package"]),
        ("folder/__main__.py", ["folder", "a"]),
    ],
    ids=["module", "package", "directory"],
)
def test_modules_and_directories(compare, tmp_path, path, arguments, ending):
    """`python -m` and `python directory` are the same, and measured."""
    _write(tmp_path / "work" / path, ending)
    (plain, measured), files = compare(*arguments)
    assert measured == plain
    assert os.path.basename(path) in files


@pytest.mark.skipif(not _IS_ENGINE, reason="a matter of the probes engine")
def test_zip_file(compare, tmp_path):
    """A zip file with a `__main__.py` is the same, and measured."""
    with zipfile.ZipFile(tmp_path / "work" / "app.zip", "w") as archive:
        archive.writestr("__main__.py", _REPORT + "import inner\n")
        archive.writestr("inner.py", "print(__file__)\n")
    (plain, measured), files = compare("app.zip")
    assert measured == plain
    assert files == {"__main__.py", "inner.py"}


@pytest.mark.parametrize(
    ("arguments", "stdin"),
    [(["-c", "import program; print(__name__)"], ""), (["-"], "import program\n"), ([], "import program\n1 / 0\n")],
    ids=["-c", "a dash", "standard input"],
)
def test_code_without_a_file(compare, tmp_path, arguments, stdin):
    """What has no file is the same; the modules that it imports are measured."""
    _write(tmp_path / "work" / "program.py", "end")
    (plain, measured), files = compare(*arguments, stdin=stdin)
    assert measured == plain
    assert files == {"program.py"}


@pytest.mark.skipif(not _IS_ENGINE, reason="a matter of the probes engine")
def test_compile_and_exec(compare, tmp_path):
    """Text of a measured file that the program compiles itself is measured, with the program's own semantics."""
    (tmp_path / "work" / "part.py").write_text("def f(x):\n    if x:\n        return 1\n    return 2\nvalue = f(0)\n")
    (tmp_path / "work" / "script.py").write_text(
        "from __future__ import annotations\n"
        "import runpy\n"
        "def here():\n"
        "    local = 1\n"
        "    exec('print(local)')\n"
        "    exec(compile('def g(x: unknown): pass\\nprint(sorted(locals()))', 'part.py', 'exec'))\n"
        "here()\n"
        "names = {}\n"
        "exec(compile(open('part.py').read(), 'part.py', 'exec'), names)\n"
        "print(names['value'], runpy.run_path('part.py')['value'])\n"
        "try:\n"
        "    compile('x = = 1', 'part.py', mode='exec')\n"
        "except SyntaxError as error:\n"
        "    print(error)\n"
        "compile(1, 'part.py', 'exec')\n"
    )
    (plain, measured), files = compare("script.py")
    if sys.implementation.name == "cpython":  # PyPy's own error message has a frame of compile
        assert measured == plain
    assert files == {"script.py", "part.py"}


@pytest.mark.skipif(not _IS_ENGINE, reason="a matter of the probes engine")
def test_syntax_errors_and_warnings(compare, tmp_path):
    """The compiler's errors and warnings are shown as in a plain run, and once."""
    (tmp_path / "work" / "broken.py").write_text("x = = 1\n")
    (tmp_path / "work" / "script.py").write_text("print('\\d', 1 is 1)\nimport broken\n")
    for arguments in (["script.py"], ["broken.py"], ["-W", "error", "script.py"]):
        (plain, measured), _files = compare(*arguments)
        assert measured == plain
