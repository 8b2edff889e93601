"""What footfall puts look-alikes of may be anything by then: functions, methods and objects of other tools, or nothing."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from footfall.record.data.coverage_tables import read_contexts_by_line, read_coverage

Footfall = Callable[..., subprocess.CompletedProcess[str]]

REPLACE = """\
import _thread, functools, sys, threading

class Starter:
    calls = 0

    def __init__(self, plain):
        self.plain = plain

    def __call__(self, *args, **named):
        Starter.calls += 1
        return self.plain(*args, **named)

    def method(self, *args, **named):
        return self(*args, **named)

def function(plain):
    def start(*args, **named):
        Starter.calls += 1
        begin = (*args, *named.values())[0]  # which eventlet looks at: a method of threading.Thread
        assert begin.__module__ == "threading" and isinstance(begin.__self__, threading.Thread), begin
        return plain(*args, **named)
    return start

def nothing(plain):
    return None

kinds = {"function": function, "method": lambda plain: Starter(plain).method, "object": Starter, "none": nothing,
         "partial": lambda plain: functools.partial(Starter(plain))}
kind = sys.argv[1]
for name in ("start_new_thread", "start_new", "start_joinable_thread"):
    plain = getattr(_thread, name, None)
    if plain is not None and kind == "deleted":
        delattr(_thread, name)
    elif plain is not None:
        setattr(_thread, name, kinds[kind](plain))
        if kind != "none" and hasattr(threading, "_" + name):
            setattr(threading, "_" + name, getattr(_thread, name))
done = []
"""

IN_CONTEXT = """\
import lib, threading
from footfall import context
import work
go = threading.Event()
with context("first"):
    thread = threading.Thread(target=work.work, args=(go, lib.done))
    thread.start()
with context("second"):
    go.set()
    thread.join()
assert lib.done == [lib.kind in ("function", "method", "object", "partial")], (lib.done, lib.Starter.calls)
"""

MEASURED = """\
import lib, threading, footfall
with footfall.measure(source=["."]):
    import work
    go = threading.Event()
    go.set()
    thread = threading.Thread(target=work.work, args=(go, lib.done))
    thread.start()
    thread.join()
assert lib.done == [lib.kind in ("function", "method", "object", "partial")], (lib.done, lib.Starter.calls)
"""

WORK = """\
def work(go, done):
    import lib
    go.wait()
    done.append(lib.Starter.calls)
"""

KINDS = ("function", "method", "object", "partial", "none", "deleted")


def _write(tmp_path: Path, program: str) -> None:
    (tmp_path / "lib.py").write_text(REPLACE)
    (tmp_path / "work.py").write_text(WORK)
    (tmp_path / "main.py").write_text(program)


def _plain_run(tmp_path: Path, *arguments: str, **variables: str) -> None:
    command = [sys.executable, *arguments]
    env = os.environ | variables
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "Error" not in done.stderr


@pytest.mark.parametrize("kind", KINDS)
def test_a_context_goes_on_in_threads_however_they_are_started(tmp_path: Path, footfall: Footfall, kind: str) -> None:
    """What the program has put there is called once, and the thread is of the context that it began in."""
    _write(tmp_path, IN_CONTEXT)
    done = footfall("run", "--quiet", "--no-profile", sys.executable, "main.py", kind)
    assert (done.returncode, done.stderr) == (0, "")
    contexts = read_contexts_by_line(tmp_path / ".coverage")[str(tmp_path / "work.py")]
    assert contexts[2] == contexts[3] == contexts[4] == {"first"}


@pytest.mark.parametrize("kind", KINDS)
def test_a_measurement_that_begins_late_follows_however_threads_are_started(tmp_path: Path, kind: str) -> None:
    """The trace function gets into the thread."""
    _write(tmp_path, MEASURED)
    _plain_run(tmp_path, "main.py", kind, FOOTFALL_ENGINE="settrace")
    assert read_coverage(tmp_path / ".coverage").files[str(tmp_path / "work.py")].lines == {1, 2, 3, 4}


def test_a_debugger_that_traces_new_threads_keeps_them(tmp_path: Path) -> None:
    """Its way to start them is around ours: its trace function is there first."""
    program = """\
import _thread, sys, threading
seen = []
def trace(frame, event, argument):
    seen.append(frame.f_code.co_name)
def of_debugger(plain):
    def start(function, *more, **named):
        def run(*args):
            sys.settrace(trace)
            function(*args)
        return plain(run, *more, **named)
    return start
for module in (_thread, threading):
    for name in ("start_new_thread", "_start_new_thread", "start_joinable_thread", "_start_joinable_thread"):
        if hasattr(module, name):
            setattr(module, name, of_debugger(getattr(module, name)))
