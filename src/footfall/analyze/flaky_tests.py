"""Tests whose coverage differs from run to run, by what each run of a test ran. Pure; for `footfall lake flaky`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

__all__ = ["Difference", "FlakyTest", "find_flaky_tests"]


class Difference(NamedTuple):
    """A statement, or a branch (`to_line` is not None), that only some runs of a test ran: `shards` names these."""

    file: str
    line: int
    to_line: int | None
    shards: tuple[str, ...]


@dataclass(slots=True)
class FlakyTest:
    """A test with what differs. `n_unlike`: the runs of it whose coverage is not the one that most of its runs have."""

    name: str
    n_runs: int
    differences: list[Difference] = field(default_factory=list)

    @property
    def n_unlike(self) -> int:
        """Return how many runs differ from the commonest."""
        ran: dict[str, list[int]] = {}
        for number, difference in enumerate(self.differences):
            for shard in difference.shards:
                ran.setdefault(shard, []).append(number)
        alike = Counter(map(tuple, ran.values()))
        alike[()] += self.n_runs - len(ran)
        return self.n_runs - max(alike.values())


def find_flaky_tests(rows: Iterable[tuple[str, int, Difference]]) -> list[FlakyTest]:
    """Return the tests of (test, number of runs, difference), those that differ in the largest share of runs first."""
    found: dict[str, FlakyTest] = {}
    for name, n_runs, difference in rows:
        found.setdefault(name, FlakyTest(name, n_runs)).differences.append(difference)
    return sorted(found.values(), key=lambda test: (-test.n_unlike / test.n_runs, test.name))
