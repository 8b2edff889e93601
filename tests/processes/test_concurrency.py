"""Threads, tasks, greenlets and interpreters within one process: all of them are measured, and their stacks stay whole.

Each row is a program whose marks say what must have run (marked.py).
"""

import importlib.util
import os
import sys

import pytest

from footfall.record.data.coverage_tables import read_coverage
from marked import check_marks, write_program

IS_PYPY = sys.implementation.name == "pypy"

THREADS = {
    "threading": """
        import threading
        def work(n):
            if n % 2:  # both
                return 1
            return 2
        threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
        for thread in threads:  # both
            thread.start()
        for thread in threads:  # both
            thread.join()
    """,
    "_thread": """
        import _thread
        done = _thread.allocate_lock()
        done.acquire()
        def work():
            for n in range(3):  # both
                value = n
            done.release()
        _thread.start_new_thread(work, ())
        done.acquire()
    """,
    "a daemon thread at exit": """
        import threading
        started = threading.Event()
        def work():
            while True:
                n = sum(range(100))
                started.set()
        for _ in range(3):  # both
            threading.Thread(target=work, daemon=True).start()
        started.wait()
    """,
    "a thread that the main one ends under": """
        import _thread, os, time
        waits = _thread.allocate_lock()
        waits.acquire()
        def work():
            waits.acquire()
            os._exit(0)
        _thread.start_new_thread(work, ())
        while True:
            waits.release(); time.sleep(60)
    """,
    "a thread pool": """
        import concurrent.futures
        def work(n):
            if n > 50:  # both
                return -n
            return n
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            assert sum(pool.map(work, range(100))) == sum(range(51)) - sum(range(51, 100))
    """,
    "a thread in a fork": """
        import os, threading
        def work():
            in_child = 1
        pid = os.fork()
        if pid == 0:  # both
            thread = threading.Thread(target=work)
            thread.start()
            thread.join()
            os._exit(0)
        assert os.waitpid(pid, 0)[1] == 0
    """,
    "threads that import modules at once": """
        import sys, threading
        for n in range(240):  # both
            with open(f"part{n}.py", "w") as file:
                file.write(f"def work(n):\\n    if n:  {'#'} both\\n        return {n}\\n    return 0\\nassert work(1) + work(0) == {n}\\n")
        sys.path.insert(0, ".")
        sys.setswitchinterval(1e-5)
        def work(first):
            for n in range(first, 240, 6):  # both
                __import__(f"part{n}")
        threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
        for thread in threads:  # both
            thread.start()
        for thread in threads:  # both
            thread.join()
        assert all(f"part{n}" in sys.modules for n in range(240))
    """,
    "asyncio tasks": """
        import asyncio
        async def child(n):
            await asyncio.sleep(0)
            if n:  # both
                return n
            return -1
        async def numbers():
            for n in range(3):  # both
                yield n
        async def main():
            results = await asyncio.gather(*(child(n) for n in range(4)))
            async for n in numbers():  # both
                results.append(n)
            task = asyncio.create_task(asyncio.sleep(60))
            await asyncio.sleep(0)
            task.cancel()
            try:
                await task
                never = 1  # missed
            except asyncio.CancelledError:
                results.append(9)
            return results
        assert asyncio.run(main()) == [-1, 1, 2, 3, 0, 1, 2, 9]
    """,
    "asyncio's threads and processes": """
        import asyncio, sys
        def work(n):
            return n + 1
        async def main():
            assert await asyncio.to_thread(work, 1) == 2
            process = await asyncio.create_subprocess_exec(sys.executable, "child.py", env={})
            assert await process.wait() == 0
        asyncio.run(main())
    """,
    "callbacks from C": """
        import functools, weakref
        class Thing:
            def __lt__(self, other):
                return False
            def __del__(self):
                ended = 1  # {end}
        things = sorted([Thing(), Thing()])
        del things
        total = functools.reduce(lambda a, b: a + b, range(3))
    """,
}
if IS_PYPY:
    THREADS["callbacks from C"] = THREADS["callbacks from C"].replace(
        "del things", "del things; import gc; gc.collect()"
    )


