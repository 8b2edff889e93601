"""Where two coverage reports of one suite differ, file by file."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

__all__ = ["Difference", "differences", "ranges"]

KEYS = ("executed_lines", "missing_lines", "excluded_lines", "executed_branches", "missing_branches")

Item = int | tuple[int, int]


@dataclass(frozen=True, slots=True)
class Difference:
    """What only one side says of a file under one key of coverage.py's JSON report."""

    file: str
    key: str
    only_left: tuple[Item, ...]
    only_right: tuple[Item, ...]


def differences(
    left: Mapping[str, Mapping[str, object]], right: Mapping[str, Mapping[str, object]]
) -> list[Difference]:
    """Compare two JSON reports' files; a file of one side only has all its lines on that side."""
    found = []
    for file in sorted({*left, *right}):
        for key in KEYS:
            ours = _items(left.get(file, {}).get(key, []))
            theirs = _items(right.get(file, {}).get(key, []))
            if ours != theirs:
                found.append(Difference(file, key, tuple(sorted(ours - theirs)), tuple(sorted(theirs - ours))))
    return found


def _items(value: object) -> set[Item]:
    assert isinstance(value, list)
    return {tuple(item) if isinstance(item, list) else item for item in value}


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
