"""Nothing that ran is missed: processes that fork, spawn, exec, end and crash in every way, under `footfall run`.

Each row is a program whose marks say what must have run (marked.py), in all its processes together.
"""

import importlib.util
import os
import pathlib
import signal
import sys
import tempfile
import zipfile

import pytest

from footfall.record.data.coverage_tables import read_coverage
from marked import check_marks, write_program

IS_PYPY = sys.implementation.name == "pypy"
CHILD = """
import sys
ran = 1
if len(sys.argv) > 5:  # false
    never = 1  # missed
"""


def run_row(footfall, folder: pathlib.Path, text: str, status: int = 0, *command: object, **options: object):
    """Run `main.py` (or a command) measured; compare the marks of all programs, and the exit status. Returns what it said."""
    write_program(folder / "main.py", text)
    if "child.py" in text or "import child" in text or '"child"' in text:
        write_program(folder / "child.py", CHILD)
    done = footfall("run", "-q", *(command or ["main.py"]), **options)
    assert done.returncode == status, done.stderr
    check_marks(folder, read_coverage(folder / ".coverage"))
    return done


# What starts another Python program, without a word of footfall in it.
STARTED = {
    "subprocess": """
        import subprocess, sys
        subprocess.run([sys.executable, "child.py"], check=True)
    """,
    "subprocess through a shell": """
        import subprocess, sys
        subprocess.run(f"cd . && '{sys.executable}' child.py | cat", shell=True, check=True)
    """,
    "subprocess with an empty environment": """
        import subprocess, sys
        subprocess.run([sys.executable, "child.py"], env={}, check=True)
    """,
    "subprocess with an environment of bytes": """
        import subprocess, sys
        subprocess.run([sys.executable, "child.py"], env={b"HOME": b"/"}, check=True)
    """,
    "subprocess without close_fds": """
        import subprocess, sys
        subprocess.run([sys.executable, "child.py"], env={}, close_fds=False, check=True)
    """,
    "subprocess by a function before exec": """
        import os, subprocess, sys
        def before():
            os.umask(0o022)
        subprocess.run([sys.executable, "child.py"], preexec_fn=before, check=True)
    """,
    "a shell with an empty environment": """
        import subprocess, sys
        subprocess.run(["/bin/sh", "-c", f"'{sys.executable}' child.py; true"], env={}, check=True)
    """,
    "a script with an empty environment": """
        import os, subprocess, sys
        with open("tool", "w") as file:
            file.write(f"#!{sys.executable}\\nimport child\\n")
        os.chmod("tool", 0o755)
        subprocess.run(["./tool"], env={}, check=True)
    """,
    "a launcher with an empty environment": """
        import os, shutil, subprocess, sys
        subprocess.run([shutil.which("nice"), sys.executable, "child.py"], env={}, check=True)
    """,
    "grandchildren, each with an empty environment": """
        import subprocess, sys
        if len(sys.argv) == 1:  # both
            subprocess.run([sys.executable, "main.py", "again"], env={}, check=True)
        else:
            subprocess.run([sys.executable, "child.py"], env={}, check=True)
    """,
    "a cleared environment": """
        import os, subprocess, sys
        os.environ.clear()
        subprocess.run([sys.executable, "child.py"], check=True)
    """,
    "a cleared environment and os.system": """
        import os, sys
        os.environ.clear()
        assert os.system(f"'{sys.executable}' child.py") == 0
    """,
    "a cleared environment and exec": """
        import os, sys
        os.environ.clear()
        os.execv(sys.executable, [sys.executable, "child.py"])
    """,
    "a cleared environment and posix_spawn of it": """
        import os, sys
        os.environ.clear()
        pid = os.posix_spawn(sys.executable, [sys.executable, "child.py"], os.environ)
        assert os.waitpid(pid, 0)[1] == 0
    """,
    "a cleared environment, twice, and one new name": """
        import os, subprocess, sys
        os.environ.clear()
        os.environ["NEW"] = "1"
        os.environ.clear()
        os.environ["OTHER"] = "1"
        program = "import child, os; assert os.environ['OTHER'] == '1' and 'NEW' not in os.environ"
        subprocess.run([sys.executable, "-c", program], check=True)
    """,
    "os.system": """
        import os, sys
        assert os.system(f"'{sys.executable}' child.py") == 0
    """,
    "os.popen": """
        import os, sys
        assert os.popen(f"'{sys.executable}' child.py").close() is None
    """,
    "posix_spawn": """
        import os, sys
        pid = os.posix_spawn(sys.executable, [sys.executable, "child.py"], os.environ)
        assert os.waitpid(pid, 0)[1] == 0
    """,
    "posix_spawn with an empty environment": """
        import os, sys
        pid = os.posix_spawn(sys.executable, [sys.executable, "child.py"], {}, setsigmask=[])
        assert os.waitpid(pid, 0)[1] == 0
    """,
    "posix_spawnp with an empty environment": """
        import os, sys
        pid = os.posix_spawnp(sys.executable, [sys.executable, "child.py"], {})
        assert os.waitpid(pid, 0)[1] == 0
    """,
    "spawnve": """
        import os, sys
        assert os.spawnve(os.P_WAIT, sys.executable, [sys.executable, "child.py"], {}) == 0
    """,
    "pty.fork": """
        import os, pty, sys
        pid, terminal = pty.fork()
        if pid == 0:  # both
            os.execv(sys.executable, [sys.executable, "child.py"])
        assert os.waitpid(pid, 0)[1] == 0
    """,
    "a terminal of its own": """
        import os, pty, sys
        assert pty.spawn([sys.executable, "child.py"], lambda terminal: os.read(terminal, 100)) == 0
    """,
    "-c": """
        import subprocess, sys
        subprocess.run([sys.executable, "-c", "import child"], check=True)
    """,
    "-m": """
        import subprocess, sys
        subprocess.run([sys.executable, "-m", "child"], check=True)
    """,
    "-I": """
        import subprocess, sys
        subprocess.run([sys.executable, "-I", "child.py"], env={}, check=True)
    """,
    "-E -s": """
        import subprocess, sys
        subprocess.run([sys.executable, "-E", "-s", "child.py"], check=True)
    """,
    "-OO": """
        import subprocess, sys
        subprocess.run([sys.executable, "-OO", "child.py"], check=True)
    """,
    "standard input": """
        import subprocess, sys
        subprocess.run([sys.executable, "-"], input=b"import child", check=True)
    """,
    "a session of its own": """
        import subprocess, sys
        subprocess.run([sys.executable, "child.py"], start_new_session=True, check=True)
    """,
}

