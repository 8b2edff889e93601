"""Analysing many files in several processes, if that pays: a pool of forks that send packed analyses back.

A fork starts in a millisecond with everything imported; a new interpreter would need 60. Called by `gather`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence

from footfall.analyze.source.analysis import analyze_source, decode_source
from footfall.analyze.source.exclude import ExclusionRules
from footfall.errors import FootfallError
from footfall.load.analysis_codec import bytes_from_analysis

__all__ = ["analyze_in_parallel", "count_workers"]

_BYTES_PER_WORKER = 400_000  # about 10,000 lines, 0.1 s of work
_MAX_WORKERS = 8
_LENGTH_BYTES = 8


def count_workers(sizes: Sequence[int]) -> int:
    """Return how many processes should share files of these sizes in bytes; 1 means only this one."""
    wanted = min(sum(sizes) // _BYTES_PER_WORKER, len(sizes), _MAX_WORKERS)
    if wanted < 2 or not hasattr(os, "fork") or _has_threads():
        return 1
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(wanted, available))


def _has_threads() -> bool:
    """Return whether there are other threads: in a fork, locks that they hold are never released."""
    try:
        return len(os.listdir("/proc/self/task")) > 1
    except OSError:
        return True


def analyze_in_parallel(sources: Mapping[str, bytes], rules: ExclusionRules, n_workers: int) -> dict[str, bytes]:
    """Return packed analyses by path of all files that could be analysed; those with errors are left out.

    So are those of a worker that died: the caller analyses the missing ones itself and sees the error.
    """
    by_size = sorted(sources, key=lambda path: -len(sources[path]))
    for stream in filter(None, (sys.stdout, sys.stderr)):
        stream.flush()
    workers = [_start_worker(sources, by_size[number::n_workers], rules) for number in range(n_workers)]
    found: dict[str, bytes] = {}
    for number, (pid, pipe) in enumerate(workers):
        with open(pipe, "rb") as file:
            answer = file.read()
        os.waitpid(pid, 0)
        at = 0
        for path in by_size[number::n_workers]:
            end = at + _LENGTH_BYTES
            length = int.from_bytes(answer[at:end], "little")
            if length and len(answer) >= end + length:
                found[path] = answer[end : end + length]
            at = end + length
    return found


def _start_worker(sources: Mapping[str, bytes], paths: Sequence[str], rules: ExclusionRules) -> tuple[int, int]:
    """Fork a worker; return its pid and the end of the pipe to read from."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writing)
        return pid, reading
    status = 1
    try:
        os.close(reading)
        answer = bytearray()
        for path in paths:
            packed = _analyze(sources[path], path, rules)
            answer += len(packed).to_bytes(_LENGTH_BYTES, "little") + packed
        # only now: the parent reads one pipe after the other, and a full one would block us
        with open(writing, "wb") as file:
            file.write(answer)
        status = 0
    finally:
        # not sys.exit: the fork must not run the parent's exit handlers
        os._exit(status)


def _analyze(source: bytes, path: str, rules: ExclusionRules) -> bytes:
    try:
        return bytes_from_analysis(analyze_source(decode_source(source), path, rules))
    except FootfallError:
        return b""
