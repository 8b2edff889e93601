"""One behaviour, whatever the engine: what ran is recorded, and the program notices nothing.

Each row is a program whose marks say what must have run (marked.py). It runs bare and then with each engine that this
interpreter has; what it prints, its errors and its exit status must be the same.
"""

import re
import signal
import sys

import pytest

from engines import IS_CPYTHON, Engine, Measured, each_engine, measured
from footfall.probes.mode import PHANTOM_LINES, PHANTOMS_BEHIND_CASES, mode_here
from marked import write_program

__all__ = ["measured"]

FLOW = {
    "both ways and one way": """
        def choose(flag):
            if flag:  # both
                return 1
            return 2
        def choose_once(flag):
            if flag:  # true
                return 1
            return 2  # missed
        print(choose(1), choose(0), choose_once(1))
    """,
    "exceptions": """
        import contextlib
        def fail(n):
            try:
                if n == 0:  # both
                    raise ValueError(n)
                if n == 1:  # both
                    return {}["key"]
                return n
            except KeyError as error:
                caught = repr(error)
            else:
                never = 1  # missed
            finally:
                last = n
            return caught
        def chain():
            try:
                fail(0)
                never = 1  # missed
            except ValueError as error:
                raise LookupError("chained") from error
        print(fail(1), fail(2))
        with contextlib.suppress(LookupError):
            chain()
            never = 1  # missed
        try:
            chain()
        except LookupError as error:
            print(repr(error), repr(error.__cause__), error.__traceback__.tb_next.tb_lineno)
        try:
            raise ExceptionGroup("group", [ValueError(1), TypeError(2)])
        except* ValueError as group:
            print(repr(group))
        except* TypeError as group:
            print(repr(group))
    """,
    "recursion": """
        import sys
        def down(n):
            if n:  # both
                return down(n - 1) + 1
            return 0
        def without_end():
            return without_end() + 1
        print(down(200))
        for _ in range(3):  # both
            try:
                without_end()
                never = 1  # missed
            except RecursionError:
                print("caught")
        print(down(50))
    """,
    "recursion without an end, in threads": """
        import threading, traceback
        def without_end(n):
            return without_end(n + 1)
        def overflow():
            try:
                without_end(0)
            except RecursionError as error:
                last = traceback.extract_tb(error.__traceback__)[-1]
                print(type(error), str(error)[:32], last.name)
            after = 1
            return after
        def in_a_thread(n):
            for _ in range(n):  # both
                overflow()
            print("after", n)
        print(overflow())
        for n in (0, 2):  # both
            thread = threading.Thread(target=in_a_thread, args=(n,))
            thread.start()
            thread.join()
        print(overflow())
    """,
    "lines of clean-up": """
        def meet(a):
            match a:
                case int():
                    if a > 4: x = 1
                    elif a: assert a  # missed
                case _:
                    x = 2
            return 1
        def group(n):
            try:
                raise ExceptionGroup("g", [ValueError()])
            except* KeyError:
                never = 1  # missed
            except* ValueError:
                for i in range(n):  # both
                    last = i
        def dead(n):
            while True:
                n -= 1
                if n < 0:  # both
                    break
            else:
                never = 1  # missed
        def last_case(n):
            match n:
                case 5:
                    return 5
                case 1:
                    n = 1  # missed
                    len("")  # missed
        print(meet(5), meet(""), group(0), group(2), dead(1), last_case(5), last_case(0))
    """,
    "generators": """
        def count(n):
            for i in range(n):  # both
                got = yield i
                if got:  # both
                    print("sent", got)
            return "end"
        def delegate(n):
            result = yield from count(n)
            print(result)
        def closed():
            try:
                yield 1
                never = 1  # missed
            finally:
                print("closed")
        def thrown():
            try:
                yield 1
            except KeyError:
                yield 2
        one, two = count(3), delegate(2)
        print(next(one), next(two), one.send("a"), list(two), list(one))
        generator = closed()
        next(generator)
        generator.close()
        generator = thrown()
        print(next(generator), generator.throw(KeyError()))
        print(sum(i for i in range(5) if i % 2), [i for i in range(3)], {i: i for i in range(2)})
        unfinished = count(9)
        next(unfinished)
    """,
    "async": """
        import asyncio, contextlib
        async def numbers(n):
            for i in range(n):  # both
                yield i
                await asyncio.sleep(0)
        @contextlib.asynccontextmanager
        async def held():
            await asyncio.sleep(0)
            yield "held"
            print("left")
        async def work(n):
            found = []
            async for i in numbers(n):  # both
                found.append(i)
            async with held() as value:
                found.append(value)
            return found, [i async for i in numbers(2)]
        async def cancelled():
            try:
                await asyncio.sleep(60)
                never = 1  # missed
            except asyncio.CancelledError:
                print("cancelled")
                raise
        async def main():
            task = asyncio.create_task(cancelled())
            print(await asyncio.gather(work(1), work(2)))
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        asyncio.run(main())
    """,
    "a throw that an awaited coroutine catches": """
        import types
        @types.coroutine
        def step():
            yield
        async def inner():
            try:
                await step()
                never = 1  # missed
            except ValueError:
                return "caught"
        async def outer():
            value = await inner()
            print(value)
            await step()
            never = 1  # missed
        def drive():
            coroutine = outer()
            coroutine.send(None)
            coroutine.throw(ValueError())
            if coroutine:  # true
                print("after the throw")
            coroutine.close()
        drive()
        print("end")
    """,
    "classes and match": """
        import dataclasses
        @dataclasses.dataclass
        class Point:
            '''A point.'''
            x: int = 0
            y: int = 0
            def length(self):
                return abs(self.x) + abs(self.y)
        class Deeper(Point):
            def length(self):
                return super().length() + 1
        def kind(value):
            match value:
                case Point(x=0, y=0):  # both
                    return "origin"
                case Point(x=x) if x > 5:  # both
                    return "far"
                case [first, *_]:  # both
                    return first
                case _:
                    return None
        print(kind(Point()), kind(Point(9)), kind([1, 2]), kind(3), Deeper(1).length(), Point.__doc__, Point(1, 2))
    """,
    "text that is run": """
        import os, runpy
        text = "def f(x):\\n    if x:\\x20 # true\\n        return 1\\n    return 2\\x20 # missed\\nvalue = f(1)\\n"
        space = {}
        exec(text, space)
        print(space["value"], eval("f(0)", space))
        with open("other.py", "w") as file:
            file.write(text)
        print(runpy.run_path("other.py")["value"], __import__("other").value)
        exec(compile(open("other.py").read(), os.path.abspath("other.py"), "exec"), space)
    """,
}
if (
    mode_here(with_branches=True) & PHANTOMS_BEHIND_CASES
):  # CPython 3.11.2 reports the last line of a case, whatever ran
    FLOW["lines of clean-up"] = FLOW["lines of clean-up"].replace("assert a  # missed", "assert a")