EXEC = {
    "execl": "os.execl(sys.executable, sys.executable, 'child.py')",
    "execle": "os.execle(sys.executable, sys.executable, 'child.py', {})",
    "execlp": "os.execlp(sys.executable, sys.executable, 'child.py')",
    "execlpe": "os.execlpe(os.path.basename(sys.executable), 'python', 'child.py', {'PATH': os.path.dirname(sys.executable)})",
    "execv": "os.execv(sys.executable, [sys.executable, 'child.py'])",
    "execve": "os.execve(sys.executable, [sys.executable, 'child.py'], {})",
    "execve of a descriptor": "os.execve(os.open(sys.executable, os.O_RDONLY), [sys.executable, 'child.py'], {})",
    "execvp": "os.execvp(sys.executable, [sys.executable, 'child.py'])",
    "execvpe": "os.execvpe(sys.executable, [sys.executable, 'child.py'], {})",
    "execve with os.environ": "os.execve(sys.executable, [sys.executable, 'child.py'], os.environ)",
}


if not hasattr(os, "posix_spawn"):  # PyPy
    STARTED = {name: text for name, text in STARTED.items() if "posix_spawn" not in name}


@pytest.mark.parametrize("text", STARTED.values(), ids=STARTED.keys())
def test_started_programs(footfall, tmp_path, text: str) -> None:
    """A program that a measured one starts is measured, however it is started."""
    run_row(footfall, tmp_path, text)


@pytest.mark.parametrize("call", EXEC.values(), ids=EXEC.keys())
def test_exec(footfall, tmp_path, call: str) -> None:
    """What ran before an exec is kept, and the next program is measured."""
    if "descriptor" in call and IS_PYPY:
        call = "os.execve(sys.executable, [sys.executable, 'child.py'], {})"  # it takes no descriptor
    run_row(footfall, tmp_path, f"import os, sys\nif sys.argv:  # true\n    {call}\nnever = 1  # missed\n")