def run_row(footfall, folder, text: str, **options: object):
    """Run `main.py` measured; compare the marks of all programs. Returns what it said."""
    write_program(folder / "main.py", text)
    if "child.py" in text:
        write_program(folder / "child.py", "ran = 1\n")
    done = footfall("run", "-q", "main.py", **options)
    # PyPy's profiler is not safe with threads: its end is said, coverage goes on
    reported = [
        line for line in done.stderr.splitlines() if sys.implementation.name != "pypy" or "[profile-ended]" not in line
    ]
    assert (done.returncode, reported) == (0, [])
    check_marks(folder, read_coverage(folder / ".coverage"))
    return done


@pytest.mark.parametrize("engine", ["", "settrace"], ids=["default", "settrace"])
@pytest.mark.parametrize("text", THREADS.values(), ids=THREADS.keys())
def test_threads_and_tasks(footfall, tmp_path, text: str, engine: str) -> None:
    """Every thread and task is measured from its first line."""
    text = text.replace("{end}", "any" if IS_PYPY and engine else "")  # it does not trace finalizers
    if "fork" in text:
        text = "import warnings; warnings.simplefilter('ignore')\n" + __import__("textwrap").dedent(text).lstrip()
    run_row(footfall, tmp_path, text, env={**os.environ, **({"FOOTFALL_ENGINE": engine} if engine else {})})


GREENLETS = {
    "greenlets that switch in the middle of frames": """
        import greenlet, time
        def inner(n):
            total = 0
            for i in range(n):  # both
                total += main.switch(i)
            return total
        def work(n):
            if n > 5:  # both
                return inner(n)
            return -inner(n)
        main = greenlet.getcurrent()
        end = time.monotonic() + 0.3
        while time.monotonic() < end:  # both
            workers = [greenlet.greenlet(work) for _ in range(10)]
            for n, worker in enumerate(workers):  # both
                worker.switch(n)
            for worker in workers:  # both
                while not worker.dead:  # both
                    worker.switch(1)
    """,
    "a greenlet that raises and one that is dropped": """
        import greenlet
        def dropped():
            try:
                main.switch()
                never = 1  # missed
            except greenlet.GreenletExit:
                ended = 1  # {end}
        def raises():
            raise KeyError
        main = greenlet.getcurrent()
        one = greenlet.greenlet(dropped)
        one.switch()
        del one
        import gc
        gc.collect()
        try:
            greenlet.greenlet(raises).switch()
            never = 1  # missed
        except KeyError:
            caught = 1
    """,
    "greenlets in threads": """
        import greenlet, threading
        def work():
            home = greenlet.getcurrent()
            def other(n):
                while n:  # both
                    n = home.switch(n - 1)
                return "end"
            worker = greenlet.greenlet(other)
            n = worker.switch(200)
            while n != "end":  # both
                n = worker.switch(n)
        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads:  # both
            thread.start()
        for thread in threads:  # both
            thread.join()
    """,
}
# PyPy's greenlets do not end when they are dropped
GREENLETS = {name: text.replace("{end}", "any" if IS_PYPY else "") for name, text in GREENLETS.items()}
GEVENT = """
    from gevent import monkey; monkey.patch_all()
    import gevent, subprocess, sys, threading, time
    def work(n):
        time.sleep(0.001 * n)
        if n % 2:  # both
            return n
        return -n
    jobs = [gevent.spawn(work, n) for n in range(10)]
    gevent.joinall(jobs)
    assert [job.value for job in jobs] == [0, 1, -2, 3, -4, 5, -6, 7, -8, 9]
    thread = threading.Thread(target=work, args=(1,))
    thread.start()
    thread.join()
    subprocess.run([sys.executable, "child.py"], env={}, check=True)
"""


@pytest.mark.parametrize("engine", ["", "settrace"], ids=["default", "settrace"])
@pytest.mark.parametrize("text", GREENLETS.values(), ids=GREENLETS.keys())
def test_greenlets(footfall, tmp_path, text: str, engine: str) -> None:
    """Frames that are switched in C are measured without any setting, and sampled without a crash."""
    pytest.importorskip("greenlet")
    if IS_PYPY and "greenlets in threads" in text:
        pytest.skip("PyPy's own")
    run_row(footfall, tmp_path, text, env={**os.environ, **({"FOOTFALL_ENGINE": engine} if engine else {})})


@pytest.mark.skipif(importlib.util.find_spec("gevent") is None, reason="gevent is not installed")
def test_gevent(footfall, tmp_path) -> None:
    """gevent, its threads and its processes are measured without any setting."""
    run_row(footfall, tmp_path, GEVENT)


