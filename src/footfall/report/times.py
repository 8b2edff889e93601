"""The profile as the reports show it: own time by file, line and function, hottest first.

The clock is the CPU time of the threads; where the sampler could not read it (PyPy), the time between samples.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path

from footfall.analyze.builtin_calls import mark_builtin_calls
from footfall.analyze.calltree import Cost, Profile, Times, times_of_functions, times_of_lines, tree_sums
from footfall.analyze.clocks import Clock, default_clock, reader
from footfall.analyze.import_frames import fold_imports
from footfall.analyze.profiles import profile_from_rows
from footfall.config import Config
from footfall.errors import FootfallError
from footfall.record.aliases import PathAliases
from footfall.record.profiledb import read_profile
from footfall.report.gather import shown_path
from footfall.report.json import Json
from footfall.report.summary import HotSpot
from footfall.report.summary import Times as SummaryTimes

__all__ = [
    "clock_of",
    "is_library",
    "load_profile",
    "need_profile",
    "profile_summary",
    "sampled_ns",
    "short_path",
    "shown_place",
    "time_share_by_file",
    "times_report",
    "with_builtin_calls",
]

_NS_PER_SECOND = 1_000_000_000


def load_profile(
    config: Config, data_file: str | Path, contexts: Iterable[str] = (), *, has_timelines: bool = False
) -> Profile | None:
    """Read the profile of a data file as it is shown; None without one.

    The paths of other machines are mapped as for coverage, and the import machinery is one frame.

    `contexts` are regular expressions: with some, only time in contexts that one of them finds is in the profile.
    With `has_timelines` the order in time is read too.
    """
    stored = read_profile(data_file, has_timelines=has_timelines)
    if stored is None:
        return None
    map_path: Callable[[str], str] = str
    if config.paths:
        map_path = PathAliases(config.paths.values(), relative=config.relative_files).map
    paths = {row.path: map_path(row.path) for row in stored.frames}
    stored.frames = [row._replace(path=paths[row.path]) for row in stored.frames]
    searches = [re.compile(pattern).search for pattern in contexts]
    if searches:
        stored.costs = [row for row in stored.costs if any(search(row.context) for search in searches)]
        labels = enumerate(stored.timelines.labels)
        stored.timelines.leave_contexts(number for number, label in labels if any(search(label) for search in searches))
    return fold_imports(profile_from_rows(stored), os.path.isfile)


def need_profile(
    config: Config, data_file: str | Path, contexts: Iterable[str] = (), *, has_timelines: bool = False
) -> Profile:
    """As `load_profile`, but raise FootfallError (`no-profile`) where there is none."""
    profile = load_profile(config, data_file, contexts, has_timelines=has_timelines)
    if profile is None:
        raise FootfallError(
            "no-profile",
            f"There is no profile in {data_file}.",
            "Record one with `footfall run COMMAND`, without --no-profile.",
        )
    return profile


def with_builtin_calls(profile: Profile, *, only_adapted: bool = False) -> Profile:
    """Tell built-in functions from their callers, by name as far as the sources are here. As `mark_builtin_calls`."""

    def read_source(path: str) -> bytes | None:
        try:
            return Path(path).read_bytes() if path.endswith(".py") else None
        except (OSError, ValueError):  # ValueError: a null byte in the name
            return None

    return mark_builtin_calls(profile, read_source, only_adapted=only_adapted)


def clock_of(profile: Profile) -> Callable[[Cost], int]:
    """Return what reads the time, in nanoseconds, that shares are taken of."""
    return reader(default_clock(profile))


def sampled_ns(profile: Profile, clock: Callable[[Cost], int]) -> int:
    """Return the time of all samples that had Python code running."""
    return sum(clock(cost) for (node, _, _), cost in profile.costs.items() if node)


def time_share_by_file(profile: Profile, chosen: Clock | None = None) -> dict[str, float]:
    """Return each file's own time in per cent of all, by absolute path; by the usual clock where none is chosen."""
    clock = clock_of(profile) if chosen is None else reader(chosen)
    total = sampled_ns(profile, clock) or 1
    shares: dict[str, float] = {}
    for (path, _line), times in times_of_lines(profile).items():
        path = os.path.abspath(path)
        shares[path] = shares.get(path, 0.0) + 100 * clock(times.own) / total
    return shares


