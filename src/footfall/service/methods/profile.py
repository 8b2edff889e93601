"""Methods about time: by line of a file, the hottest lines and functions, and the flame graph.

Each is about the data file's profile, or about the one that `profile` names, in any format that `footfall flame` reads.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from footfall.analyze.profile.calltree import UNKNOWN_PATH, Profile, Times, has_source
from footfall.analyze.profile.clocks import reader
from footfall.config.configuration import canonical_path, shown_path
from footfall.report.coverage.json import Json
from footfall.report.places import is_library
from footfall.report.site.flame_file import flame_file_payload, render_flame_file
from footfall.report.times import (
    cost_entry,
    need_clock,
    need_common_clock,
    need_profile,
    profile_warnings,
    times_entry,
    with_builtin_calls,
)
from footfall.service.line_times import LineTimes
from footfall.service.measured_text import state_of_source, stored_names
from footfall.service.methods.profile_rows import requested_clock
from footfall.service.parameters import Parameters
from footfall.service.profile_part import requested_part
from footfall.service.qualifying import warnings_entry
from footfall.service.unmeasured import not_measured
from footfall.service.workspace import Workspace

__all__ = ["flame", "hottest", "times_of_file"]


def times_of_file(workspace: Workspace, parameters: Parameters) -> Json:
    """`profile/lines`: the time of each line of a file."""
    config = workspace.config()
    path = workspace.source_path(config, parameters.path("path"))
    given = parameters.optional_path("profile")
    profile_file = None if given is None else workspace.profile_path(given)
    times = workspace.times(config, profile_file, requested_part(parameters))
    names = [] if given is not None else stored_names(config, path)
    rows = times.by_path.get(path) or next(
        (rows for known, rows in times.by_path.items() if canonical_path(known) == path), {}
    )
    if not rows and not names and not os.path.isfile(path):
        raise not_measured(config, path)
    return {
        "path": path,
        "name": shown_path(path),
        **state_of_source(config, path, names, workspace.measured_text),
        **_whole(times),
        "lines": {line: {**times_entry(row.times), **times.shares(row.times)} for line, row in sorted(rows.items())},
    }


def hottest(workspace: Workspace, parameters: Parameters) -> Json:
    """`profile/hot`: the lines and functions with the most time of their own."""
    config = workspace.config()
    count = parameters.number("count", 20)
    given = parameters.optional_path("profile")
    part = requested_part(parameters, workspace.optional_source_path(config, parameters.optional_path("path")))
    times = workspace.times(config, None if given is None else workspace.profile_path(given), part)
    read = reader(times.clock)

    def entry(name: str, path: str, line: int, spent: Times) -> Json:
        is_known = path != UNKNOWN_PATH
        return {
            "function": name,
            "path": os.path.abspath(path) if has_source(path) else "",
            "name": shown_path(path) if is_known else "",
            "line": line,
            "is_library": is_library(path) if is_known else None,
            **times_entry(spent),
            **times.shares(spent),
        }

    lines = sorted(
        ((path, line, row) for path, rows in times.by_path.items() for line, row in rows.items()),
        key=lambda each: (-read(each[2].times.own), each[0], each[1]),
    )
    most = count or None  # 0 is all of them
    functions = sorted(times.functions.items(), key=lambda item: (-read(item[1].own), item[0]))
    return {
        **_whole(times),
        "lines": [entry(row.function.qualname, path, line, row.times) for path, line, row in lines[:most]],
        "functions": [
            entry(function.qualname, function.path, function.first_line, spent)
            for function, spent in functions[: count or None]
        ],
    }


def _whole(times: LineTimes) -> Json:
    return {
        "clock": times.clock,
        "samples": times.n_samples,
        "dropped_samples": times.n_dropped,
        "total": cost_entry(times.total),
        "warnings": warnings_entry(times.warnings),
    }


def flame(workspace: Workspace, parameters: Parameters) -> Json:
    """`profile/flame`: the call tree as the viewer draws it, or with `page` the viewer's page."""
    config = workspace.config()
    chosen = requested_clock(parameters)
    given, before_given = parameters.optional_path("profile"), parameters.optional_path("before")
    path = config.data_file if given is None else workspace.profile_path(given)
    part = requested_part(parameters, workspace.optional_source_path(config, parameters.optional_path("path")))
    contexts = config.report_contexts
    profile = need_profile(config, path, contexts, has_timelines=True, has_native=True)
    warnings = profile_warnings(path, profile)
    profile = with_builtin_calls(part.of(profile), only_adapted=True)
    before = None
    title = shown_path(path)
    if before_given is not None:
        before_path = workspace.profile_path(before_given)
        before = need_profile(config, before_path, contexts, has_native=True)
        warnings = [*profile_warnings(before_path, before), *warnings]
        before = with_builtin_calls(part.of(before), only_adapted=True)
        title = f"{shown_path(before_path)} and {title}"
    profiles = [profile] if before is None else [before, profile]
    for each in profiles:
        need_clock(each, chosen)
    need_common_clock(profiles)
    files = _files(profiles)
    if parameters.flag("page"):
        pages = files if parameters.flag("links") else {}
        page = render_flame_file(profile, title=title, before=before, clock=chosen, pages=pages)
        return {"title": title, "page": page, "warnings": warnings_entry(warnings)}
    payload = flame_file_payload(profile, title=title, before=before, clock=chosen, pages=files)
    return {"title": title, "payload": payload, "warnings": warnings_entry(warnings)}


def _files(profiles: Iterable[Profile]) -> dict[str, str]:
    """Return the absolute path of each file of the profiles that is here, by its path in them."""
    paths = {frame.function.path for profile in profiles for frame in profile.frames}
    return {path: os.path.abspath(path) for path in paths if has_source(path) and os.path.isfile(path)}
