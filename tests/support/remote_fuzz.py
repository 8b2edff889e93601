"""Feed the outside reader damaged memory: that of a stopped process whose interpreter's structures are overwritten.

    python tests/support/remote_fuzz.py [SECONDS] [SEED]

The target never runs again, so any of its memory may be damaged; it is restored after each round. Build with
FOOTFALL_SANITIZE=address,undefined and preload libasan to see out-of-bounds reads. Ends with 1 and the round's seed if
an error other than footfall's own was raised; a sanitizer that finds something ends the process by itself.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
import time

from attached import stop
from footfall import _core
from footfall.analyze.profile.calltree import profile_of_logs
from footfall.attach.asyncio_tables import NO_TABLES, find_task_tables
from footfall.attach.dump import dump_process
from footfall.attach.interpreter import find_interpreter
from footfall.errors import FootfallError
from footfall.record.run.sample_log import read_sample_log
from footfall.report.dump import render_dump_json, render_dump_text

PROGRAM = """
import asyncio, threading, time
async def nap(n):
    if n: await nap(n - 1)
    else: await asyncio.sleep(1000)
async def naps():
    async for _ in drowsy(): pass
async def drowsy():
    await nap(2)
    yield
async def tend(shared): await shared
async def keep_busy():
    shared = asyncio.ensure_future(nap(3))
    asyncio.get_running_loop().call_later(0.1, are_asleep.set)  # when all have taken their first steps
    tenders = [asyncio.create_task(tend(shared), name=f"tënder {n}") for n in range(9)]
    await asyncio.gather(nap(60), naps(), *tenders)
are_asleep = threading.Event()
threading.Thread(target=asyncio.run, args=(keep_busy(),), daemon=True).start()
try: import _interpreters as x
except ImportError: import _xxsubinterpreters as x
def within():
    (getattr(x, "exec", None) or x.run_string)(x.create(), "import time\\ntime.sleep(1000)")
threading.Thread(target=within, daemon=True).start()
def count(n):
    if n: yield from count(n - 1)
    else: print("ready", flush=True)
    yield n
def deep(n):
    return deep(n - 1) if n else time.sleep(1000)
for n in (0, 20, 700):
    threading.Thread(target=deep, args=(n,), daemon=True).start()
are_asleep.wait()
def sdéep_naïve(n):
    if n: sdéep_naïve(n - 1)
    else:
        for _ in count(60): time.sleep(1000)
