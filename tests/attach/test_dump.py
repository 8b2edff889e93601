"""`footfall dump`: the stacks of real processes, as text and JSON."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from attached import stop

IS_CPYTHON = sys.implementation.name == "cpython"
pytestmark = pytest.mark.skipif(not IS_CPYTHON, reason="reads from CPython only")
pytest.importorskip("elftools")

PROGRAM = """\
import sys, threading, time
def deeper(n):
    return n and deeper(n - 1)
def sleeper():
    ä = [1]; time.sleep(1000 + len(ä))
def outer():
    middle(
        3,
    )
def middle(n):
    print("ready", flush=True)
    while True: deeper(n)
threading.Thread(target=sleeper, name="drowsy", daemon=True).start()
outer()
"""

Footfall = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def program(tmp_path: Path) -> subprocess.Popen[str]:
    """The program, running, as `target.py` under a relative name."""
    (tmp_path / "target.py").write_text(PROGRAM, encoding="utf-8")
    environment = {key: value for key, value in os.environ.items() if key != "FOOTFALL_RUN"}
    process = subprocess.Popen(
        [sys.executable, "-I", "target.py"], cwd=tmp_path, stdout=subprocess.PIPE, text=True, env=environment
    )
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    yield process
    process.kill()
    process.communicate()


def test_text_marks_the_columns(footfall: Footfall, program: subprocess.Popen[str]) -> None:
    """Frames innermost first, source lines with carets under the expression that runs."""
    done = footfall("dump", program.pid)
    assert done.returncode == 0, done.stderr
    assert f"Process {program.pid}  CPython {sys.version.split()[0].rstrip('+')}" in done.stdout
    lines = done.stdout.splitlines()
    at = next(number for number, line in enumerate(lines) if "sleeper  " in line)
    assert lines[at].endswith("target.py:5:14")
    assert lines[at + 1] == "      ä = [1]; time.sleep(1000 + len(ä))"
    assert lines[at + 2] == "               ^^^^^^^^^^^^^^^^^^^^^^^^^"
    assert done.stdout.index("  middle  ") < done.stdout.index("  outer  ") < done.stdout.rindex("  <module>  ")
    assert "waiting" in done.stdout


def _cpu_ticks(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[11])


def test_json_names_the_gil_holder(footfall: Footfall, program: subprocess.Popen[str]) -> None:
    """Of a stopped program it is the same at each look: the thread that ran."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and _cpu_ticks(program.pid) < 5:
        time.sleep(0.01)  # it is past its first lines then, where it waits for its output
    stop(program.pid)
    done = footfall("dump", "--json", program.pid)
    os.kill(program.pid, signal.SIGCONT)
    assert done.returncode == 0, done.stderr
    (process,) = json.loads(done.stdout)["processes"]
    assert process["pid"] == program.pid
    (interpreter,) = process["interpreters"]
    by_function = {}
    for thread in interpreter["threads"]:
        assert thread["whole"] and thread["state"] == "stopped"
        for frame in thread["frames"]:
            by_function.setdefault(frame["function"], (thread, frame))
    busy, frame = by_function["middle"]
    assert busy["holds_gil"] and busy["native_id"] == program.pid
    assert os.path.basename(frame["file"]) == "target.py" and frame["line"] == 12
    sleeping, frame = by_function["sleeper"]
    assert not sleeping["holds_gil"]
    assert (frame["line"], frame["column"], frame["end_column"]) == (5, 14, 40)
    _, frame = by_function["outer"]
    assert (frame["line"], frame["end_line"]) == (7, 9)
    if sys.version_info >= (3, 14):
        assert sleeping["name"] == "drowsy"


def test_paused_and_again(footfall: Footfall, program: subprocess.Popen[str]) -> None:
    """--pause sees every thread whole and leaves the process running."""
    for _ in range(2):
        done = footfall("dump", "--json", "--pause", program.pid)
        assert done.returncode == 0, done.stderr
        (process,) = json.loads(done.stdout)["processes"]
        assert [thread["whole"] for thread in process["interpreters"][0]["threads"]] == [True, True]
    assert "State:\tT" not in Path(f"/proc/{program.pid}/status").read_text(encoding="utf-8")