def profile_summary(profile: Profile, count: int) -> SummaryTimes:
    """Return the `count` hottest lines and functions, and how well the profile is founded."""
    clock = clock_of(profile)
    total = sampled_ns(profile, clock)
    sums = tree_sums(profile)
    functions = times_of_functions(profile, sums)
    lines = times_of_lines(profile, sums)
    names = _function_names(profile)
    return SummaryTimes(
        sampled_ns=total,
        n_samples=profile.n_samples,
        n_dropped=profile.n_dropped,
        n_processes=profile.n_processes,
        interval_ns=profile.interval_ns,
        hot_lines=_hottest(
            [(place, names.get(place, ""), times) for place, times in lines.items()], clock, total, count
        ),
        hot_functions=_hottest(
            [((function.path, function.first_line), function.qualname, times) for function, times in functions.items()],
            clock,
            total,
            count,
        ),
    )


def _function_names(profile: Profile) -> dict[tuple[str, int], str]:
    """Return for each line the function that was seen on it."""
    return {(frame.function.path, frame.line): frame.function.qualname for frame in profile.frames}


_LIBRARY = re.compile(r".*/(?:site|dist)-packages/|.*/lib/(?:python|pypy)\d+\.\d+t?/")


def is_library(path: str) -> bool:
    """Tell whether a path is of an installed package or the standard library, or no file at all (frozen, eval)."""
    return path.startswith("<") or _LIBRARY.match(path) is not None


def short_path(path: str) -> str:
    """Return a path for a narrow column: from the project, or from the library's directory, on."""
    shown = shown_path(path)
    return shown if shown != path else _LIBRARY.sub("", path)


def shown_place(path: str, line: int) -> str:
    """Return a line for a narrow column; "" for what is no file and has none (`<gc>`, `<import>`)."""
    return f"{short_path(path)}:{line}" if line else ""


def _hottest(
    rows: list[tuple[tuple[str, int], str, Times]], clock: Callable[[Cost], int], total: int, count: int
) -> list[HotSpot]:
    ranked = sorted(rows, key=lambda row: (-clock(row[2].own), row[0]))
    return [
        HotSpot(name, shown_place(path, line), clock(times.own), 100 * clock(times.own) / (total or 1))
        for (path, line), name, times in ranked[:count]
        if clock(times.own) > 0
    ]


def times_report(profile: Profile) -> Json:
    """Return the times for the JSON report, in seconds: totals, and own and whole times by file, line and function."""
    total = profile.total()
    files: dict[str, dict[str, dict[str, Json]]] = {}
    for (path, line), times in sorted(times_of_lines(profile).items()):
        lines = files.setdefault(shown_path(path), {"lines": {}, "functions": {}})["lines"]
        lines[str(line)] = _times(times)
    for function, times in sorted(times_of_functions(profile).items()):
        entry = files.setdefault(shown_path(function.path), {"lines": {}, "functions": {}})
        name = function.qualname
        if name in entry["functions"]:
            name += f"@{function.first_line}"
        entry["functions"][name] = {"start_line": function.first_line, **_times(times)}
    return {
        "times": {
            "interval_seconds": profile.interval_ns / _NS_PER_SECOND,
            "processes": profile.n_processes,
            "samples": profile.n_samples,
            "dropped_samples": profile.n_dropped,
            "total": _cost(total),
            "files": files,
        }
    }


def _times(times: Times) -> Json:
    return {"own": _cost(times.own), "total": _cost(times.total)}


def _cost(cost: Cost) -> Json:
    return {
        "wall_seconds": cost.wall_ns / _NS_PER_SECOND,
        "cpu_seconds": cost.cpu_ns / _NS_PER_SECOND,
        "gil_seconds": cost.gil_ns / _NS_PER_SECOND,
        "samples": cost.samples,
    }