sdéep_naïve(40)
"""
HAS_TASKS = sys.version_info >= (3, 12)
WORDS = (
    0,
    1,
    7,
    8,
    24,
    0x7F,
    0xFF,
    0xFFFF,
    1 << 20,
    1 << 31,
    1 << 32,
    (1 << 47) - 8,
    (1 << 63),
    (1 << 64) - 1,
    (1 << 64) - 8,
)


class Target:
    """The stopped process, and what is known about its memory."""

    def __init__(self) -> None:
        self.process = subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE)
        assert self.process.stdout is not None and self.process.stdout.readline() == b"ready\n"
        stop(self.process.pid)
        self.pid = self.process.pid
        self.memory = os.open(f"/proc/{self.pid}/mem", os.O_RDWR)
        self.found = find_interpreter(self.pid)
        self.tables = find_task_tables(self.pid, self.found) if HAS_TASKS else NO_TABLES
        sampler = self.sampler()
        (self.interpreter, _, _) = sampler.interpreters()[0]
        self.codes = sorted({frame[0] for look in sampler.stacks() for frame in look[4] or ()})
        self.tasks: list[int] = []
        if HAS_TASKS:
            self.tasks = sorted(task[0] for _, tasks in sampler.stacks_and_tasks()[1] for task in tasks or ())
            assert len(self.tasks) == 13, self.tasks
        self.changed: list[tuple[int, bytes]] = []

    def sampler(self, path: str | None = None) -> _core.RemoteSampler:
        """Return a sampler of the target, with an interval of 20 us."""
        found = self.found
        return _core.RemoteSampler(
            self.pid, found.runtime, found.code_type, found.version, path, 20_000, tasks=self.tables
        )

    def read(self, address: int, size: int) -> bytes:
        """Return part of its memory, or nothing."""
        try:
            return os.pread(self.memory, size, address)
        except (OSError, OverflowError):
            return b""

    def write(self, address: int, content: bytes) -> None:
        """Damage its memory."""
        before = self.read(address, len(content))
        if len(before) == len(content):
            try:
                os.pwrite(self.memory, content, address)
                self.changed.append((address, before))
            except OSError:
                pass

    def restore(self) -> None:
        """Restore everything that was changed."""
        for address, before in reversed(self.changed):
            os.pwrite(self.memory, before, address)
        self.changed.clear()

    def some_place(self, rng: random.Random) -> int:
        """Return a structure that is reachable from the runtime, an interpreter or a code object."""
        places = [self.found.runtime, self.interpreter, self.interpreter + 7200, *rng.sample(self.codes, 3)]
        if self.tasks:
            places += [*rng.sample(self.tasks, 3), self.tables.debug]
        place = rng.choice(places)
        for _ in range(rng.randrange(6)):
            words = [
                word
                for at in range(0, 1024, 8)
                if 4096 < (word := int.from_bytes(self.read(place + at, 8), "little")) < 1 << 47 and self.read(word, 8)
            ]
            if not words:
                break
            place = rng.choice(words)
        return place

    def damage(self, rng: random.Random) -> None:
        """Overwrite random places."""
        for _ in range(rng.randrange(1, 12)):
            place = self.some_place(rng) + 8 * rng.randrange(130)
            kind = rng.randrange(4)
            if kind == 0:
                self.write(place, rng.choice(WORDS).to_bytes(8, "little"))
            elif kind == 1:
                self.write(place, self.some_place(rng).to_bytes(8, "little"))
            elif kind == 2:
                self.write(place + rng.randrange(8), rng.randbytes(rng.choice((1, 2, 4, 8, 64))))
            else:
                self.write(place, (place + rng.choice((-64, -8, 0, 1, 8, 64))).to_bytes(8, "little"))


def look(target: Target, directory: str) -> None:
    """Do everything that footfall does with a target."""
    try:
        process = dump_process(target.pid, with_tasks=HAS_TASKS)
        render_dump_json([process], with_tasks=HAS_TASKS)
        render_dump_text([process], with_tasks=HAS_TASKS)
    except FootfallError:
        pass
    path = os.path.join(directory, "a.smp")
    try:
        sampler = target.sampler(path)
    except (ValueError, OSError):
        return
    finally:
        if os.path.exists(path) and os.path.getsize(path) == 0:
            os.unlink(path)
    sampler.start()
    time.sleep(0.002)
    sampler.stop()
    profile_of_logs([read_sample_log(path)])
    os.unlink(path)


def fuzz(seconds: float, seed: int, at_least: int = 0) -> int:
    """Damage and read, over and over, `at_least` so often. Returns the number of rounds."""
    target = Target()
    rounds = 0
    end = time.monotonic() + seconds
    try:
        with tempfile.TemporaryDirectory() as directory:
            while rounds < at_least or time.monotonic() < end:
                rng = random.Random(seed + rounds)
                target.damage(rng)
                try:
                    look(target, directory)
                except BaseException:
                    print(f"seed {seed + rounds}", flush=True)
                    raise
                target.restore()
                rounds += 1
            look(target, directory)
    finally:
        target.process.kill()
        target.process.communicate()
        os.close(target.memory)
    return rounds


if __name__ == "__main__":
    given = [*sys.argv[1:], "10", "1"][:2] if len(sys.argv) != 2 else [sys.argv[1], "1"]
    print(fuzz(float(given[0]), int(given[1])), "rounds")
