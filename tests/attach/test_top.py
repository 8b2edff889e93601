"""`footfall top`: its model on real logs, its screen driven by textual's pilot, and once on a real terminal."""

from __future__ import annotations

import asyncio
import os
import pty
import re
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

IS_CPYTHON = sys.implementation.name == "cpython"
pytestmark = pytest.mark.skipif(not IS_CPYTHON, reason="reads from CPython only")
pytest.importorskip("elftools")
pytest.importorskip("textual")

if IS_CPYTHON:
    from footfall.live.model import LiveModel, Measure
    from footfall.live.screen import TopApp

PROGRAM = """\
import threading, time
def inner():
    return sum(range(2000))
def outer(n):
    if n: return outer(n - 1)
    end = time.monotonic() + 0.05
    while time.monotonic() < end: inner()
def sleeper():
    time.sleep(1000)
threading.Thread(target=sleeper, daemon=True).start()
print("ready", flush=True)
while True: outer(5)
"""


@pytest.fixture(scope="module")
def log_path(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A log of the program, 300 samples or more long."""
    return _record(tmp_path_factory.mktemp("top"), PROGRAM)


def _record(directory: Path, program: str) -> str:
    from footfall import _core
    from footfall.attach.interpreter import find_interpreter

    (directory / "program.py").write_text(program, encoding="utf-8")
    process = subprocess.Popen([sys.executable, str(directory / "program.py")], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        found = find_interpreter(process.pid)
        path = str(directory / "1-0.smp")
        sampler = _core.RemoteSampler(process.pid, found.runtime, found.code_type, found.version, path)
        sampler.start()
        model = LiveModel()
        for _ in range(1000):
            model.read([path])  # while it grows
            if model.samples >= 600:
                break
            time.sleep(0.01)
        sampler.stop()
    finally:
        process.kill()
        process.communicate()
    return path


def test_following_equals_reading_at_once(log_path: str, tmp_path: Path) -> None:
    """Read in pieces as it grows, a log gives the same samples and times as read whole."""
    from footfall.record.run.sample_log import SampleLogFollower, read_sample_log

    whole = read_sample_log(log_path)
    content = Path(log_path).read_bytes()
    used = len(content.rstrip(b"\0"))
    growing = tmp_path / "growing.smp"
    growing.write_bytes(b"")
    follower = SampleLogFollower(str(growing))
    samples = []
    for cut in [*range(300, used, used // 37), len(content)]:
        growing.write_bytes(content[:cut])
        follower.read()
        samples += follower.log.samples
    assert len(samples) == len(whole.samples) > 300
    assert samples == whole.samples
    assert follower.log.nodes == whole.nodes
    assert follower.log.threads == whole.threads
    assert follower.log.n_ticks == whole.n_ticks > 0


def test_idle_repeats_are_counted_as_they_come(log_path: str, tmp_path: Path) -> None:
    """An idle thread's last sample goes on counting in place; a follower adds what is new of it."""
    import struct

    from footfall.record.run.sample_log import SampleLogFollower, read_sample_log
    from footfall.record.run.segments import follow_entries

    path = tmp_path / "a.smp"
    path.write_bytes(Path(log_path).read_bytes())
    follower = SampleLogFollower(str(path))
    follower.read()
    before = sum(sample.repeat for sample in follower.log.samples)
    wall = sum(sample.wall_ns for sample in follower.log.samples)
    with open(path, "r+b") as file:
        *_, (last, _, payload) = [entry for entry in follow_entries(file.fileno(), 0) if entry[1] == 5]
        time_ns, repeat = struct.unpack_from("<Q", payload, 8)[0], struct.unpack_from("<H", payload, 30)[0]
        os.pwrite(file.fileno(), struct.pack("<Q", time_ns + 3_000_000), last + 8 + 8)
        os.pwrite(file.fileno(), struct.pack("<H", repeat + 3), last + 8 + 30)
    follower.read()
    assert [sample.repeat for sample in follower.log.samples] == [3]
    assert follower.log.samples[0].wall_ns == 3_000_000
    again = read_sample_log(str(path))
    assert sum(sample.repeat for sample in again.samples) == before + 3
    assert sum(sample.wall_ns for sample in again.samples) == wall + 3_000_000


def test_recursion_counts_once(log_path: str) -> None:
    """A function's total is not more than all there is; own times sum to the whole."""
    model = LiveModel()
    model.read([log_path])
    rows = model.rows(Measure.CPU, by_line=False, by_total=True)
    whole = model.total(Measure.CPU)
    by_name = {row.spot.name: row for row in rows}
    assert by_name["outer"].total <= whole
    assert by_name["outer"].total > 0.9 * whole
    assert by_name["inner"].own > by_name["outer"].own
    assert by_name["sleeper"].own < 0.05 * whole if "sleeper" in by_name else True
    assert sum(row.own for row in rows) == whole


def test_threads_that_wait_for_the_gil_are_shown(tmp_path: Path) -> None:
    """Of two that are always busy each holds the GIL and waits for it, for as long as reports of the same log say."""
    from footfall.analyze.profile.calltree import ProfileBuilder
    from footfall.record.run.sample_log import read_sample_log

    spin = "import threading\ndef spin():\n    while True: pass\n"
    path = _record(tmp_path, spin + "threading.Thread(target=spin).start()\nprint('ready', flush=True)\nspin()\n")
    model = LiveModel()
    model.read([path])
    builder = ProfileBuilder()
    builder.add(read_sample_log(path), {})
    costs = builder.profile.costs.values()
    assert model.total(Measure.GIL_WAIT) == sum(cost.gil_wait_ns for cost in costs) > 0
    assert model.untold_wait() == sum(cost.gil_untold_ns for cost in costs) / sum(cost.wall_ns for cost in costs)
    assert all(model.total(Measure.GIL_WAIT, thread) > 0 for thread in model.threads())
    assert model.rows(Measure.GIL_WAIT, by_line=False, by_total=False)[0].spot.name == "spin"
    app = TopApp(model, "process 1", lambda: True)
    app.measure = Measure.GIL_WAIT
    assert "time waiting for the GIL, by own" in app.status()


def test_the_screen_answers_its_keys(log_path: str) -> None:
    """Sort, lines, clock, threads, search, pause, quit, as a user presses them."""
    model = LiveModel()
    polls = []

    def poll() -> bool:
        polls.append(1)
        model.read([log_path])
        return len(polls) < 2

    app = TopApp(model, "process 1", poll, interval_s=0.05)

    def column(number: int) -> list[str]:
        table = app.query_one("DataTable")
        return [str(table.get_row_at(row)[number]) for row in range(table.row_count)]

    async def use() -> None:
        async with app.run_test(size=(140, 30)) as pilot:
            for _ in range(600):
                await pilot.pause(0.05)
                if app.has_ended:
                    break
            assert "ENDED" in app.status()
            assert column(4)[0] == "inner"
            await pilot.press("s")
            assert column(4)[0] == "<module>" and app.by_total
            await pilot.press("s", "l")
            assert re.search(r"program\.py:3$", column(5)[0])
            await pilot.press("l", "c")
            assert app.measure is Measure.WALL and column(4)[0] in ("sleeper", "inner")
            await pilot.press("slash", *"bootstrap")
            assert {place.partition(":")[0] for place in column(5)} == {"threading.py"}  # short
            await pilot.press("escape")
            await pilot.press("c", "c", "c", "t", "t")
            assert app.thread_label == model.threads()[1]
            await pilot.press("t")
            assert app.thread_label is None
            await pilot.press("slash", *"OUT")
            assert set(column(4)) == {"outer"}
            await pilot.press("enter", "p")
            assert app.is_paused and "PAUSED" in app.status() and "search: OUT" in app.status()
            await pilot.press("p", "slash", "escape")
            assert app.search == "" and len(column(4)) > 1
            await pilot.press("r")
            assert column(4) == []
            await pilot.press("q")

    asyncio.run(use())
    assert app.return_code == 0


TASKS = """\
import asyncio
async def waits_for_it(task): await task
async def main():
    task = asyncio.create_task(asyncio.sleep(1000), name="sleeper")
    waiting = asyncio.create_task(waits_for_it(task), name="waiter")
    asyncio.get_running_loop().call_later(0.1, lambda: print("ready", flush=True))
    await waiting
asyncio.run(main())
"""


@pytest.mark.skipif(sys.version_info < (3, 12), reason="tasks are not read")
def test_asyncio_tasks_are_shown(tmp_path: Path) -> None:
    """Key a shows them, each above those that it waits for, and goes back to the table."""
    from footfall.live.tasks import task_lines

    process = subprocess.Popen([sys.executable, "-c", TASKS], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        app = TopApp(LiveModel(), "x", lambda: True, read_tasks=lambda: task_lines([process.pid]))

        async def use() -> None:
            async with app.run_test(size=(140, 40)) as pilot:
                await pilot.press("a")
                assert not app.query_one("DataTable").display
                shown = str(app.query_one("#task-lines").render())
                assert shown.index('Task "waiter"') < shown.index("waits_for_it") < shown.index('Task "sleeper"')
                await pilot.press("a")
                assert app.query_one("DataTable").display and not app.query_one("#tasks").display

        asyncio.run(use())
    finally:
        process.kill()
        process.communicate()


def test_on_a_real_terminal(tmp_path: Path) -> None:
    """A command is started, shown and ended with q; its output comes after the screen."""
    (tmp_path / "program.py").write_text("print('its own output', flush=True)\n" + PROGRAM, encoding="utf-8")
    environment = {key: value for key, value in os.environ.items() if key != "FOOTFALL_RUN"}
    environment |= {"TERM": "xterm-256color", "COLUMNS": "140", "LINES": "30"}
    main, other = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "footfall", "top", "program.py"],
        cwd=tmp_path,
        stdin=other,
        stdout=other,
        stderr=other,
        env=environment,
        start_new_session=True,
    )
    os.close(other)
    seen = b""
    has_quit = False
    deadline = time.monotonic() + 40
    while time.monotonic() < deadline:
        ready, _, _ = select.select([main], [], [], 0.1)
        if ready:
            try:
                seen += os.read(main, 65536)
            except OSError:
                break
        if not has_quit and b"inner" in seen and b"samples" in seen:
            os.write(main, b"q")
            has_quit = True
        if process.poll() is not None and not ready:
            break
    os.close(main)
    assert process.wait(20) == 0, seen[-2000:]
    assert has_quit
    assert b"its own output" in seen[seen.rindex(b"inner") :]
    assert not list((tmp_path / ".footfall").glob("runs/*"))
