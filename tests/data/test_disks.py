"""Disks without room, and one that is read-only: the measured program does as ever, and what was not recorded is said."""

import contextlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator

import pytest

from footfall.record.data.coverage_tables import read_coverage
from marked import check_marks, write_program

IS_PYPY = sys.implementation.name == "pypy"

PROGRAM = """
import os, subprocess, sys

def fill():
    try:
        with open("filler", "wb", buffering=0) as file:
            while True:
                file.write(b"x" * 4096)
    except OSError as error:
        return error.errno

if "fill" in sys.argv:
    print(fill())
for n in range(300):
    space = {}
    exec(compile(f"def f(x):\\n    if x:\\n        return {n}\\n    return 0\\n" * 20, f"{n}.py", "exec"), space)
    assert space["f"](1) + space["f"](0) == n
pid = os.fork()
if pid == 0:
    import json
    os._exit(len(json.dumps([1, 2])))
print(os.waitpid(pid, 0)[1] >> 8)
done = subprocess.run([sys.executable, "-c", "import child; print(child.f(3))"], stdout=subprocess.PIPE, text=True)
print(done.returncode, done.stdout, end="")
if "remove" in sys.argv:
    os.unlink("filler")
"""
CHILD = "def f(x):\n    if x:\n        return x + 1\n    return 0\n"


@contextlib.contextmanager
def _disk(folder: pathlib.Path, size: str) -> Iterator[pathlib.Path]:
    """A disk of a size, with the programs on it."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(folder)]
    if os.getuid() != 0 or subprocess.run(command, capture_output=True).returncode != 0:
        pytest.skip("no disk of our own can be mounted here")
    try:
        write_program(folder / "main.py", PROGRAM)
        write_program(folder / "child.py", CHILD)
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def _run(footfall, disk: pathlib.Path, *arguments: str):
    return footfall("run", "-q", sys.executable, "-W", "ignore", "main.py", *arguments, cwd=disk)


@pytest.mark.parametrize("size", ["20k", "30k", "45k", "60k"])
def test_a_disk_that_is_too_small(footfall, tmp_path, size: str) -> None:
    """No room for the records of all processes, or for the data: that is said, with the place; the program's results are right."""
    with _disk(tmp_path / "disk", size) as disk:
        done = _run(footfall, disk)
        assert done.stdout == "6\n0 4\n"
        assert any(f"[{slug}]" in done.stderr for slug in ("record-full", "start-failed", "data-unwritable"))
        said = [line for line in done.stderr.splitlines() if line.endswith("[record-full]")]
        assert len(said) == len({*said})
        assert "(most recent call last)" not in done.stderr and "[not-instrumented]" not in done.stderr
        assert "[no-data-collected]" not in done.stderr and "Python 0.0" not in done.stderr
        is_lost = "[data-unwritable]" in done.stderr or "there is no room for a record in" in done.stderr
        assert done.returncode == (3 if is_lost else 0), done.stderr


def test_a_program_that_fills_the_disk(footfall, tmp_path) -> None:
    """What ran until there was no room is kept, and written when there is room again at the end."""
    with _disk(tmp_path / "disk", "3m" if not IS_PYPY else "30m") as disk:
        done = _run(footfall, disk, "fill", "remove")
        assert (done.returncode, done.stdout) == (0, "28\n6\n0 4\n"), done.stderr
        assert done.stderr.count("[record-full]") == 1 and "stopped: No space left on device." in done.stderr
        data = read_coverage(disk / ".coverage")
        assert {1, 3, 4, 11, 12, 13, 14} <= data.files[str(disk / "main.py")].lines


def test_the_data_file_finds_no_room(footfall, tmp_path) -> None:
    """What was recorded stays in the run directory, which is named with the command that tries again."""
    with _disk(tmp_path / "disk", "3m" if not IS_PYPY else "30m") as disk:
        done = _run(footfall, disk, "fill")
        assert (done.returncode, done.stdout) == (3, "28\n6\n0 4\n"), done.stderr
        assert "[data-unwritable]" in done.stderr
        os.unlink(disk / "filler")
        (run,) = disk.glob(".footfall/runs/*")
        assert footfall("resolve", run, cwd=disk).returncode == 0
        assert {1, 3, 4, 11, 12, 13, 14} <= read_coverage(disk / ".coverage").files[str(disk / "main.py")].lines


def test_a_read_only_working_directory(footfall, tmp_path) -> None:
    """Where nothing can be written all is recorded elsewhere, forks and started programs too."""
    text = """
        import os, subprocess, sys
        import child
        pid = os.fork()
        if pid == 0:  # both
            in_child = child.f(0)
            os._exit(0)
        os.wait()
        subprocess.run([sys.executable, "-c", "import child; child.f(1)"], env={}, check=True)
        try:
            open("file", "w")
            never = 1  # missed
        except OSError:
            refused = 1
    """
    with _disk(tmp_path / "disk", "1m") as disk:
        write_program(disk / "main.py", text)
        write_program(disk / "child.py", CHILD.replace("if x:", "if x:  # both"))
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        data_file = tmp_path / "elsewhere.data"
        command = [sys.executable, "-W", "ignore", "main.py"]
        done = footfall("run", "-q", "--data-file", data_file, *command, cwd=disk)
        assert (done.returncode, done.stderr) == (0, "")
        check_marks(disk, read_coverage(data_file))
        done = footfall("run", "-q", *command, cwd=disk)
        assert done.returncode == 0 and "[data-elsewhere]" in done.stderr
        (name,) = re.findall(r"--data-file=([^`]+)`", done.stderr)
        check_marks(disk, read_coverage(pathlib.Path(name)))
        answer = json.loads(footfall("query", "files", cwd=disk).stdout)
        assert [each["name"] for each in answer["files"]] == ["child.py", "main.py"]
        shutil.rmtree(os.path.dirname(name))
        assert "[no-data]" in footfall("query", "files", cwd=disk).stderr
        outside = tmp_path / "outside.data"
        done = footfall("run", *command, cwd=disk, env={**os.environ, "COVERAGE_FILE": str(outside)})
        assert "[data-elsewhere]" not in done.stderr and f"footfall report -m --data-file={outside}" in done.stderr
        check_marks(disk, read_coverage(outside))


@pytest.mark.skipif(IS_PYPY, reason="PyPy's profiler ends otherwise")
def test_a_sample_log_that_can_not_grow(footfall, tmp_path) -> None:
    """A limit of a file's size stands in for the full disk: it is said once, and what was sampled before is there."""
    text = """
        import resource, signal, time
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
        functions = {}
        for n in range(2000):
            exec(f"def {'f' * 500}{n}(): sum(range(2000))", functions)
        end = time.process_time() + 1
        while time.process_time() < end:
            for name in [*functions]:
                name[0] == "f" and functions[name]()
    """
    write_program(tmp_path / "main.py", text)
    done = footfall("run", "--rate=20000", sys.executable, "main.py")
    assert done.returncode == 0
    assert done.stderr.count("[sample-log-full]") == 1, done.stderr
    assert "Hottest" in done.stderr
