"""Measuring that starts in a running program: what is inferred, what is seen from then on, and what is refused."""

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from both_reports import run_theirs
from engines import IS_CPYTHON, Engine, each_engine
from footfall.analyze.source.imported import infer_lines
from footfall.pythons import TRACES_ALL_THREADS
from footfall.record.data.coverage_tables import StoredFile, read_coverage
from footfall.tier import HAS_CORE, PURE_VARIABLE
from site_data import payloads


@pytest.mark.parametrize(
    "text, lines",
    [
        ("import os\nx = (1 +\n    2)\ny = 3\n", {1, 2, 4}),
        ("def f():\n    return 1\nasync def g():\n    return 2\n", {1, 3}),
        ("@first\n@second(\n    1)\ndef f():\n    return 1\n", {1, 2, 4}),
        ("class C(\n    object):\n    a = 1\n    def m(self):\n        return 1\n    if a:\n        b = 2\n", {1, 3, 4, 6}),
        ("if a:\n    b = 1\nelse:\n    c = 2\nd = 3\n", {1, 5}),
        ("for i in a:\n    b = 1\nelse:\n    c = 2\nwhile a:\n    d = 3\n", {1, 5}),
        ("try:\n    a = 1\n    b = 2\nexcept E:\n    c = 3\nelse:\n    d = 4\nfinally:\n    e = 5\n", {1, 2, 9}),
        ("try:\n    a = 1\n    b = 2\nfinally:\n    c = 3\n", {1, 2, 3, 5}),
        ("with a:\n    b = 1\n    c = 2\n", {1, 2}),
        ("with a:\n    @first\n    def f():\n        return 1\n", {1, 2}),
        ("match a:\n    case 1:\n        b = 1\n", {1}),
    ],
    ids=["statements", "functions", "decorators", "classes", "if", "loops", "try except", "try finally", "with",
         "with and a decorator", "match"],
)  # fmt: skip
def test_lines_that_every_import_runs_are_inferred(text, lines) -> None:
    """Statements that no branch, loop or exception passes by are inferred, others are not."""
    assert infer_lines(text.encode()) == lines


@pytest.mark.parametrize(
    ("text", "plain", "optimized"),
    [
        ("assert a\nb = 1\nassert (\n    c)\n", {1, 2, 3}, {2}),
        ("assert a; b = 1\n", {1}, {1}),
        ("class C:\n    assert a\n    b = 1\n", {1, 2, 3}, {1, 3}),
        ("try:\n    assert a\n    b = 1\nexcept E:\n    c = 2\n", {1, 2}, {1, 3}),
        ("with a:\n    assert b\n    c = 2\n", {1, 2}, {1, 3}),
    ],
    ids=["statements", "two on a line", "class", "try", "with"],
)
def test_asserts_are_inferred_where_they_were_compiled(text, plain, optimized) -> None:
    """Under -O nothing of them ran; the statement behind is then the first of its block."""
    assert infer_lines(text.encode()) == plain
    assert infer_lines(text.encode(), 1) == optimized
    assert infer_lines(text.encode(), 2) == optimized


@each_engine
@pytest.mark.parametrize("option", ["", "1", "2"], ids=["", "-O", "-OO"])
def test_asserts_of_earlier_imports_count_as_they_ran(program, engine, option) -> None:
    """The level of the measured process decides, whatever that of the report."""
    variables = {"FOOTFALL_ENGINE": program.use(engine), "PYTHONOPTIMIZE": option}
    program.run(
        "import footfall, library\nfootfall.start()\nfootfall.stop()\n",
        library="first = 1\nassert first\nlast = 2\n",
        **variables,
    )
    assert program.library().lines == ({1, 3} if option else {1, 2, 3})


_LIBRARY = """\
import os
def choose(flag):
    if flag:
        return 1
    return 2
class Thing:
    kind = 1
    def work(self):
        return 3
if os:
    other = 4
"""