if not mode_here(with_branches=True) & PHANTOM_LINES:  # CPython 3.11 reports the last line of the clause, whatever ran
    FLOW["dead else in a finally that an exception entered"] = """
        def final(n):
            try:
                raise ValueError(n)
            finally:
                if 1: n = 1
                else:
                    n = 2  # missed
        try:
            final(1)
        except ValueError:
            print("raised")
    """


PROCESSES = {
    "threads": """
        import _thread, concurrent.futures, threading
        done = _thread.allocate_lock()
        done.acquire()
        def work(n):
            if n % 2:  # both
                return 1
            return 2
        def low():
            done.release()
        threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
        for thread in threads:  # both
            thread.start()
        for thread in threads:  # both
            thread.join()
        _thread.start_new_thread(low, ())
        done.acquire()
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            print(list(pool.map(work, range(4))))
    """,
    "a fork in the middle of a frame": """
        import os
        def work(n):
            total = 0
            for i in range(n):  # both
                if i == 2:  # both
                    pid = os.fork()
                if i > 2 and pid == 0:  # both
                    total += 1
                elif i > 2:  # both
                    total -= 1
            return total, pid
        def in_child(): return 3
        def in_parent(): return 4
        def in_neither():
            return 5  # missed
        total, pid = work(5)
        if pid == 0:  # both
            os._exit(in_child() + total)
        print(os.waitpid(pid, 0)[1] >> 8, total, in_parent())
    """,
    "a fork whose child imports": """
        import os
        pid = os.fork()
        if pid == 0:  # both
            import child
            os._exit(0)
        print(os.waitpid(pid, 0)[1])
    """,
    "exec": """
        import os, sys
        print("before", flush=True)
        if sys.argv:  # true
            os.execv(sys.executable, [sys.executable, "child.py"])
        never = 1  # missed
    """,
    "subprocess": """
        import subprocess, sys
        print(subprocess.run([sys.executable, "child.py"], env={}, capture_output=True).stdout)
        print(subprocess.check_output(f"'{sys.executable}' child.py | cat", shell=True))
    """,
    "multiprocessing, spawn": """
        import multiprocessing
        def work(n):
            if n:  # both
                return -n
            return 0
        if __name__ == "__main__":  # both
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                print(pool.map(work, range(3)))
    """,
    "multiprocessing, fork": """
        import multiprocessing
        def work(n):
            if n:  # both
                return -n
            return 0
        if __name__ == "__main__":  # true
            with multiprocessing.get_context("fork").Pool(1) as pool:
                print(pool.map(work, range(3)))
    """,
    "a signal handler": """
        import os, signal
        def stop(number, frame):
            print("stopped by", number, frame.f_lineno, frame.f_code.co_name)
        signal.signal(signal.SIGTERM, stop)
        os.kill(os.getpid(), signal.SIGTERM)
        after = 1
    """,
}
CHILD = """
    import sys
    print("child")
    if len(sys.argv) > 5:  # false
        never = 1  # missed
"""

