"""Which row of a table by line a frame counts for, and under which function's name.

A line of a file is one row, however many functions are on it (a lambda, a generator expression): the row has the name
of the one that took the most time there. Any number of texts may share a name that is not a file, such as `<string>`:
there each function's line is a separate row. Code without source (the collector, an import) or without a known line has
no row, and neither does footfall's own code. Pure except for what `Sources` checks. Used by all tables by line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from footfall.analyze.profile.calltree import Cost, Function, Profile, Times, has_source, times_by
from footfall.analyze.profile.tree_sums import TreeSums

__all__ = ["LinePlace", "LineRow", "Sources", "line_places", "rows_of_lines"]


@dataclass(frozen=True, slots=True)
class Sources:
    """Checks on paths: whether they are names of files, and whether the files are footfall's own."""

    is_file: Callable[[str], bool]
    is_footfall: Callable[[str], bool]


class LinePlace(NamedTuple):
    """A line of a file; with a `function`, a line of that function's text under a name that is not a file."""

    path: str
    line: int
    function: Function | None = None

    @property
    def name(self) -> str:
        """What distinguishes it from other places with the same path and line; "" for a line of a file."""
        return self.function.qualname if self.function is not None else ""


class LineRow(NamedTuple):
    """A line with its times and the function to show."""

    place: LinePlace
    function: Function
    times: Times


def line_places(profile: Profile, sources: Sources) -> list[LinePlace | None]:
    """Return each frame's place, or None if it has no row in tables by line."""
    is_file: dict[str, bool] = {}
    is_left_out: dict[str, bool] = {}
    found: list[LinePlace | None] = []
    for frame in profile.frames:
        path = frame.function.path
        if path not in is_file:
            is_file[path] = sources.is_file(path)
            is_left_out[path] = not has_source(path) or sources.is_footfall(path)
        function = None if is_file[path] else frame.function
        has_place = frame.line > 0 and not is_left_out[path]
        found.append(LinePlace(path, frame.line, function) if has_place else None)
    return found


def rows_of_lines(
    profile: Profile, sources: Sources, clock: Callable[[Cost], int], sums: TreeSums | None = None
) -> Iterator[LineRow]:
    """Yield the rows of a table by line, in no particular order. `sums` are the profile's, if the caller has them."""
    places = line_places(profile, sources)
    names = _functions_to_name(profile, places, clock, sums)
    for place, times in times_by(profile, sums, places).items():
        yield LineRow(place, names[place], times)


def _functions_to_name(
    profile: Profile, places: list[LinePlace | None], clock: Callable[[Cost], int], sums: TreeSums | None
) -> dict[LinePlace, Function]:
    """Return for each place the function with the most self time there, or with the most cumulative time."""
    functions: dict[LinePlace, set[Function]] = {}
    for frame, place in zip(profile.frames, places, strict=True):
        if place is not None:
            functions.setdefault(place, set()).add(frame.function)
    keys = [
        (place, frame.function) if place is not None and len(functions[place]) > 1 else None
        for frame, place in zip(profile.frames, places, strict=True)
    ]
    times = times_by(profile, sums, keys) if any(keys) else {}
    names: dict[LinePlace, Function] = {}
    for place, found in functions.items():
        _, names[place] = min((_rank(function, times.get((place, function)), clock), function) for function in found)
    return names


def _rank(function: Function, times: Times | None, clock: Callable[[Cost], int]) -> tuple[int, int, int, str]:
    own, total = (clock(times.own), clock(times.total)) if times is not None else (0, 0)
    return -own, -total, function.first_line, function.qualname