@pytest.mark.skipif(importlib.util.find_spec("uvloop") is None, reason="uvloop is not installed")
def test_uvloop(footfall, tmp_path) -> None:
    """Another event loop, which starts processes by C of its own, is measured."""
    text = """
        import asyncio, sys, uvloop
        def work(n):
            return n + 1
        async def main():
            assert await asyncio.to_thread(work, 1) == 2
            process = await asyncio.create_subprocess_exec(sys.executable, "child.py")
            assert await process.wait() == 0
            return 1
        runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
        with runner:
            assert runner.run(main()) == 1
    """
    run_row(footfall, tmp_path, text)


INTERPRETERS = {
    "exec": """
        from concurrent import interpreters
        one = interpreters.create()
        one.exec("import sys; sys.path.insert(0, '.'); import child; child.work(1)")
        two = interpreters.create()
        two.exec("import sys; sys.path.insert(0, '.'); import child; child.work(0)")
        one.close()
        two.close()
        after = 1
    """,
    "threads": """
        import threading
        from concurrent import interpreters
        def work(n):
            one = interpreters.create()
            one.exec(f"import sys; sys.path.insert(0, '.'); import child; [child.work({n}) for _ in range(1000)]")
            one.close()
        threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
        for thread in threads:  # both
            thread.start()
        for thread in threads:  # both
            thread.join()
    """,
    "a pool": """
        import concurrent.futures, sys
        sys.path.insert(0, ".")
        import child
        if __name__ == "__main__":  # true
            with concurrent.futures.InterpreterPoolExecutor(2) as pool:
                assert sorted(pool.map(child.work, range(4))) == [1, 2, 2, 2]
    """,
    "left alive at the end": """
        from concurrent import interpreters
        one = interpreters.create()
        one.exec("import sys; sys.path.insert(0, '.'); import child; child.work(1); child.work(0)")
        after = 1
    """,
    "the older module": """
        import _{module} as interpreters
        one = interpreters.create()
        interpreters.run_string(one, "import sys; sys.path.insert(0, '.'); import child; child.work(1); child.work(0)")
        interpreters.destroy(one)
        after = 1
    """,
}
INTERPRETER_CHILD = """
    def work(n):
        if n:  # both
            return 2
        return 1
"""


def _interpreter_rows() -> dict[str, str]:
    if IS_PYPY:
        return {}
    if sys.version_info >= (3, 14):
        return {
            **INTERPRETERS,
            "the older module": INTERPRETERS["the older module"].replace("_{module}", "_interpreters"),
        }
    module = "_interpreters" if sys.version_info >= (3, 13) else "_xxsubinterpreters"
    return {"the older module": INTERPRETERS["the older module"].replace("_{module}", module)}


@pytest.mark.parametrize("text", _interpreter_rows().values(), ids=_interpreter_rows().keys())
def test_interpreters(footfall, tmp_path, text: str) -> None:
    """Interpreters within a process are measured as it is."""
    write_program(tmp_path / "child.py", INTERPRETER_CHILD)
    write_program(tmp_path / "main.py", text)
    done = footfall("run", "-q", "main.py")
    assert done.returncode == 0
    reported = (
        "footfall: code run in further interpreters of a process is not in the profile. [interpreter-unsampled]\n"
    )
    assert done.stderr.endswith(reported) and "start-failed" not in done.stderr
    check_marks(tmp_path, read_coverage(tmp_path / ".coverage"))


@pytest.mark.parametrize("text", list(_interpreter_rows().values())[:1])
def test_interpreters_without_samples_are_reported_without_coverage_too(footfall, tmp_path, text: str) -> None:
    """The message is reported once, however many processes and interpreters have it."""
    write_program(tmp_path / "child.py", INTERPRETER_CHILD)
    write_program(tmp_path / "main.py", text)
    write_program(
        tmp_path / "twice.py", "import subprocess, sys\nfor _ in 1, 2: subprocess.run([sys.executable, 'main.py'])\n"
    )
    done = footfall("run", "-q", "--no-cover", "twice.py")
    assert done.returncode == 0
    assert done.stderr == (
        "footfall: code run in further interpreters of a process is not in the profile. [interpreter-unsampled]\n"
    )