# What looks at the program: at its frames, its code, its source.
LOOKED_AT = {
    "an uncaught exception": """
        class Failure(Exception):
            pass
        def deep(n):
            if n:  # both
                return deep(
                    n - 1
                )
            raise Failure("at the bottom")
        try:
            deep(1)
        except Failure:
            deep(2)
    """,
    "tracebacks": """
        import sys, traceback
        def fail(values):
            return [1 /
                    value for value in values]
        def positions(error):
            return [(frame.name, frame.lineno, getattr(frame, "colno", None)) for frame in traceback.extract_tb(error.__traceback__)]
        try:
            fail([1, 0])
        except ZeroDivisionError as error:
            traceback.print_exc()
            print(positions(error))
        def generator():
            yield sys._getframe().f_lineno
            yield traceback.extract_stack()[-1].line
        print(list(generator()), sys._getframe().f_lineno)
        traceback.print_stack()
    """,
    "inspect": """
        '''The module.'''
        import inspect, sys
        def outer(a, b=1, *, c: int = 2) -> int:
            '''Documented.'''
            def inner():
                return a
            return inner
        class Thing:
            '''A thing.'''
            def method(self):
                '''A method.'''
        shape = lambda x: x + 1
        for each in (outer, outer(1), Thing, Thing.method, shape):  # both
            print(inspect.getsource(each), inspect.getsourcelines(each)[1], each.__doc__)
        print(outer.__code__.co_firstlineno, inspect.signature(outer), inspect.getclosurevars(outer(1)))
        print(__doc__, outer.__code__.co_varnames, outer.__defaults__, outer.__kwdefaults__, outer.__annotations__)
        print(sorted(name for name in globals() if name not in ("each",)), inspect.getmodule(outer).__name__)
        print(shape(1), Thing().method(), outer(1)())
        def local():
            value = 1
            return sorted(locals()), sys._getframe().f_code.co_name, sys._getframe().f_back.f_lineno
        print(local(), outer.__qualname__, outer(1).__qualname__)
    """,
    "linecache and ast": """
        import ast, linecache, tokenize
        def f():
            return 1
        print(linecache.getline(__file__, 3), ast.dump(ast.parse(open(__file__).read()).body[1]))
        with tokenize.open(__file__) as file:
            print(len(file.readlines()), f())
    """,
    "pickle and copies": """
        import copy, pickle
        class Thing:
            def __init__(self, n):
                self.n = n
        def f(x):
            if x:  # both
                return x
            return 0
        thing = pickle.loads(pickle.dumps(Thing(3)))
        print(thing.n, pickle.loads(pickle.dumps(f)) is f, copy.deepcopy(f) is f, copy.deepcopy(thing).n, f(0), f(1))
        print(type(f)(f.__code__.replace(co_name="g"), globals())(3))
    """,
    "marshalled code": """
        import io, marshal
        def f(x):
            if x:  # any
                return x  # any
            return 0
        f(0)
        again = type(f)(marshal.loads(marshal.dumps(f.__code__)), globals())
        print(again(0), again(2), hash(again.__code__) == hash(again.__code__), again.__code__.co_name)
        def outer(values):
            def within(value):
                match value:
                    case [1, 2]:
                        return "pair"
                try:
                    while value: raise ValueError(value)
                finally:
                    value = 0
            found = []
            for value in values:
                try:
                    found.append(within(value))
                except ValueError as error:
                    found.append(repr(error))
            return found
        print(outer(["x", 0, [1, 2]]))
        file = io.BytesIO()
        marshal.dump({"code": [outer.__code__, (1, f.__code__)], "text": "x"}, file)
        file.seek(0)
        loaded = marshal.load(file)
        print(type(f)(loaded["code"][0], globals())(["x", 0, [1, 2]]), type(f)(loaded["code"][1][1], globals())(7), loaded["text"])
        for wrong in (object(), [f.__code__, object()]):
            try:
                marshal.dumps(wrong)
            except ValueError as error:
                print(error)
    """,
    "doctest": """
        '''
        >>> double(2)
        4
        >>> double("x")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        ...
        TypeError: no text
        '''
        def double(n):
            '''
            >>> double(5)
            11
            '''
            if isinstance(n, str):  # both
                raise TypeError("no text")
            return n * 2
        import doctest
        print(doctest.testmod())
    """,
    "warnings and logging": """
        import logging, sys, warnings
        logging.basicConfig(stream=sys.stdout, format="%(lineno)d %(funcName)s %(message)s")
        def old():
            warnings.warn("old", UserWarning, stacklevel=2)
            logging.warning("logged")
        old()
        old()
    """,
    "a trace function of its own": """
        import sys
        def quiet(function):
            saved = sys.gettrace()
            sys.settrace(None)
            function()  # any
            sys.settrace(saved)  # any
            after = 1
        seen = []
        def trace(frame, event, arg):
            seen.append((frame.f_code.co_name, frame.f_lineno, event))  # any
            return trace  # any
        def loop(n):
            for i in range(n):  # any
                total = i  # any
            return n  # any
        def traced():
            sys.settrace(trace)  # any
            loop(2)  # any
        quiet(traced)
        print(seen)
        def later(flag):
            if flag:  # true
                return 1
        later(1)
    """,
}
if not IS_CPYTHON:
    # PyPy's own reports of lines inside an expression differ when its code does; positions have no columns there
    del LOOKED_AT["a trace function of its own"]