class Program:
    """A library that is imported early, and programs that measure it late."""

    def __init__(self, work: Path) -> None:
        self.work = work.resolve()
        self._variables: dict[str, str] = {}

    def run(self, text: str, library: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
        (self.work / "library.py").write_text(library or _LIBRARY)
        path = self.work / "program.py"
        path.write_text(textwrap.dedent(text))
        return subprocess.run(
            [sys.executable, str(path)],
            cwd=self.work,
            env={**os.environ, **self._variables, **variables},
            text=True,
            capture_output=True,
            timeout=60,
        )

    def use(self, engine: Engine) -> str:
        """Leave branches out where the engine sees none; return what FOOTFALL_ENGINE is to be."""
        if engine.is_pure:
            self._variables[PURE_VARIABLE] = "1"
        (self.work / ".coveragerc").write_text(f"[run]\nbranch = {engine.branch}\n")
        return engine.name

    def library(self, data_file: str = ".coverage", name: str = "library.py") -> StoredFile:
        """What the data file has of the library."""
        return read_coverage(self.work / data_file).files[str(self.work / name)]


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """The library and an empty directory around it."""
    return Program(tmp_path)


@each_engine
def test_functions_that_were_there_are_measured_from_then_on(program, engine) -> None:
    """Calls after the start are seen and those before are not; the rest of the module is inferred, which is said."""
    done = program.run(
        """
        import footfall, library
        library.choose(1)
        footfall.start()
        library.choose(0)
        footfall.stop()
        library.Thing().work()
        """,
        FOOTFALL_ENGINE=program.use(engine),
    )
    assert done.returncode == 0
    assert done.stderr.count("[lines-inferred]") == 1
    found = program.library()
    assert found.lines == {1, 2, 3, 5, 6, 7, 8, 10}
    assert found.inferred == {1, 2, 6, 7, 8, 10}
    assert ((3, 5) in found.arcs) == engine.branch
    assert (3, 4) not in found.arcs
    assert not list(program.work.glob(".footfall/runs/*"))


def _sees_running_threads(engine: Engine) -> bool:
    """Return whether a late start sees frames of threads that run already; else a message says that it does not."""
    return IS_CPYTHON and (TRACES_ALL_THREADS or (HAS_CORE and not engine.is_pure))


_WAITING = """\
def wait(ready, go):
    ready.set()
    go.wait()
    seen = 1
"""


@each_engine
def test_packages_are_measured_in_frames_of_other_threads(program, engine) -> None:
    """A function of a package that was asked for is seen from the start on, also where another thread is in it."""
    (program.work / "waiting.py").write_text(_WAITING)
    name = program.use(engine)
    with (program.work / ".coveragerc").open("a") as file:
        file.write("source_pkgs = waiting\n")
    done = program.run(
        """
        import threading, footfall, waiting
        ready, go = threading.Event(), threading.Event()
        thread = threading.Thread(target=waiting.wait, args=(ready, go))
        thread.start()
        ready.wait()
        footfall.start()
        go.set()
        thread.join()
        footfall.stop()
        """,
        FOOTFALL_ENGINE=name,
    )
    assert done.returncode == 0, done.stderr
    found = read_coverage(program.work / ".coverage").files[str(program.work / "waiting.py")]
    assert (4 in found.lines) == _sees_running_threads(engine)
    assert done.stderr.count("[threads-unmeasured]") == (not _sees_running_threads(engine))


@each_engine
def test_lazy_modules_stay_unloaded(program, engine) -> None:
    """A start in a running program does not run what `LazyLoader` holds back, and infers nothing of it."""
    done = program.run(
        """
        import importlib.util, sys, footfall
        spec = importlib.util.find_spec("library")
        spec.loader = importlib.util.LazyLoader(spec.loader)
        sys.modules["library"] = module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        footfall.start()
        assert "Thing" not in object.__getattribute__(module, "__dict__")
        footfall.stop()
        """,
        FOOTFALL_ENGINE=program.use(engine),
    )
    assert done.returncode == 0, done.stderr
    assert "library.py" not in {os.path.basename(path) for path in read_coverage(program.work / ".coverage").files}


def test_reports_mark_inferred_lines(program, footfall) -> None:
    """JSON and the HTML site name them; what a later run sees is inferred no more; coverage's numbers stay as they were."""
    late = "import footfall, library\nfootfall.start()\nlibrary.choose(0)\nfootfall.stop()\n"
    program.run(late)
    assert footfall("json", "-q").returncode == 0
    report = json.loads((program.work / "coverage.json").read_text())
    assert report["footfall"]["inferred_lines"] == {"library.py": [1, 2, 6, 7, 8, 10]}
    assert report["files"]["library.py"]["executed_lines"] == [1, 2, 3, 5, 6, 7, 8, 10]
    assert footfall("html", "-q").returncode == 0
    inferred = {page.get("name"): page.get("inferred") for page in payloads(program.work / "htmlcov").values()}
    assert inferred["library.py"] == [1, 2, 6, 7, 8, 10]
    assert inferred["program.py"] == []
    program.run("import footfall\nfootfall.start()\nimport library\nfootfall.stop('second')\n")
    assert footfall("combine", "--append", "second").returncode == 0
    assert program.library().inferred == set()
    footfall("json", "-q")
    assert "inferred_lines" not in json.loads((program.work / "coverage.json").read_text()).get("footfall", {})


@each_engine
def test_threads_that_were_there_are_measured(program, engine) -> None:
    """A function that an older thread calls after the start is seen; where only those with probes are, a message says so."""
    done = program.run(
        """
        import footfall, library, threading
        go = threading.Event()
        def wait_and_work():
            go.wait()
            library.Thing().work()
        thread = threading.Thread(target=wait_and_work)
        thread.start()
        footfall.start()
        go.set()
        thread.join()
        footfall.stop()
        """,
        FOOTFALL_ENGINE=program.use(engine),
    )
    has_probes = not IS_CPYTHON and engine.name == "probes"
    assert (9 in program.library().lines) == (_sees_running_threads(engine) or has_probes)
    assert done.stderr.count("[threads-unmeasured]") == (not _sees_running_threads(engine))


@each_engine
def test_threads_in_the_middle_of_a_loop_are_measured(program, engine) -> None:
    """What a thread that runs all the time does after the start is seen, in the frame that it is in and in those it calls."""
    done = program.run(
        """
        import footfall, library, threading
        ready, state, seen = threading.Event(), [0], threading.Event()
        def spin():
            while state[0] < 2:
                ready.set()
                if state[0]:
                    library.choose(0)
                    seen.set()
                    state[0] = 2
            return 5
        thread = threading.Thread(target=spin)
        thread.start()
        ready.wait()
        footfall.start()
        state[0] = 1
        seen.wait()
        thread.join()
        footfall.stop()
        """,
        FOOTFALL_ENGINE=program.use(engine),
    )
    assert done.returncode == 0, done.stderr
    found = read_coverage(program.work / ".coverage").files[str(program.work / "program.py")]
    is_seen = _sees_running_threads(engine)
    assert ({5, 7, 8, 9, 10, 11} <= found.lines) == is_seen
    assert ({(7, 8), (5, 11)} <= found.arcs) == (is_seen and engine.branch)
    assert (5 in program.library().lines) == (is_seen or (not IS_CPYTHON and engine.name == "probes"))
    assert done.stderr.count("[threads-unmeasured]") == (not is_seen)


@each_engine
def test_threads_that_start_later_are_measured(program, engine) -> None:
    """Threads that start during a measurement are seen by it, also when it is the second, and not after its end."""
    program.run(
        """
        import footfall, library, threading
        def call(function, *args):
            thread = threading.Thread(target=function, args=args)
            thread.start()
            thread.join()
        footfall.start()
        footfall.stop("first")
        footfall.start()
        call(library.choose, 0)
        footfall.stop()
        call(library.choose, 1)
        """,
        FOOTFALL_ENGINE=program.use(engine),
    )
    assert program.library().lines & {4, 5, 9} == {5}


@each_engine
def test_the_function_that_starts_measuring_is_seen(program, engine) -> None:
    """Lines and branches of frames that run already are seen from then on."""
    program.run(
        """
        import footfall
        def measure(flag):
            footfall.start()
            if flag:
                flag = 2
            flag = 3
        measure(1)
        footfall.stop()
        """,
        FOOTFALL_ENGINE=program.use(engine),
    )
    found = read_coverage(program.work / ".coverage").files[str(program.work / "program.py")]
    assert {5, 6, 7} <= found.lines
    assert {(5, 6), (6, 7)} <= found.arcs or not engine.branch


@each_engine
def test_a_debugger_that_gives_way_is_named(program, engine) -> None:
    """By `settrace` one thread can't have two trace functions; the other engines leave it alone."""
    done = program.run(
        """
        import footfall, library, sys
        def debugger(*event):
            return debugger
        sys.settrace(debugger)
        footfall.start()
        is_there = sys.gettrace() is debugger
        library.choose(1)
        footfall.stop()
        print(is_there)
        """,
        FOOTFALL_ENGINE=program.use(engine),
    )
    is_there = done.stdout == "True\n"
    assert is_there is ("[tracer-replaced]" not in done.stderr)
    assert is_there is (engine.name == "monitoring")
    assert 4 in program.library().lines


@each_engine
def test_measuring_can_start_again(program, engine) -> None:
    """Two measurements in one process each see what ran during them, also lines that the other saw."""
    done = program.run(
        """
        import footfall, library
        for name, flag in (("one", 0), ("two", 1), ("three", 0)):
            footfall.start()
            library.choose(flag)
            print(footfall.stop(name).name)
        """,
        FOOTFALL_ENGINE=program.use(engine),
    )
    assert done.stdout.split() == ["one", "two", "three"]
    assert [sorted(program.library(name).lines & {4, 5}) for name in done.stdout.split()] == [[5], [4], [5]]


_KINDS = """\
import functools, collections
def traced(function):
    @functools.wraps(function)
    def inside(*args):
        return function(*args)
    return inside
class Thing:
    def method(self, x):
        if x: return 1
        return 2
    @staticmethod
    def static(x):
        return 3 if x else 4
    @classmethod
    def make(cls, x):
        return cls()
    @property
    def value(self):
        return 4
    @traced
    def decorated(self, x):
        while x:
            x -= 1
            if x == 2:
                break
        else:
            return 7
        return 5
    def __len__(self):
        return 6
def outer(n):
    def inner(x):
        return [y for y in range(x) if y > n]
    return inner
def steps(n):
    yield n
    if n:
        n += 1
    yield n
    try:
        yield 9
    finally:
        n = 3
def errors(x):
    try:
        if x:
            raise KeyError
        {}[x]
    except KeyError as error:
        return error
    finally:
        x = 1
async def wait(x):
    if x:
        await wait(x - 1)
    return x
def changed(x):
    if x:
        return 1
    return 2
def recursive(x):
    return 0 if not x else recursive(x - 1)
def factory(x):
    class Local:
        def work(self):
            return x
    def use():
        return Local().work()
    return use
class Pause:
    def __await__(self):
        yield self
async def deep(x):
    if x:
        await Pause()
    return x
async def task(x):
    await deep(x)
    try:
        if x > 1:
            await Pause()
    finally:
        x = 4
    return x
async def stream(x):
    await Pause()
    for i in range(x):
        if i:
            yield i
async def consume(x):
    async for each in stream(x):
        if each > 1:
            return each
def delegate(x):
    yield from steps(x)
    if x:
        return 3
def suspend():
    global suspended
    suspended = [task(1), task(2), consume(3), consume(1), stream(3).asend(None), delegate(1)]
    for each in suspended:
        each.send(None)
made = outer(1)
begun, ended, fresh = steps(1), steps(0), steps(2)
next(begun), next(ended)
suspend()
part = functools.partial(Thing.static, 1)
held = collections.deque([lambda x: x or 0])
unbegun = wait(1)
changed.__code__ = changed.__code__.replace(co_consts=(*changed.__code__.co_consts, "other"))
def run():
    thing = Thing()
    list(begun), list(fresh), next(ended), ended.close()
    thing.method(1), thing.method(0), part(), Thing.make(1), thing.value, thing.decorated(2), thing.decorated(5), len(thing)
    made(4), outer(2)(3), held[0](0), errors(0), errors(1), changed(0), recursive(3), factory(1)()
    for each in unbegun, wait(0), *suspended:
        try:
            while True:
                each.send(None)
        except StopIteration:
            pass
    suspended.clear()
    list(map(changed, [1]))
"""


@each_engine
def test_functions_of_all_kinds_are_measured_as_by_coverage(program, engine) -> None:
    """Wherever they are held, and generators and coroutines that wait, twice, as by coverage.py in its place."""
    text = """
        import sys, kinds
        for number in "12":
            {start}
            kinds.run()
            {stop}
            kinds.recursive(0)
            kinds.begun, kinds.ended, kinds.fresh = kinds.steps(1), kinds.steps(0), kinds.steps(2)
            next(kinds.begun), next(kinds.ended)
            kinds.unbegun = kinds.wait(1)
        """
    name = program.use(engine)
    with (program.work / ".coveragerc").open("a") as file:
        file.write("source_pkgs = kinds\n")
    (program.work / "kinds.py").write_text(_KINDS)
    measure = {"start": "import footfall; footfall.start()", "stop": "footfall.stop('ours' + number)"}
    done = program.run(text.format(**measure), FOOTFALL_ENGINE=name)
    assert done.returncode == 0, done.stderr
    start = "import coverage; measuring = coverage.Coverage('theirs' + number); measuring.start()"
    core = "ctrace" if IS_CPYTHON else "pytrace"
    done = program.run(text.format(start=start, stop="measuring.stop(); measuring.save()"), COVERAGE_CORE=core)
    assert done.returncode == 0, done.stderr
    path = str(program.work / "kinds.py")
    for number in "12":
        inferred = program.library("ours" + number, "kinds.py").inferred
        ours, theirs = (_seen(program, who + number, path) for who in ("ours", "theirs"))
        assert ours[0] - inferred == theirs[0] - inferred
        assert ours[1] == theirs[1]
        assert theirs[0] & inferred == set()


def _seen(program: Program, data_file: str, path: str) -> tuple[set[int], set[tuple[int, int]]]:
    """Return the lines and branches of a file that coverage.py reports as executed."""
    report = program.work / (data_file + ".json")
    options = ("--rcfile", str(program.work / ".coveragerc"), "--data-file", str(program.work / data_file))
    run_theirs("json", *options, "-o", str(report))
    (found,) = (file for name, file in json.loads(report.read_text())["files"].items() if path.endswith(name))
    return set(found["executed_lines"]), {tuple(branch) for branch in found.get("executed_branches", ())}


@each_engine
def test_functions_that_captures_have_seen_are_measured(program, engine) -> None:
    """Each measurement sees code into which captures put probes before, and modules that are imported under captures."""
    (program.work / "later.py").write_text("def choose(flag):\n    if flag:\n        return 1\n    return 2\n")
    done = program.run(
        """
        import footfall, library
        capture = footfall.capture(source=["library", "later"])
        with capture:
            library.choose(1)
        for name, flag in (("one", 0), ("two", 1), ("three", 0)):
            footfall.start()
            import later
            library.choose(flag)
            later.choose(flag)
            footfall.stop(name)
            with capture:
                library.Thing().work()
        """,
        FOOTFALL_ENGINE=program.use(engine),
    )
    assert done.returncode == 0, done.stderr
    later = str(program.work / "later.py")
    for name, flag in (("one", 0), ("two", 1), ("three", 0)):
        found = read_coverage(program.work / name).files[later]
        assert program.library(name).lines == {1, 2, 3, 6, 7, 8, 10, 4 if flag else 5}
        assert found.lines & {2, 3, 4} == {2, 3 if flag else 4}
        assert (((2, 3 if flag else 4) in found.arcs) == engine.branch) and (2, 4 if flag else 3) not in found.arcs


_OLD_AND_NEW = """
import os, sys, footfall, library
def waits():
    yield 1
    yield 2
begun = waits()
next(begun)
for _ in range(2):
    footfall.start()
    import later
    tools = [each for each in range(6) if sys.monitoring.get_tool(each)]
    print([sys.monitoring.get_tool(each) for each in tools], sys.gettrace())
    list(begun), library.choose(0), later.total(3)
    codes = waits.__code__, library.choose.__code__, later.total.__code__, sys._getframe().f_code, begun.gi_code
    inner = [each for code in codes[:3] for each in code.co_consts if hasattr(each, "co_code")]
    print([bool(sys.monitoring.get_local_events(tools[0], each)) for each in (*codes, *inner)])
    if not (child := os.fork()):
        library.choose(1)
        os._exit(0)
    os.waitpid(child, 0)
    footfall.stop()
    print([sys.monitoring.get_tool(each) for each in range(6)].count(None), sys.gettrace())
    begun = waits()
    next(begun)
"""


@pytest.mark.skipif(
    not IS_CPYTHON or not (3, 12) <= sys.version_info < (3, 14), reason="where probes stand beside sys.monitoring"
)
def test_only_code_that_cannot_have_probes_has_events(program) -> None:
    """Functions, also those imported later, run with probes; running code alone is watched, and no thread is traced."""
    (program.work / "later.py").write_text("def total(n):\n    return sum(x * 2 for x in range(n))\n")
    done = program.run(_OLD_AND_NEW)
    assert done.returncode == 0, done.stderr
    first = ["['footfall-late'] None", "[False, False, False, True, True, False]", "6 None"]
    second = ["['footfall-late'] None", "[False, False, False, True, False, False]", "6 None"]
    assert done.stdout.splitlines() == first + second
    assert {4, 5} <= program.library().lines  # 4 by the child
    lines = read_coverage(program.work / ".coverage").files[str(program.work / "program.py")].lines
    assert {5, 16, 18, 20} <= lines and 22 not in lines


@pytest.mark.skipif(IS_CPYTHON, reason="as above")
def test_modules_imported_later_have_probes_on_pypy(program) -> None:
    """They are compiled with probes, so that the JIT compiles them: in each measurement, in other threads, as before."""
    for name in ("later", "last"):
        (program.work / f"{name}.py").write_text("def total(n):\n    if n:\n        return 1\n    return 2\n")
    done = program.run(
        """
        import sys, threading, footfall, library
        footfall.start()
        from footfall.observe.pypy.late_probes import LateProbes
        import later
        later.total(0)
        footfall.stop("one")
        footfall.start()
        thread = threading.Thread(target=__import__, args=("last",))
        thread.start(), thread.join()
        later.total(1), sys.modules["last"].total(1)
        footfall.stop("two")
        print([LateProbes.current.records(each.total.__code__) for each in (later, sys.modules["last"])])
        """
    )
    assert (done.returncode, done.stdout) == (0, "[True, True]\n"), done.stderr
    assert program.library("one", "later.py").lines == {1, 2, 4}
    assert program.library("two", "later.py").lines == {1, 2, 3}
    assert program.library("two", "last.py").lines == {1, 2, 3}


def test_a_module_imported_later_is_seen_not_inferred(program) -> None:
    """What is imported during the measurement is measured as ever, and nothing is said to be inferred."""
    done = program.run("import footfall\nfootfall.start()\nimport library\nfootfall.stop()\n")
    assert done.stderr == ""
    assert program.library().lines == {1, 2, 6, 7, 8, 10, 11}


@pytest.mark.parametrize(
    "calls, slug",
    [("footfall.start(); footfall.start()", "already-measured"), ("footfall.stop()", "not-measured")],
    ids=["started twice", "not started"],
)
def test_a_call_out_of_order_is_refused(program, calls, slug) -> None:
    """Starting twice and stopping what was not started raise an error with a slug."""
    done = program.run(f"import footfall\n{calls}\n")
    assert f"[{slug}]" in done.stderr.splitlines()[-1]
    assert len(list(program.work.glob(".footfall/runs/*"))) == (slug == "already-measured")  # the first's, not stopped


@pytest.mark.skipif(hasattr(sys, "monitoring"), reason="captures need no trace function there")
def test_a_block_that_the_engine_leaves_no_trace_function_says_so(tmp_path) -> None:
    """Neither a debugger nor another tool is blamed for what `footfall.start()` uses; other trace functions are."""
    (tmp_path / "program.py").write_text(
        textwrap.dedent("""
            import sys
            import footfall
            from footfall.errors import FootfallError
            def trace(frame, event, arg):
                return None
            def refusal():
                try:
                    with footfall.capture():
                        pass
                except FootfallError as error:
                    return str(error)
            sys.settrace(trace)
            print(refusal())
            sys.settrace(None)
            footfall.start()
            print(refusal())
            footfall.stop()
            print(refusal())
        """)
    )
    command = [sys.executable, "program.py"]
    printed = subprocess.run(command, cwd=tmp_path, check=True, text=True, capture_output=True).stdout.splitlines()
    assert "a debugger or another tool" in printed[0]
    assert "footfall's own engine" in printed[1] and "`footfall.stop()`" in printed[1]
    assert printed[2] == "None"


@pytest.mark.parametrize("call", ["start", "stop"])
def test_what_run_measures_is_left_alone(program, tmp_path, call) -> None:
    """In a process of `footfall run` the API refuses, and the measurement goes on."""
    run = tmp_path / "a run"
    run.mkdir()
    (run / "settings").write_text("branch\t1\ncover\t1\nprofile\t0\n")
    done = program.run(
        f"import footfall\ntry: footfall.{call}()\nexcept Exception as error: print(error)\n", FOOTFALL_RUN=str(run)
    )
    assert done.returncode == 0
    assert ("[already-measured]" if call == "start" else "[not-measured]") in done.stdout


def test_the_package_alone_loads_no_api() -> None:
    """`import footfall` loads none of the API's modules until start or stop is asked for."""
    program = "import sys, footfall; print([n for n in sys.modules if n.startswith('footfall.')])"
    done = subprocess.run([sys.executable, "-c", program], text=True, capture_output=True, check=True)
    assert done.stdout == "[]\n"
