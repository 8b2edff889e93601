"""Methods about time in rows: by test, thread, function and so on, and what changed from one profile to another."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Final

from footfall.analyze.profile.calltree import Profile, has_source
from footfall.analyze.profile.clocks import Clock
from footfall.analyze.profile.time_views import VIEWS
from footfall.config.configuration import Config
from footfall.record.data.test_times import read_test_times
from footfall.report.coverage.difference import change_report, time_difference_report, undecided_text
from footfall.report.coverage.json import Json
from footfall.report.places import short_path
from footfall.report.profile.time_difference import compare_times, need_errors
from footfall.report.profile.timetable import TimeTableOptions, times_by_rows
from footfall.report.times import need_clock, need_profile, profile_warnings
from footfall.service.parameters import Parameters
from footfall.service.profile_part import WHOLE, ProfilePart, requested_part
from footfall.service.qualifying import warnings_entry
from footfall.service.workspace import Workspace

__all__ = ["difference", "requested_clock", "rows"]


_COMPARED: Final = (Clock.CPU, Clock.WALL, Clock.GIL)


def requested_clock(parameters: Parameters, clocks: Iterable[Clock] = Clock) -> Clock | None:
    """Return the clock that `clock` names, None without one. Raises RpcError."""
    name = parameters.choice("clock", [each.value for each in clocks])
    return Clock(name) if name else None


def rows(workspace: Workspace, parameters: Parameters) -> Json:
    """`profile/by`: the time by test, phase, function, file, line, thread or process, of all or of a part."""
    config = workspace.config()
    by = parameters.choice("by", VIEWS) or "function"
    count, clock = parameters.number("count", 20), requested_clock(parameters)
    part = requested_part(parameters, workspace.optional_source_path(config, parameters.optional_path("path")))
    given = parameters.optional_path("profile")
    path = workspace.data_path(config) if given is None else workspace.profile_path(given)
    profile = need_profile(config, path, config.report_contexts)
    need_clock(profile, clock)
    is_whole = part == WHOLE
    has_test_times = by == "test" and is_whole and profile.origin is None
    test_times = read_test_times(path, config.report_contexts) if has_test_times else {}
    whole, found = times_by_rows(part.of(profile), TimeTableOptions(by, clock), test_times)
    for row in found[: count or None]:
        place = row["name"] if by == "file" else row.get("file")
        if isinstance(place, str):
            row["path"] = _absolute(place)
    return {**whole, "rows": found[: count or None], "n_rows": len(found), "warnings": _warnings(path, profile)}


def difference(workspace: Workspace, parameters: Parameters) -> Json:
    """`profile/difference`: the functions that take more or less time than in another profile, beyond chance."""
    config = workspace.config()
    count, clock = parameters.number("count", 20), requested_clock(parameters, _COMPARED)
    part = requested_part(parameters)
    given = parameters.optional_path("profile")
    paths = (
        workspace.profile_path(parameters.path("before")),
        workspace.data_path(config) if given is None else workspace.profile_path(given),
    )
    before, now = (_comparable(config, path, part) for path in paths)
    changes = compare_times([before], [now], clock)
    here = {short_path(frame.function.path): frame.function.path for each in (before, now) for frame in each.frames}
    listed = {
        name: [{**change_report(each), "path": _absolute(here.get(each.file, ""))} for each in of_kind[: count or None]]
        for name, of_kind in (("slower", changes.slower), ("faster", changes.faster), ("undecided", changes.undecided))
    }
    warnings = [*_warnings(paths[0], before), *_warnings(paths[1], now)]
    if not changes.is_decided:
        warnings += warnings_entry([("noise-unknown", undecided_text(changes))])
    unique = [each for at, each in enumerate(warnings) if each not in warnings[:at]]
    n_changes = {f"n_{name}": len(getattr(changes, name)) for name in listed}
    return {**time_difference_report(changes), **listed, **n_changes, "warnings": unique}


def _absolute(path: str) -> str:
    """Return where a file is, "" for code without source."""
    return os.path.abspath(path) if path and has_source(path) else ""


def _comparable(config: Config, path: str, part: ProfilePart) -> Profile:
    profile = need_profile(config, path, config.report_contexts)
    if profile.origin is not None:
        need_errors(path, profile.origin)
    return part.of(profile)


def _warnings(path: str, profile: Profile) -> list[Json]:
    return warnings_entry(profile_warnings(path, profile))