def _check(measured: Measured, text: str) -> None:
    """Run a row measured and bare: the same is said, with the same status, and the marks hold."""
    if "child.py" in text or "import child" in text:
        write_program(measured.work / "child.py", CHILD)
    done = measured.run(text)
    bare = measured.run_bare()
    if measured.engine.is_pure and "without_end" in text:  # frames of ours are in the traceback
        bare.stdout, done.stdout = (re.sub(r"\w+$", "", each.stdout, flags=re.MULTILINE) for each in (bare, done))
    assert (done.stdout, done.stderr, done.returncode) == (bare.stdout, bare.stderr, bare.returncode)
    assert done.stdout or done.stderr
    measured.check_marks()


@each_engine
@pytest.mark.parametrize("text", FLOW.values(), ids=FLOW.keys())
def test_flow(measured: Measured, text: str) -> None:
    """Exactly what ran is recorded, by whatever way control went."""
    _check(measured, text)


@each_engine
@pytest.mark.parametrize("text", PROCESSES.values(), ids=PROCESSES.keys())
def test_threads_and_processes(measured: Measured, text: str) -> None:
    """Threads, and processes that are made in every way, are recorded."""
    _check(measured, text)


@each_engine
@pytest.mark.parametrize("text", LOOKED_AT.values(), ids=LOOKED_AT.keys())
def test_what_looks_at_a_program_sees_the_program(measured: Measured, text: str) -> None:
    """Tracebacks, sources, documentation, names and copies are those of a bare run."""
    _check(measured, text)


