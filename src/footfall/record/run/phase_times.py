"""The times of tests that a pytest process measured: a text file in the run directory, with a line for each phase.

The pytest plugin writes it (`pytest_plugin/phase_times.py`), `resolve` reads it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Final, NamedTuple

from footfall.errors import FootfallError
from footfall.model import TEST_TIMES_ENDING
from footfall.record.run.untrusted_file import read_recorded_file
from footfall.settings import unescape

__all__ = ["PhaseTime", "read_phase_times"]

_END_OF_NUMBERS: Final = 1 << 58
"""9 years of nanoseconds, as in the profile's tables."""


class PhaseTime(NamedTuple):
    """How often a phase of a test ran, and its time: wall time, and CPU time of the thread that ran it."""

    n_times: int
    wall_ns: int
    cpu_ns: int

    def plus(self, other: PhaseTime) -> PhaseTime:
        """Return the sum of both."""
        return PhaseTime(*(min(one + another, _END_OF_NUMBERS - 1) for one, another in zip(self, other, strict=True)))


def read_phase_times(run_directory: str, messages: list[tuple[str, str]]) -> dict[str, PhaseTime]:
    """Return, by label, the sum of what all processes of the run wrote. Damaged parts are left out and reported."""
    found: dict[str, PhaseTime] = {}
    for name in sorted(os.listdir(run_directory)):
        if not name.endswith(TEST_TIMES_ENDING):
            continue
        path = os.path.join(run_directory, name)
        try:
            lines = bytes(read_recorded_file(path)).split(b"\n")
        except FootfallError as error:
            messages.append((error.slug, error.message))
            continue
        except OSError as error:
            messages.append(("record-unreadable", f"Left out {path}: {error.strerror or error}."))
            continue
        n_damaged = _add_lines(found, lines[:-1])  # after the last newline is what a killed process left incomplete
        if n_damaged:
            messages.append(("record-corrupt", f"Left out {n_damaged} lines of {path}: they are no times of tests."))
    return found


def _add_lines(found: dict[str, PhaseTime], lines: Iterable[bytes]) -> int:
    """Add the times of some lines, and return how many lines are invalid."""
    n_damaged = 0
    for line in lines:
        wall, _, rest = line.partition(b"\t")
        cpu, _, label = rest.partition(b"\t")
        if not (label and wall.isdigit() and cpu.isdigit() and len(wall) < 18 and len(cpu) < 18):
            n_damaged += 1
            continue
        name = unescape(label.decode("utf-8", "replace"))
        time = PhaseTime(1, int(wall), int(cpu))
        found[name] = found[name].plus(time) if name in found else time
    return n_damaged
