"""New code is met where the program is in no state to be asked about: measured all the same, and nothing of it lost."""

from __future__ import annotations

import pathlib

import pytest

from engines import IS_CPYTHON, Engine, Measured, each_engine
from marked import write_program


@pytest.fixture
def measured(tmp_path: pathlib.Path, engine: Engine) -> Measured:
    """A folder whose programs run with the engine."""
    return Measured(tmp_path, engine)


def _write_new_files(directory: pathlib.Path, count: int) -> None:
    for number in range(count):
        (directory / f"new{number}.py").write_text("def called():  # any\n    return 1  # any\n", encoding="utf-8")


_NEW_FILES = """
    import sys
    def new_function(number):
        '''Return a function of a file that nobody has met.'''
        namespace = {}
        exec("def called():\\n    return 1\\n", namespace)
        called = namespace["called"]
        called.__code__ = called.__code__.replace(co_filename=__file__.replace("main", f"new{number}"))
        return called
"""


@each_engine
def test_new_files_at_the_end_of_the_recursion_limit(measured: Measured) -> None:
    """Where the program has used up its recursion limit, what it meets there is measured, and so is what follows."""
    _write_new_files(measured.work, 40)
    done = measured.run(
        _NEW_FILES
        + """
    def down(levels, function):
        if levels == 0:  # both
            return function()
        return down(levels - 1, function)
    reached = 0
    for number in range(40):  # both
        try:
            reached += down(sys.getrecursionlimit() - number, new_function(number))
        except RecursionError:  # any
            pass  # any
    assert 20 < reached
    def afterwards():
        if reached:  # true
            print("after")
    afterwards()
    """
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "after\n"
    assert done.stderr == ""
    measured.check_marks()


@each_engine
def test_signals_while_new_files_are_met(measured: Measured) -> None:
    """What signal handlers raise reaches the program, each time, also where footfall decides about a file just then."""
    if measured.engine.name == "settrace" and (measured.engine.is_pure or not IS_CPYTHON):
        pytest.skip("a trace function in Python is taken away when a signal handler raises in it")
    _write_new_files(measured.work, 1000)
    done = measured.run(
        _NEW_FILES
        + """
    import signal
    is_ready = False
    raised = caught = met = 0
    class Alarm(Exception):
        pass
    def on_alarm(signum, frame):
        global is_ready, raised
        if is_ready:  # any
            is_ready = False
            raised += 1
            raise Alarm
    functions = [new_function(number) for number in range(1000)]
    signal.signal(signal.SIGALRM, on_alarm)
    signal.setitimer(signal.ITIMER_REAL, 0.0003, 0.0003)
    def meet():
        # a function: on 3.13 the jump back of a loop is in no `try`, and signals are handled there
        global is_ready, met
        is_ready = True
        while met < len(functions) or raised < 20:  # any
            if met < len(functions):  # any
                met += 1
                functions[met - 1]()
        is_ready = False  # any
    while met < len(functions) or raised < 20:  # any
        try:
            meet()
        except Alarm:
            caught += 1  # any
    signal.setitimer(signal.ITIMER_REAL, 0)
    print(raised == caught)
    """
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "True\n", "")
    if not measured.engine.is_pure:  # the interpreter sends no events for a handler that runs in a callback in Python
        measured.check_marks()


_LATE = """
    def f(n):
        if n:  # true
            return 1
        return 0  # missed
    assert f(1)
"""

_FORBIDDEN = """
    import builtins, io, os, types
    def refused(*arguments, **options):
        raise BlockingIOError("not here")  # any
    names = ["open", "stat", "lstat", "readlink", "getcwd", "listdir", "scandir", "mkdir", "replace", "unlink", "access"]
    kept = {name: getattr(os, name) for name in names}
    paths = ["abspath", "realpath", "exists", "isfile", "isdir", "islink", "getmtime", "lexists"]
    plain_open = open
"""


@each_engine
@pytest.mark.parametrize("how", ["functions", "modules"])
def test_the_program_has_another_file_system(measured: Measured, how: str) -> None:
    """Files that are met while `os` and `open` refuse all calls, or every module has another `os`, are measured."""
    write_program(measured.work / "late.py", _LATE)
    write_program(measured.work / "compiled.py", _LATE)
    replace = {
        "functions": """
    for name in names:  # any
        setattr(os, name, refused)
    for name in paths:  # any
        setattr(os.path, name, refused)
    builtins.open = io.open = refused
    """,
        "modules": """
    fake = types.ModuleType("os")
    fake.__dict__.update(vars(os))
    fake.path = types.ModuleType("path")
    fake.path.__dict__.update(vars(os.path))
    for name in names:  # any
        setattr(fake, name, refused)
    for name in paths:  # any
        setattr(fake.path, name, refused)
    builtins.open = io.open = refused
    import sys
    for module in list(sys.modules.values()):  # any
        for name, value in list(vars(module).items()):  # any
            if module.__name__ not in ("posix", "posixpath", "sys") and value is os:  # any
                setattr(module, name, fake)
    """,
    }[how]
    done = measured.run(
        _FORBIDDEN
        + """
    with open(__file__.replace("main", "compiled")) as file:
        text = file.read()
    """
        + replace
        + """
    import late
    exec(compile(text, __file__.replace("main", "compiled"), "exec"), {"__name__": "compiled"})
    print("ran")
    """
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "ran\n", "")
    measured.check_marks()


_SIGNALLED = """
    import signal, sys
    class Alarm(TimeoutError):
        pass
    is_ready = False
    raised = caught = 0
    def on_alarm(signum, frame):
        global is_ready, raised
        if is_ready and raised < 10:  # any
            is_ready = False
            raised += 1
            raise Alarm
    signal.signal(signal.SIGALRM, on_alarm)
    signal.setitimer(signal.ITIMER_REAL, 0.003, 0.003)
"""


@each_engine
def test_signals_while_files_are_compiled(measured: Measured) -> None:
    """What signal handlers raise reaches the program, each time, also where footfall reads and compiles just then.

    In imports Python itself loses some: what is raised in a callback of importlib's locks, say.
    """
    if measured.engine.name == "settrace" and (measured.engine.is_pure or not IS_CPYTHON):
        pytest.skip("a trace function in Python is taken away when a signal handler raises in it")
    text = "def f(a):  # any\n    return a  # missed\n" * 100
    for number in range(100):
        (measured.work / f"loaded{number}.py").write_text(text, encoding="utf-8")
    done = measured.run(
        _SIGNALLED
        + """
    paths = [__file__.replace("main", f"loaded{number}") for number in range(100)]
    texts = [open(path).read() for path in paths]
    number = 0
    while number < 100:  # any
        name = f"loaded{number}"
        try:
            is_ready = True
            exec(compile(texts[number], paths[number], 'exec'), {'__name__': name})
            is_ready = False  # any
            number += 1
        except Alarm:
            caught += 1
    signal.setitimer(signal.ITIMER_REAL, 0)
    print(raised == caught)
    """
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "True\n", "")
    if not measured.engine.is_pure:
        measured.check_marks()


@each_engine
def test_signals_while_a_program_is_started(measured: Measured) -> None:
    """What a signal handler raises while footfall looks at a program to be started reaches the program."""
    done = measured.run(
        """
        import signal, subprocess, sys
        class Alarm(TimeoutError):
            pass
        raised = caught = 0
        def on_signal(signum, frame):
            global raised
            raised += 1
            raise Alarm
        signal.signal(signal.SIGUSR1, on_signal)
        def hook(event, args):
            if event == "open" and args[0] == "/bin/true":  # only footfall opens it
                signal.raise_signal(signal.SIGUSR1)
        sys.addaudithook(hook)
        for number in range(3):
            try:
                subprocess.call(["/bin/true"], env={})
            except Alarm:
                caught += 1
        print(raised, raised == caught)
        """
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "3 True\n", "")
