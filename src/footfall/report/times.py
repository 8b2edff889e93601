"""The profile as the reports show it: self time by file, line and function, hottest first.

The clock is the CPU time of the threads, or wall time if no sample has any (PyPy, or a process that waited).
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from footfall.analyze.profile.builtin_calls import mark_builtin_calls
from footfall.analyze.profile.calltree import (
    Cost,
    Function,
    Profile,
    Times,
    has_source,
    times_by,
    times_of_files,
    times_of_functions,
    times_of_threads,
    tree_sums,
)
from footfall.analyze.profile.changes.time_changes import FunctionTime, FunctionTimes
from footfall.analyze.profile.clocks import (
    CLOCK_WORDS,
    Clock,
    default_clock,
    known_clocks,
    reader,
    sampled_ns,
    sum_of_squares,
)
from footfall.analyze.profile.import_frames import fold_imports
from footfall.analyze.profile.line_places import Sources, line_places
from footfall.analyze.profile.native_frames import fold_native_frames
from footfall.analyze.profile.rows import profile_from_rows
from footfall.analyze.source.source_file import read_source_file
from footfall.config.configuration import Config, shown_path, system_path
from footfall.errors import FootfallError
from footfall.load.profiles.read import is_data_file, read_profile_file
from footfall.record.data.aliases import PathAliases
from footfall.record.data.coverage_tables import context_filter
from footfall.record.data.profile_tables import read_profile
from footfall.record.data.qualifications import Message, read_qualifications
from footfall.report.coverage.json import Json
from footfall.report.places import is_footfall, names_file, short_path

__all__ = [
    "clock_of",
    "clock_of_stacks",
    "cost_entry",
    "function_times",
    "load_profile",
    "named_as_coverage",
    "need_clock",
    "need_common_clock",
    "need_profile",
    "profile_warnings",
    "time_share_by_file",
    "times_entry",
    "times_report",
    "with_builtin_calls",
]

_NS_PER_SECOND = 1_000_000_000
_NS_PER_US: Final = 1000


def load_profile(
    config: Config,
    data_file: str | Path,
    contexts: Iterable[str] = (),
    *,
    has_timelines: bool = False,
    has_native: bool = False,
    by_thread: bool = True,
) -> Profile | None:
    """Read the profile of a data file as it is shown; None without one.

    The paths of other machines are mapped as for coverage, and the import machinery becomes one frame.

    `contexts` are regular expressions: if given, the profile has only the time in contexts that match one of them.
    With `has_timelines` the order in time is read too, with `has_native` C functions have their own frames. Without
    `by_thread` the costs of all threads are those of thread 0, which is quicker where many runs were combined. A file
    that is no data file is read as another tool's profile.
    """
    if not is_data_file(str(data_file)):
        return _load_foreign(config, str(data_file), contexts)
    stored = read_profile(data_file, has_timelines=has_timelines, by_thread=by_thread)
    if stored is None:
        return None
    map_path: Callable[[str], str] = str
    if config.paths:
        map_path = PathAliases(config.paths.values(), relative=config.relative_files).map
    paths = {row.path: map_path(system_path(row.path)) for row in stored.frames}
    stored.frames = [row._replace(path=paths[row.path]) for row in stored.frames]
    patterns = list(contexts)
    if patterns:
        is_wanted = context_filter(patterns)
        stored.costs = [row for row in stored.costs if is_wanted(row.context)]
        labels = enumerate(stored.timelines.labels)
        stored.timelines.leave_contexts(number for number, label in labels if is_wanted(label))
    profile = profile_from_rows(stored)
    return fold_imports(profile if has_native else fold_native_frames(profile), os.path.isfile)


def _load_foreign(config: Config, path: str, contexts: Iterable[str]) -> Profile:
    """Read another tool's profile, mapping paths and selecting contexts as for a data file."""
    profile = read_profile_file(path)
    if config.paths:
        map_path = PathAliases(config.paths.values(), relative=config.relative_files).map
        profile.frames = [
            frame._replace(function=frame.function._replace(path=map_path(system_path(frame.function.path))))
            if has_source(frame.function.path)
            else frame
            for frame in profile.frames
        ]
    patterns = list(contexts)
    if patterns:
        is_wanted = context_filter(patterns)
        profile.costs = {key: cost for key, cost in profile.costs.items() if is_wanted(key[2])}
        labels = enumerate(profile.timelines.labels)
        profile.timelines.leave_contexts(number for number, label in labels if is_wanted(label))
    return fold_imports(profile, os.path.isfile)