import footfall
def work():
    pass
with footfall.measure(source=["."]):
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
assert "work" in seen, seen
"""
    (tmp_path / "main.py").write_text(program)
    _plain_run(tmp_path, "main.py", FOOTFALL_ENGINE="settrace")


def test_what_stands_for_a_function_looks_as_it_does(tmp_path: Path) -> None:
    """Its attributes, its class and its signature are those of what it stands for."""
    program = """\
import inspect
from footfall.observe.children import _replace
class Caller:
    calls = 0
    def __call__(self, first, *, second=2):
        self.calls += 1
        return first, second
    def method(self, first, *, second=2):
        return first, second
def function(first, *, second=2):
    return first, second
class module: pass
for plain in (Caller(), Caller().method, function):
    module.name = plain
    _replace(module, "name", lambda args, named: ((args[0] + 1, *args[1:]), named), None)
    assert module.name is not plain
    assert module.name(1, second=3) == (2, 3)
    assert isinstance(module.name, type(plain)) and callable(module.name)
    if type(plain) is not Caller:
        assert inspect.signature(module.name) == inspect.signature(plain)
    assert repr(module.name) == repr(plain) or inspect.isfunction(plain)
    if type(plain) is Caller:
        module.name.calls += 1
        assert module.name.calls == plain.calls == 2
for plain in (None, 3):
    module.name = plain
    _replace(module, "name", lambda args, named: None, None)
    assert module.name is plain
"""
    _plain_run(tmp_path, "-c", program)


def test_the_signal_handler_of_a_program_is_heard_inside_of_ours(tmp_path: Path) -> None:
    """A KeyboardInterrupt that comes while arguments are looked at is the program's; an error of ours is nobody's."""
    program = """\
from footfall.observe.children import _replace
class module:
    started = staticmethod(len)
def interrupted(args, named):
    raise KeyboardInterrupt
def wrong(args, named):
    raise ValueError
_replace(module, "started", wrong, lambda args: 1 / 0)
assert module.started("ab") == 2
_replace(module, "started", interrupted, None)
try:
    module.started("ab")
except KeyboardInterrupt:
    print("heard")
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("heard\n", "")


def test_a_file_name_that_no_file_can_have_is_not_measured(tmp_path: Path, footfall: Footfall) -> None:
    """Nor does it end the measuring of others."""
    program = """\
code = compile("x = 1", "plain.py", "exec")
for name in ("a\\0b.py", "\\ud800.py", "a\\nb.py", "x" * 5000 + ".py", ""):
    try:
        named = code.replace(co_filename=name, co_name=name)
    except ValueError:
        continue  # PyPy has no such code
    exec(named)
import work
"""
    (tmp_path / "main.py").write_text(program)
    (tmp_path / "work.py").write_text("z = 1\n")
    done = footfall("run", "--quiet", sys.executable, "main.py")
    assert done.returncode == 0
    assert set(re.findall(r"\[[a-z-]+\]$", done.stderr, re.MULTILINE)) <= {"[source-missing]"}  # probes need a text
    stored = read_coverage(tmp_path / ".coverage").files
    assert {Path(path).name for path in stored} >= {"main.py", "work.py"}
    assert stored[str(tmp_path / "work.py")].lines == {1}


def test_greenlets_that_stand_for_threads_carry_their_context(tmp_path: Path, footfall: Footfall) -> None:
    """After gevent has replaced the standard library's functions; the thread that they share keeps its own for samples."""
    pytest.importorskip("gevent")
    program = """\
import gevent.monkey
gevent.monkey.patch_all()
import threading, time, footfall
def work():
    time.sleep(0.01)
    after = 1
with footfall.context("first"):
    thread = threading.Thread(target=work)
    thread.start()
with footfall.context("second"):
    thread.join()
"""
    (tmp_path / "main.py").write_text(program)
    done = footfall("run", "--quiet", sys.executable, "main.py")
    assert (done.returncode, done.stderr) == (0, "")
    contexts = read_contexts_by_line(tmp_path / ".coverage")[str(tmp_path / "main.py")]
    assert contexts[5] == contexts[6] == {"first"}
    assert contexts[11] == {"second"}


REPLACED_BUILTINS = """\
import builtins, importlib, sys
kept = dict(vars(builtins))
exceptions = {name for name, value in kept.items() if isinstance(value, type) and issubclass(value, BaseException)}
names = sorted(name for name, value in kept.items() if callable(value) and not name.startswith("_"))
names = [name for name in [*names, "__import__"] if name not in exceptions]
put, run, make = setattr, exec, compile

def refuse(*args, **named):
    raise AssertionError("called by another than the program")

found = []
for name in names:
    if name in ("compile", "exec"):
        continue
    file = "work_" + name + ".py"
    text = open(file).read()
    put(builtins, name, None if sys.argv[1] == "none" else refuse)
    try:
        run(make(text, file, "exec"), {"__name__": file})
    except kept["BaseException"] as error:
        found.append((name, error))
    put(builtins, name, kept[name])
print(len(names) > 60, found)
"""