def test_the_environment_is_only_added_to_where_python_may_follow(footfall, tmp_path) -> None:
    """Other programs get the environment as it was given; the given mapping itself stays; an empty value is respected."""
    text = """
        import os, subprocess, sys
        given = {"A": "1"}
        assert subprocess.check_output(["env"], env=given, text=True, executable="/usr/bin/env") == "A=1\\n"
        assert given == {"A": "1"}
        os.environ.clear()
        assert "FOOTFALL_RUN" not in os.environ and len(os.environ) == 0
        subprocess.run([sys.executable, "unmeasured.py"], env={"FOOTFALL_RUN": ""}, check=True)
        given_bytes = {b"FOOTFALL_RUN": b""}
        assert os.spawnve(os.P_WAIT, sys.executable, [sys.executable, "unmeasured.py"], given_bytes) == 0
        try:
            os.execve("/nowhere", ["x"], given)
        except FileNotFoundError as error:
            names = [frame.name for frame in __import__("traceback").extract_tb(error.__traceback__)]
            assert names == ["<module>"], names
        try:
            os.execve(1, 2, 3)
        except TypeError:
            assert given == {"A": "1"}
    """
    write_program(tmp_path / "unmeasured.py", "x = 1  # missed\n")
    run_row(footfall, tmp_path, text)


def test_an_application_in_a_zip_file(footfall, tmp_path) -> None:
    """A zip file that is run imports a measured module beside it."""
    write_program(tmp_path / "child.py", CHILD)
    with zipfile.ZipFile(tmp_path / "app.zip", "w") as archive:
        archive.writestr("__main__.py", "import sys\nsys.path.insert(0, '.')\nimport child\n")
    done = footfall("run", "-q", "app.zip")
    assert (done.returncode, done.stderr) == (0, "")
    check_marks(tmp_path, read_coverage(tmp_path / ".coverage"))


