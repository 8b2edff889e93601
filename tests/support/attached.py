"""Processes to attach to, `footfall attach` run on them, and the contents of the resulting profile."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from footfall.analyze.profile.calltree import Cost, Profile, ProfileBuilder, times_of_functions
from footfall.analyze.profile.rows import profile_from_rows
from footfall.analyze.profile.stacks import collapse_stacks
from footfall.record.data.profile_tables import read_profile
from footfall.record.run.sample_log import read_sample_log

if TYPE_CHECKING:
    from footfall.attach.inject import InjectedSampler
    from footfall.attach.recording import OutsideSampler

FIB = """
def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)
def fib2(n):
    return n if n < 2 else fib2(n - 1) + fib2(n - 2)
print("ready", flush=True)
while True:
    fib(16)
    fib2(16)
"""
ENVIRONMENT = {key: value for key, value in os.environ.items() if key != "FOOTFALL_RUN"}


@contextlib.contextmanager
def target(
    program: str, *command: str, arguments: Sequence[str] = (), **more: object
) -> Iterator[subprocess.Popen[str]]:
    """Run `program` in a process, which is ready when the block begins, and is killed at its end."""
    code = textwrap.dedent(program)
    words = [*(command or (sys.executable,)), "-c", code, *arguments]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT, **more)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def attach(pid: int, *options: str, cwd: Path, **more: object) -> subprocess.CompletedProcess[str]:
    """Run `footfall attach` in `cwd`."""
    return subprocess.run(
        [sys.executable, "-m", "footfall", "attach", str(pid), *options],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=cwd,
        env=ENVIRONMENT,
        **more,
    )


@contextlib.contextmanager
def recording(pid: int, *options: str, cwd: Path) -> Iterator[subprocess.Popen[str]]:
    """Run `footfall attach`, which samples when the block begins, and is killed at its end."""
    process = subprocess.Popen(
        [sys.executable, "-m", "footfall", "attach", str(pid), *options],
        stderr=subprocess.PIPE,
        text=True,
        cwd=cwd,
        env=ENVIRONMENT,
    )
    try:
        assert process.stderr is not None
        assert "sampling process" in process.stderr.readline()
        yield process
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


def stop(pid: int) -> None:
    """Stop a child of ours, and return when it does not run any more: its threads may go on for a moment on their CPUs."""
    os.kill(pid, signal.SIGSTOP)
    os.waitid(os.P_PID, pid, os.WSTOPPED | os.WNOWAIT)


def samples_by_function(data_file: Path) -> dict[str, int]:
    """Return self samples by qualified name."""
    stored = read_profile(data_file)
    assert stored is not None
    found: dict[str, int] = {}
    for function, times in times_of_functions(profile_from_rows(stored)).items():
        found[function.qualname] = found.get(function.qualname, 0) + times.own.samples
    return found


def joined_profile(sampler: OutsideSampler | InjectedSampler) -> Profile:
    """Return the profile of a sampler's logs, of one process with one thread, with all that it counted."""
    builder = ProfileBuilder()
    for number, path in enumerate(sampler.finished):
        builder.add(read_sample_log(path), {}, is_continued=number > 0)
    profile = builder.profile
    assert profile.n_samples == sampler.counts().samples > 150
    assert (profile.n_processes, len(profile.threads)) == (1, 1)
    return profile


def stacks_of(data_file: Path) -> dict[tuple[str, ...], Cost]:
    """Return costs by stack of qualified names, outermost first."""
    stored = read_profile(data_file)
    assert stored is not None
    found: dict[tuple[str, ...], Cost] = {}
    for stack, cost in collapse_stacks(profile_from_rows(stored)):
        found.setdefault(tuple(frame.rpartition(" (")[0] or frame for frame in stack), Cost()).add(cost)
    return found