def named_as_coverage(profile: Profile, paths: Iterable[str]) -> Profile:
    """Return the profile with files named as in coverage, which has `paths`: relative ones with `relative_files`.

    Another tool's profile may have relative ones where coverage has absolute ones; they are of the current directory.
    """
    here = {os.path.abspath(path): path for path in paths}
    names: dict[str, str] = {}
    for path in {frame.function.path for frame in profile.frames}:
        name = here.get(os.path.abspath(path), path)
        if name != path:
            names[path] = name
    if not names:
        return profile
    frames = [
        frame._replace(function=frame.function._replace(path=names.get(frame.function.path, frame.function.path)))
        for frame in profile.frames
    ]
    return replace(profile, frames=frames)


def need_profile(
    config: Config,
    data_file: str | Path,
    contexts: Iterable[str] = (),
    *,
    has_timelines: bool = False,
    has_native: bool = False,
) -> Profile:
    """Like `load_profile`, but raise FootfallError (`no-profile`) if there is none."""
    profile = load_profile(config, data_file, contexts, has_timelines=has_timelines, has_native=has_native)
    if profile is None:
        raise FootfallError(
            "no-profile",
            f"There is no profile in {data_file}.",
            "Record one with `footfall run COMMAND`, without --no-profile.",
        )
    return profile


def profile_warnings(data_file: str | Path, profile: Profile) -> list[Message]:
    """Return what qualifies the profile of a file, of footfall or of another tool. Raises as `open_data_file`."""
    if profile.origin is not None:
        return list(profile.origin.notes)
    return read_qualifications(data_file, profile=True)


def need_clock(profile: Profile, chosen: Clock | None) -> None:
    """Raise FootfallError (`clock-unknown`) if the profile does not have the chosen clock."""
    known = known_clocks(profile)
    if chosen is None or chosen in known:
        return
    if profile.origin is not None:
        words = " and ".join(CLOCK_WORDS[clock] for clock in Clock if clock in known)
        text = f"The profile has no {CLOCK_WORDS[chosen]}: this file ({profile.origin.format}) has {words} alone."
        raise FootfallError("clock-unknown", text, "Leave --clock out.")
    if Clock.WALL in known and Clock.GIL not in known:
        raise FootfallError(
            "clock-unknown",
            f"The profile has no {CLOCK_WORDS[chosen]}: no sample could tell which thread held it.",
            "Leave --clock out; docs/sampler.md says where it is known.",
        )
    if chosen is Clock.GIL_WAIT and Clock.GIL in known:
        raise FootfallError(
            "clock-unknown",
            f"The profile has no {CLOCK_WORDS[chosen]}: no sample could tell which threads wait.",
            "Leave --clock out; docs/sampler.md says where it is known.",
        )
    raise FootfallError(
        "clock-unknown",
        f"The profile has no {CLOCK_WORDS[chosen]}: PyPy's sampler records CPU time alone.",
        "Leave --clock out, or record it under CPython.",
    )


def need_common_clock(profiles: Iterable[Profile]) -> None:
    """Raise FootfallError (`clock-unknown`) if profiles to compare have no clock in common."""
    if not frozenset.intersection(*map(known_clocks, profiles)):
        text = "The two profiles have no clock in common: they can't be compared."
        raise FootfallError("clock-unknown", text, "Record both with one tool.")


def with_builtin_calls(profile: Profile, *, only_adapted: bool = False) -> Profile:
    """Separate built-in functions from their callers, by name if the sources are here. See `mark_builtin_calls`.

    Other tools' profiles stay as they are: they have no columns, and do not say which text their lines refer to.
    """
    if profile.origin is not None:
        return profile

    def read_source(path: str) -> bytes | None:
        try:
            return read_source_file(path) if path.endswith(".py") else None
        except OSError:
            return None

    return mark_builtin_calls(profile, read_source, only_adapted=only_adapted)


def clock_of(profile: Profile) -> Callable[[Cost], int]:
    """Return a function that reads the time of a cost, in nanoseconds, by the clock used for shares."""
    return reader(default_clock(profile))


def clock_of_stacks(profile: Profile, chosen: Clock | None) -> Clock:
    """Return what collapsed stacks count: the chosen clock, else samples, or the first clock if there are none."""
    if chosen is None and Clock.SAMPLES not in known_clocks(profile):
        return default_clock(profile)
    return chosen or Clock.SAMPLES