@pytest.mark.parametrize("how", ["none", "refuse"])
def test_built_in_functions_that_the_program_replaces_are_not_ours(
    tmp_path: Path, footfall: Footfall, how: str
) -> None:
    """Each function of `builtins` in turn is none, or raises, while a file is met: that is measured all the same."""
    if sys.implementation.name == "pypy":
        pytest.skip("functions find their built-in names in `builtins` alone")
    import builtins

    for name in dir(builtins):
        (tmp_path / f"work_{name}.py").write_text("def f(x):\n    if x:\n        return 1\n    return 2\nf(1)\n")
    (tmp_path / "program.py").write_text(REPLACED_BUILTINS)
    done = footfall("run", "--quiet", "--no-branch", sys.executable, "program.py", how, cwd=tmp_path)
    assert (done.stdout, done.stderr, done.returncode) == ("True []\n", "", 0)
    lines = {path: file.lines for path, file in read_coverage(tmp_path / ".coverage").files.items() if "work_" in path}
    assert len(lines) > 60
    assert {path for path, ran in lines.items() if ran != {1, 2, 3, 5}} == set()


OWN_COMPILE = """\
import builtins
plain, seen = builtins.compile, []

def compile(source, filename, *args, **named):
    seen.append(filename)
    return plain(source.replace(b"wrong", b"right"), filename, *args, **named)

builtins.compile = compile
import translated
builtins.compile = plain
print(len(seen), translated.f())
"""


def test_a_compile_of_the_program_is_called_as_often_as_ever(tmp_path: Path, footfall: Footfall) -> None:
    """Once for each module, and what it makes is what runs."""
    (tmp_path / "translated.py").write_text("def f():\n    return 'wrong'\n")
    (tmp_path / "program.py").write_text(OWN_COMPILE)
    done = footfall("run", "--quiet", "--no-branch", sys.executable, "-B", "program.py", cwd=tmp_path)
    assert (done.stdout, done.stderr, done.returncode) == ("1 right\n", "", 0)
    files = read_coverage(tmp_path / ".coverage").files
    assert {Path(path).name: file.lines for path, file in files.items()} == {
        "program.py": {1, 2, 4, 5, 6, 8, 9, 10, 11},
        "translated.py": {1, 2},
    }


SEEN = """\
import sys, threading
seen = set()

def see(frame, event, arg):
    if "footfall" in frame.f_code.co_filename:
        seen.add((frame.f_code.co_filename.rpartition("/")[2], frame.f_code.co_name))
    return see

sys.setprofile(see)
sys.settrace(see)
import work
exec(compile("x = 1\\n", "work.py", "exec"))
threading.Thread(target=work.f, args=(1,)).start()
sys.settrace(None)
sys.setprofile(None)
print(sorted(seen))
"""


def test_profilers_and_debuggers_of_the_program_see_nothing_of_ours(tmp_path: Path, footfall: Footfall) -> None:
    """No trace or profile function is called for a function of footfall's."""
    if sys.implementation.name == "pypy":
        pytest.skip("PyPy has no way to hide frames from them")
    (tmp_path / "work.py").write_text("def f(x):\n    if x:\n        return 1\n    return 2\n")
    (tmp_path / "program.py").write_text(SEEN)
    done = footfall("run", "--quiet", sys.executable, "program.py", cwd=tmp_path)
    assert (done.stdout, done.stderr, done.returncode) == ("[]\n", "", 0)


FORBIDDING = """\
import sys

def forbid(event, args):
    if event == "sys._getframe" or (event == "open" and ".footfall" in str(args[0])):
        raise RuntimeError("not in this program")

sys.addaudithook(forbid)
import work
names = {}
exec(compile("def g(x):\\n    return x\\n", "work.py", "exec"), names)
print(work.f(1), names["g"](1))
"""


def test_an_audit_hook_forbids_what_only_we_do(tmp_path: Path, footfall: Footfall) -> None:
    """What it raises does not reach the program."""
    (tmp_path / "work.py").write_text("def f(x):\n    return x\n")
    (tmp_path / "program.py").write_text(FORBIDDING)
    done = footfall("run", "--quiet", sys.executable, "program.py", cwd=tmp_path)
    assert (done.stdout, done.returncode) == ("1 1\n", 0)
    assert "Traceback" not in done.stderr
    assert "ignored" not in done.stderr