def test_garbage_collection_is_shown(footfall: Footfall) -> None:
    """A thread that collects garbage has a frame for it, below the function that it stopped."""
    code = (
        "import gc\nkeep = [[] for _ in range(400000)]\ndef f():\n gc.collect()\nprint(1, flush=True)\nwhile True: f()"
    )
    process = subprocess.Popen([sys.executable, "-I", "-c", code], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None and process.stdout.readline() == "1\n"
        done = [footfall("dump", "--pause", process.pid) for _ in range(3)]
    finally:
        process.kill()
        process.communicate()
    assert all(each.returncode == 0 for each in done), done[0].stderr
    stacks = [[line.split()[0] for line in each.stdout.splitlines()[3:] if line.strip()] for each in done]
    assert ["<gc>", "f", "<module>"] in stacks


def test_children(footfall: Footfall, tmp_path: Path) -> None:
    """A shell's Python child is found with --children, and not without."""
    command = f"{sys.executable} -I -c 'import time; print(1, flush=True); time.sleep(1000)'; true"
    process = subprocess.Popen(["sh", "-c", command], stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        assert process.stdout is not None and process.stdout.readline() == "1\n"
        refused = footfall("dump", process.pid)
        found = footfall("dump", "--children", process.pid)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    assert refused.returncode == 3 and "[attach-not-python]" in refused.stderr
    assert found.returncode == 0 and "<module>" in found.stdout


HOST = """
#include <dlfcn.h>
#include <stdio.h>
#include <unistd.h>
int main(int argc, char **argv)
{
    void *python = dlopen(argv[1], RTLD_NOW | RTLD_GLOBAL);
    void (*begin)(int) = (void (*)(int))dlsym(python, "Py_InitializeEx");
    int (*run)(const char *) = (int (*)(const char *))dlsym(python, "PyRun_SimpleString");
    puts("ready");
    fflush(stdout);
    usleep(400000);
    begin(0);
    return run("import time\\ndef embedded():\\n    time.sleep(1000)\\nembedded()");
}
"""


def test_a_program_that_has_not_begun_its_python_yet(footfall: Footfall, tmp_path: Path) -> None:
    """One that embeds Python, under another name, is given a second to begin it."""
    library = next((Path(sys.base_prefix) / "lib").glob("libpython3.*.so.*"), None)
    if library is None:
        pytest.skip("this Python is no library")
    (tmp_path / "host.c").write_text(HOST, encoding="utf-8")
    subprocess.run(["cc", "-o", tmp_path / "host", tmp_path / "host.c", "-ldl"], check=True)
    environment = {**os.environ, "PYTHONHOME": sys.base_prefix}
    process = subprocess.Popen([tmp_path / "host", library], stdout=subprocess.PIPE, text=True, env=environment)
    try:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        dumped = footfall("dump", process.pid)
    finally:
        process.kill()
        process.communicate()
    assert dumped.returncode == 0, dumped.stderr


@pytest.mark.skipif(sys.version_info < (3, 14), reason="names its threads from 3.14 on")
def test_names_cut_within_a_character(footfall: Footfall) -> None:
    """The kernel keeps 15 bytes of a thread's name; what is left of a character is no text, and JSON is text."""
    code = (
        "import threading, time\nt = threading.Thread(target=time.sleep, args=(1000,), name='приветмир', daemon=True)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-I", "-c", code + "t.start()\nprint(1, flush=True)\ntime.sleep(1000)"], stdout=subprocess.PIPE
    )
    try:
        assert process.stdout is not None and process.stdout.readline() == b"1\n"
        dumped = footfall("dump", "--json", process.pid)
    finally:
        process.kill()
        process.communicate()
    threads = json.loads(dumped.stdout)["processes"][0]["interpreters"][0]["threads"]
    assert "приветм" in {thread["name"] for thread in threads}
    assert "\\udcd0" not in dumped.stdout


@pytest.mark.any_python
def test_json_holds_no_half_characters() -> None:
    """A byte that is no text is U+FFFD; all that is text stays, also what looks like an escape."""
    from footfall.report.jsontext import render_json

    value = {"caf\udce9": ["\U0001f40d\udc80", "\\ud800", 'a"\\\n', 1.5, None]}
    text = render_json(value)
    assert text.isascii()
    assert json.loads(text) == {"caf\ufffd": ["\U0001f40d\ufffd", "\\ud800", 'a"\\\n', 1.5, None]}
    assert render_json({"a": 1}, separators=(",", ":")) == '{"a":1}'


WAITS = """\
import threading, time
def spin():
    while True: sum(range(50))
lock = threading.Lock()
lock.acquire()
for target in (spin, spin, lock.acquire, lambda: time.sleep(1000)):
    threading.Thread(target=target, daemon=True).start()
print("ready", flush=True)
time.sleep(1000)
"""


def test_who_waits_for_the_gil(tmp_path: Path) -> None:
    """Of two threads that compute one holds the GIL and the other waits for it; who waits for other things does not."""
    from footfall.attach.dump import dump_process
    from footfall.report.dump import render_dump_json, render_dump_text

    process = subprocess.Popen([sys.executable, "-I", "-c", WAITS], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        for _ in range(50):  # both may want to run while a CPU is not free
            dumped = dump_process(process.pid)
            waiters = [thread for thread in dumped.interpreters[0].threads if thread.waits_for_gil]
            # threads that have just begun want it too
            if waiters and all(map(_computes, waiters)):
                break
        assert waiters and all(map(_computes, waiters))
        assert not any(thread.holds_gil for thread in waiters)
        text = ["".join(part for part, _ in line) for line in render_dump_text([dumped])]
        assert any("waiting for the GIL" in line for line in text)
        found = json.loads(render_dump_json([dumped]))["processes"][0]["interpreters"][0]["threads"]
        assert sum(thread["waits_for_gil"] for thread in found) == len(waiters)
    finally:
        process.kill()
        process.communicate()


def _computes(thread) -> bool:
    return any(frame.qualname == "spin" for frame in thread.frames)