def function_times(
    profile: Profile,
    times_by_function: Mapping[Function, Times],
    clock: Callable[[Cost], int],
    pages: Mapping[str, str],
) -> FunctionTimes:
    """Return self times to compare with another profile's; `pages` (by path) are the site's."""
    n_samples = sum(times.own.samples for times in times_by_function.values())
    spent_ns = sum(clock(times.own) for times in times_by_function.values())
    # a profile without samples was measured, to the microsecond
    sample_us = spent_ns / _NS_PER_US / n_samples if n_samples else float(spent_ns > 0)
    if spent_ns:  # the time that equal samples with the same error would represent: late samples represent more
        sample_us = max(sample_us, sum_of_squares(profile, clock) / spent_ns / _NS_PER_US)
    found = FunctionTimes(sample_us=sample_us)
    for function, times in times_by_function.items():
        if not is_footfall(function.path):
            key = (function.qualname, short_path(function.path))
            own_us = clock(times.own) // _NS_PER_US
            error_us = _error_us(own_us, times.own.samples, sample_us)
            row = FunctionTime(function.first_line, own_us, error_us, pages.get(function.path, ""))
            found.functions.setdefault(key, []).append(row)
    return found


def _error_us(own_us: int, n_samples: int, sample_us: float) -> float:
    """Return the standard error of a sampled time, by the size of samples overall, or of its own if they are fewer."""
    return math.sqrt(max(own_us * sample_us, own_us**2 / n_samples if n_samples else 0.0))


def time_share_by_file(profile: Profile, paths: Iterable[str], chosen: Clock | None = None) -> dict[str, float]:
    """Return the self time of each of `paths` in per cent of all time; by the usual clock if none is chosen.

    A path may be relative to the current directory, as paths of coverage are with `relative_files`.
    """
    clock = clock_of(profile) if chosen is None else reader(chosen)
    total = sampled_ns(profile, clock) or 1
    shares: dict[str, float] = {}
    for path, times in times_of_files(profile).items():
        path = os.path.abspath(path)
        shares[path] = shares.get(path, 0.0) + 100 * clock(times.own) / total
    return {path: shares.get(os.path.abspath(path), 0.0) for path in paths}


def times_report(profile: Profile) -> Json:
    """Return the times for the JSON report, in seconds: totals, and self and cumulative times by file, line, function.

    Under a name that is not a file, lines are listed per function, as several texts may share the name. Code without
    source is not among the files.
    """
    files: dict[str, dict[str, dict[str, Json]]] = {}

    def file(path: str) -> dict[str, dict[str, Json]]:
        return files.setdefault(shown_path(path), {"lines": {}, "functions": {}})

    without_source: dict[str, Json] = {}
    lines_of: dict[Function, dict[str, Json]] = {}
    sums = tree_sums(profile)
    places = line_places(profile, Sources(names_file, lambda _: False))
    for place, times in sorted(times_by(profile, sums, places).items()):
        own_lines = lines_of.setdefault(place.function, {}) if place.function else file(place.path)["lines"]
        own_lines[str(place.line)] = times_entry(times)
    for function, times in sorted(times_of_functions(profile, sums).items()):
        if not has_source(function.path):
            without_source[function.qualname] = times_entry(times)
            continue
        functions = file(function.path)["functions"]
        name = function.qualname
        if name in functions:
            name += f"@{function.first_line}"
        functions[name] = {"start_line": function.first_line, **times_entry(times)}
        if function in lines_of:
            functions[name]["lines"] = lines_of[function]
    return {
        "times": {
            "interval_seconds": profile.interval_ns / _NS_PER_SECOND,
            "processes": profile.n_processes,
            "samples": profile.n_samples,
            "dropped_samples": profile.n_dropped,
            "total": cost_entry(profile.total()),
            "threads": [
                {"process": thread.pid, "native_id": thread.native_id, "name": thread.name, **cost_entry(cost)}
                for thread, cost in zip(profile.threads, times_of_threads(profile), strict=True)
            ],
            "files": files,
            "without_source": without_source,
        }
    }


def times_entry(times: Times) -> Json:
    """Return own and cumulative time by each clock, in seconds, with the numbers of samples."""
    return {"own": cost_entry(times.own), "total": cost_entry(times.total)}


def cost_entry(cost: Cost) -> Json:
    """Return a cost by each clock, in seconds, with its number of samples."""
    return {
        "wall_seconds": cost.wall_ns / _NS_PER_SECOND,
        "cpu_seconds": cost.cpu_ns / _NS_PER_SECOND,
        "gil_seconds": cost.gil_ns / _NS_PER_SECOND,
        "gil_wait_seconds": cost.gil_wait_ns / _NS_PER_SECOND,
        "gil_untold_seconds": cost.gil_untold_ns / _NS_PER_SECOND,
        "samples": cost.samples,
    }