FORKED = {
    "in the middle of a frame": """
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
        total, pid = work(5)
        if pid == 0:  # both
            assert total == 2
            os._exit(3)
        assert os.waitpid(pid, 0)[1] == 3 << 8
    """,
    "in a generator, a comprehension and a with": """
        import contextlib, os
        @contextlib.contextmanager
        def forked():
            pid = os.fork()
            yield pid
            if pid == 0:  # both
                os._exit(0)
            os.waitpid(pid, 0)
        with forked() as pid:
            pids = [n for n in range(3)]
            if pid == 0:  # both
                in_child = 1
            else:
                in_parent = 1
    """,
    "whose child ends by an exception": """
        import os
        pid = os.fork()
        if pid == 0:  # both
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            raise SystemError("on purpose")
        assert os.waitpid(pid, 0)[1] == 1 << 8
    """,
    "in a thread": """
        import os, threading
        def work():
            pid = os.fork()
            if pid == 0:  # both
                in_child = 1
                os._exit(0)
            os.waitpid(pid, 0)
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    """,
    "ten deep": """
        import os
        def down(n):
            if n == 0:  # both
                return 0
            pid = os.fork()
            if pid == 0:  # both
                os._exit(down(n - 1))
            return os.waitpid(pid, 0)[1]
        assert down(10) == 0
    """,
    "whose child imports": """
        import os
        pid = os.fork()
        if pid == 0:  # both
            import child
            os._exit(0)
        os.waitpid(pid, 0)
    """,
    "whose child execs": """
        import os, sys
        pid = os.fork()
        if pid == 0:  # both
            os.execv(sys.executable, [sys.executable, "child.py"])
        assert os.waitpid(pid, 0)[1] == 0
    """,
    "and a thread that execs": """
        import os, sys, threading
        def work():
            os.execv(sys.executable, [sys.executable, "child.py"])
        pid = os.fork()
        if pid == 0:  # both
            threading.Thread(target=work).start()
            while True:  # any
                threading.Event().wait(1)  # any
        assert os.waitpid(pid, 0)[1] == 0
        def spin():
            ended = 0
            while not ended:  # true
                ended = 0
        threading.Thread(target=spin, daemon=True).start()
        thread = threading.Thread(target=work)
        thread.start(); thread.join()
        never = 1  # missed
    """,
    "forkpty": """
        import os
        pid, terminal = os.forkpty()
        if pid == 0:  # both
            in_child = 1
            os._exit(0)
        os.waitpid(pid, 0)
    """,
    "a daemon": """
        import os
        reading, writing = os.pipe()
        if os.fork() == 0:  # both
            os.setsid()
            if os.fork() != 0:  # both
                os._exit(0)
            os.chdir("/")
            os.umask(0)
            os.dup2(writing, 0)
            os.closerange(3, 4096)
            for number in (1, 2):
                os.close(number)
            first, second = os.open("/dev/null", os.O_RDWR), os.open("/dev/null", os.O_RDWR)
            import json
            work = json.dumps([first, second])
            os.write(0, work.encode())
            os._exit(0)
        os.close(writing)
        os.wait()
        assert os.read(reading, 100) == b"[1, 2]"
        assert os.read(reading, 100) == b""
    """,
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("text", FORKED.values(), ids=FORKED.keys())
def test_fork(footfall, tmp_path, text: str) -> None:
    """Both sides of a fork go on being measured."""
    run_row(footfall, tmp_path, text, 0, sys.executable, "-W", "ignore::DeprecationWarning", "main.py")


MULTIPROCESSING = {
    "Process": """
        import multiprocessing
        def work(n):
            if n:  # both
                return 1
            return 0
        if __name__ == "__main__":  # {main}
            multiprocessing.set_start_method("{method}")
            workers = [multiprocessing.Process(target=work, args=(n,)) for n in range(2)]
            for worker in workers:  # both
                worker.start()
            for worker in workers:  # both
                worker.join()
                assert worker.exitcode == 0
    """,
    "Pool": """
        import multiprocessing
        def work(n):
            return n * n
        if __name__ == "__main__":  # {main}
            multiprocessing.set_start_method("{method}")
            with multiprocessing.Pool(1) as pool:
                assert pool.map(work, range(3)) == [0, 1, 4]
            after = 1
    """,
    "Pool, terminated in work": """
        import multiprocessing, time
        def work(event):
            event.set(); time.sleep(60)
            never = 1  # missed
        if __name__ == "__main__":  # {main}
            multiprocessing.set_start_method("{method}")
            event = multiprocessing.Event()
            worker = multiprocessing.Process(target=work, args=(event,))
            worker.start()
            event.wait()
            worker.kill()
            worker.join()
    """,
    "Manager": """
        import multiprocessing
        from multiprocessing.managers import BaseManager
        class Counter:
            def __init__(self):
                self.n = 0
            def up(self):
                self.n += 1
                return self.n
        BaseManager.register("Counter", Counter)
        if __name__ == "__main__":  # {main}
            manager = BaseManager(ctx=multiprocessing.get_context("{method}"))
            manager.start()
            assert manager.Counter().up() == 1
            manager.shutdown()
    """,
    "ProcessPoolExecutor": """
        import concurrent.futures, multiprocessing
        def work(n):
            if n == 1:  # both
                return -1
            return n
        if __name__ == "__main__":  # {main}
            context = multiprocessing.get_context("{method}")
            with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as pool:
                assert list(pool.map(work, range(3))) == [0, -1, 2]
    """,
}


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
@pytest.mark.parametrize("text", MULTIPROCESSING.values(), ids=MULTIPROCESSING.keys())
def test_multiprocessing(footfall, tmp_path, text: str, method: str) -> None:
    """Workers are measured, by every start method, also when they are terminated."""
    text = text.replace("{method}", method).replace("{main}", "true" if method == "fork" else "both")
    run_row(footfall, tmp_path, text, 0, sys.executable, "-W", "ignore::DeprecationWarning", "main.py")


ENDINGS = {
    "os._exit": ("os._exit(3)", 3),
    "SystemExit": ("sys.exit(3)", 3),
    "an exception": ("raise KeyError('on purpose')", 1),
    "SIGTERM": ("os.kill(os.getpid(), signal.SIGTERM)", -signal.SIGTERM),
    "SIGKILL": ("os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL),
    "SIGINT": ("os.kill(os.getpid(), signal.SIGINT); time.sleep(5)", -signal.SIGINT),
    "SIGSEGV": ("os.kill(os.getpid(), signal.SIGSEGV)", -signal.SIGSEGV),
    "a segmentation fault": ("ctypes.string_at(8)", -signal.SIGSEGV),
    "a segmentation fault with faulthandler": ("faulthandler.enable(); ctypes.string_at(8)", -signal.SIGSEGV),
    "abort": ("os.abort()", -signal.SIGABRT),
    "out of memory": ("resource.setrlimit(resource.RLIMIT_AS, (1 << 29, 1 << 29)); bytearray(1 << 31)", 1),
    "too much CPU": ("resource.setrlimit(resource.RLIMIT_CPU, (0, 0))\n    while True: pass  # any", -signal.SIGKILL),
}


@pytest.mark.parametrize("is_child", [False, True], ids=["the command", "a child"])
@pytest.mark.parametrize(("call", "status"), ENDINGS.values(), ids=ENDINGS.keys())
def test_endings(footfall, tmp_path, call: str, status: int, is_child: bool) -> None:
    """What ran before a sudden end is kept, of the command as of a process that it starts."""
    modules = "import ctypes, faulthandler, os, resource, signal, sys, time\nresource.setrlimit(resource.RLIMIT_CORE, (0, 0))\n"
    text = f"{modules}def f(x):\n    if x:  # both\n        return 1\n    return 2\nif f(1) + f(0):  # true\n    {call}\nnever = 1  # missed\n"
    if not is_child:
        run_row(footfall, tmp_path, text, status)
        return
    write_program(tmp_path / "victim.py", text)
    text = "import subprocess, sys\nprint(subprocess.run([sys.executable, 'victim.py']).returncode)\n"
    assert run_row(footfall, tmp_path, text).stdout == f"{status}\n"


CONDITIONS = {
    "a changed directory": """
        import os
        os.mkdir("below")
        os.chdir("below")
        import sys
        sys.path.insert(0, "..")
        import child
        pid = os.fork()
        if pid == 0:  # both
            os.chdir("/")
            os._exit(0)
        os.wait()
    """,
    "a removed directory": """
        import os, subprocess, sys
        os.mkdir("below")
        os.chdir("below")
        os.rmdir("../below")
        subprocess.run([sys.executable, os.path.dirname(os.path.abspath(__file__)) + "/child.py"], check=True)
        after = 1
    """,
    "umask 0777": """
        import os, subprocess, sys
        os.umask(0o777)
        pid = os.fork()
        if pid == 0:  # both
            os._exit(0)
        os.wait()
        subprocess.run([sys.executable, "child.py"], check=True)
    """,
    "all descriptors closed": """
        import os, subprocess, sys
        os.closerange(3, 65536)
        import child
        pid = os.fork()
        if pid == 0:  # both
            os.closerange(0, 65536)
            in_child = 1
            os._exit(0)
        os.wait()
        subprocess.run([sys.executable, "child.py"], check=True)
    """,
    "no standard streams": """
        import os, subprocess, sys
        os.closerange(0, 3)
        import child
        pid = os.fork()
        if pid == 0:  # both
            os._exit(0)
        os.wait()
        assert os.spawnv(os.P_WAIT, sys.executable, [sys.executable, "child.py"]) == 0
    """,
    "few descriptors": """
        import os, resource, sys
        resource.setrlimit(resource.RLIMIT_NOFILE, (5, 5))
        import child
        assert os.spawnv(os.P_WAIT, sys.executable, [sys.executable, "child.py"]) == 0
        pid = os.fork()
        if pid == 0:  # both
            os._exit(0)
        os.wait()
    """,
    "collected objects": """
        import gc
        gc.collect()
        objects = [repr(type(thing)) for thing in gc.get_objects()]
        for thing in gc.get_objects():  # both
            gc.get_referents(thing)
        gc.disable()
        gc.enable()
        after = [[] for _ in range(1000)]
    """,
}


@pytest.mark.parametrize("text", CONDITIONS.values(), ids=CONDITIONS.keys())
def test_conditions(footfall, tmp_path, text: str) -> None:
    """What a program does to its surroundings does not end measuring."""
    run_row(footfall, tmp_path, text)


def test_a_process_that_outlives_the_command_is_named(footfall, tmp_path) -> None:
    """What a daemon did until the command's end is in the data; that it goes on is reported, and it goes on unharmed.

    Of one that runs nothing of the project nothing is lost, so nothing is reported.
    """
    text = """
        import os, signal, subprocess, sys, time
        tool = "import signal, time; signal.alarm(30); print(flush=True); time.sleep(60)"
        other = subprocess.Popen([sys.executable, "-c", tool], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        other.stdout.readline()
        reading, writing = os.pipe()
        if os.fork() == 0:  # both
            os.setsid()
            if os.fork() == 0:  # both
                signal.alarm(30)
                os.closerange(0, 3)
                before = 1
                os.write(writing, b"%d" % os.getpid()); time.sleep(60)
                never = 1  # missed
            os._exit(0)
        os.wait()
        print(os.read(reading, 20).decode(), other.pid)
    """
    write_program(tmp_path / "main.py", text)
    done = footfall("run", "-q", "main.py")
    pid, other = map(int, done.stdout.split())
    os.kill(pid, signal.SIGKILL)  # both were there
    os.kill(other, signal.SIGKILL)
    assert done.returncode == 0
    assert f"Process {pid} is still running" in done.stderr and f"Process {other} " not in done.stderr
    check_marks(tmp_path, read_coverage(tmp_path / ".coverage"))


PRIVILEGED = {
    "another user": """
        import os, sys
        os.setuid(65534)
        import child
        pid = os.fork()
        if pid == 0:  # both
            in_child = 1
            os._exit(0)
        os.wait()
        assert os.spawnv(os.P_WAIT, sys.executable, [sys.executable, "child.py"]) in (0, 127)
    """,
    "another root directory": """
        import os
        os.mkdir("root")
        os.chroot("root")
        pid = os.fork()
        if pid == 0:  # both
            in_child = 1
            os._exit(0)
        os.wait()
        after = 1
    """,
    "no file can grow": """
        import os, resource
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        pid = os.fork()
        if pid == 0:  # both
            in_child = 1
            os._exit(0)
        os.wait()
        after = 1
    """,
}


@pytest.mark.skipif(os.getuid() != 0, reason="only root may do so")
@pytest.mark.parametrize("text", PRIVILEGED.values(), ids=PRIVILEGED.keys())
def test_a_process_that_can_no_longer_write(footfall, text: str) -> None:
    """Where no file can be made any more, what is mapped goes on to record, and it is said."""
    with tempfile.TemporaryDirectory() as name:  # pytest's own directories are closed to other users
        os.chmod(name, 0o755)
        done = run_row(footfall, pathlib.Path(name), text, cwd=name)
    assert ("[record-full]" in done.stderr) == ("setuid" not in text)
    assert "[sampler-fallback]" not in done.stderr
    assert "[record-corrupt]" not in done.stderr


@pytest.mark.any_python
@pytest.mark.skipif(importlib.util.find_spec("xdist") is None, reason="needs pytest-xdist")
def test_workers_of_pytest_xdist(footfall, tmp_path) -> None:
    """Tests that pytest-xdist runs in workers, one of which dies, are measured without any setting."""
    write_program(
        tmp_path / "test_it.py",
        """
        import os, pytest
        import child
        def f(n):
            if n % 2:  # both
                return 1
            return 0
        @pytest.mark.parametrize("n", range(6))
        def test_f(n):
            value = f(n)
            assert value == n % 2
        def test_that_ends_its_worker():
            before = 1
            os._exit(3)
        """,
    )
    write_program(tmp_path / "child.py", CHILD)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    done = footfall(
        "run",
        "-q",
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-n",
        "2",
        "-p",
        "no:cacheprovider",
        env=environment,
        timeout=300,
    )
    assert done.returncode == 1, done.stdout
    assert "1 failed, 6 passed" in done.stdout
    check_marks(tmp_path, read_coverage(tmp_path / ".coverage"))
