"""Where two coverage reports of one suite differ, file by file."""

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

__all__ = ["Difference", "differences", "divide", "print_differences", "ranges"]

KEYS = ("executed_lines", "missing_lines", "excluded_lines", "executed_branches", "missing_branches")

Item = int | tuple[int, int]
Report = Mapping[str, Mapping[str, object]]
"""The files of a JSON report as coverage.py writes it."""


@dataclass(frozen=True, slots=True)
class Difference:
    """What only one side says of a file under one key of coverage.py's JSON report."""

    file: str
    key: str
    only_left: tuple[Item, ...]
    only_right: tuple[Item, ...]


def differences(left: Report, right: Report) -> list[Difference]:
    """Compare two JSON reports' files; a file of one side only has all its lines on that side."""
    found = []
    for file in sorted({*left, *right}):
        for key in KEYS:
            ours = _items(left, file, key)
            theirs = _items(right, file, key)
            if ours != theirs:
                found.append(Difference(file, key, tuple(sorted(ours - theirs)), tuple(sorted(theirs - ours))))
    return found


def divide(found: Iterable[Difference], others: Iterable[Difference]) -> tuple[list[Difference], list[Difference]]:
    """Return `found` without the lines and branches that `others` have as well, and these."""
    known: dict[tuple[str, str], set[Item]] = {}
    for each in others:
        known.setdefault((each.file, each.key), set()).update(each.only_left, each.only_right)
    left, taken = [], []
    for each in found:
        items = known.get((each.file, each.key), set())
        for chosen, is_known in ((left, False), (taken, True)):
            ours = tuple(item for item in each.only_left if (item in items) is is_known)
            theirs = tuple(item for item in each.only_right if (item in items) is is_known)
            if ours or theirs:
                chosen.append(Difference(each.file, each.key, ours, theirs))
    return left, taken


def _items(report: Report, file: str, key: str) -> set[Item]:
    value = report.get(file, {}).get(key, [])
    assert isinstance(value, list)
    return {tuple(item) if isinstance(item, list) else item for item in value}


def print_differences(found: Iterable[Difference], left: str = "footfall", right: str = "coverage.py") -> None:
    """Print each difference, by the names of its two sides."""
    width = max(len(left), len(right))
    for each in found:
        print(f"  {each.file}: {each.key}")
        if each.only_left:
            print(f"    {left + ' only:':{width + 6}} {ranges(each.only_left)}")
        if each.only_right:
            print(f"    {right + ' only:':{width + 6}} {ranges(each.only_right)}")
    sys.stdout.flush()


def ranges(items: Iterable[Item]) -> str:
    """Lines as `3-5, 9`, branches as `3->5, 9->exit`."""
    texts: list[str] = []
    start = last = None
    for item in [*items, None]:
        if isinstance(item, tuple):
            texts.append(f"{item[0]}->{item[1] if item[1] > 0 else f'exit({-item[1]})'}")
            continue
        if last is not None and item == last + 1:
            last = item
            continue
        if start is not None:
            texts.append(str(start) if start == last else f"{start}-{last}")
        start = last = item
    return ", ".join(texts)