ENDINGS = {
    "os._exit": ("os._exit(3)", 3),
    "SystemExit": ("sys.exit(3)", 3),
    "an exception": ("raise KeyError('on purpose')", 1),
    "SIGTERM": ("os.kill(os.getpid(), signal.SIGTERM)", -signal.SIGTERM),
    "SIGKILL": ("os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL),
    "a segmentation fault": ("ctypes.string_at(8)", -signal.SIGSEGV),
    "abort": ("os.abort()", -signal.SIGABRT),
}


@each_engine
@pytest.mark.parametrize(("call", "status"), ENDINGS.values(), ids=ENDINGS.keys())
def test_nothing_is_lost_when_a_process_ends(measured: Measured, call: str, status: int) -> None:
    """What ran before the end is in the record, however the process ends, and nothing else is."""
    done = measured.run(
        f"""
        import ctypes, os, resource, signal, sys
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        def choose(flag):
            if flag:  # both
                return 1
            return 2
        if choose(1) + choose(0):  # true
            {call}
        never = 1  # missed
        """
    )
    assert done.returncode == status
    measured.check_marks()


@each_engine
def test_pytest_rewrites_assertions(measured: Measured) -> None:
    """Test modules are measured under pytest's assertion rewriting, from its cache too, which bare runs ignore."""
    program = """
        '''Tests.'''
        import child
        def test_one():
            assert child.double(1) == 2
        def test_two():
            value = child.double(1)
            assert value == 3, "the message"
            value = 4  # missed
    """
    child = "def double(n):\n    if n:  # true\n        return n * 2\n    return 0  # missed\n"
    write_program(measured.work / "child.py", child)
    arguments = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "test_it.py")
    for _ in range(2):
        done = measured.run(program, *arguments, name="test_it.py")
        bare = measured.run_bare(*arguments)
        output, output_bare = (re.sub(r"in [\d.]+s", "", each.stdout) for each in (done, bare))
        assert (output, done.stderr, done.returncode) == (output_bare, bare.stderr, 1)
        assert "assert 2 == 3" in output
        assert "the message" in output
        measured.check_marks()
    assert not list(measured.work.glob("__pycache__/*footfall*"))


@each_engine
def test_parent_and_child_have_a_record_each(measured: Measured) -> None:
    """After os.fork two processes write two files, both by the same engine."""
    measured.run("import os\nif os.fork() == 0:\n    os._exit(0)\nos.wait()\n")
    records = measured.records()
    assert len({record.header.pid for record in records}) == len(records) == 2
    assert {record.header.has_branches for record in records} == {measured.engine.branch}


@each_engine
def test_lines_alone(tmp_path, engine: Engine) -> None:
    """Without branches the same lines are recorded, and the data has no arcs."""
    measured = Measured(tmp_path, engine._replace(branch=False))
    if IS_CPYTHON and engine.name == "probes" and sys.version_info >= (3, 12):
        pytest.skip("lines alone are monitoring's there")
    done = measured.run(FLOW["both ways and one way"])
    assert done.stdout == "1 2 1\n"
    measured.check_marks()
