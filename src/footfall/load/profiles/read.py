"""Detect the format of a profile from its content, and read it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from footfall.errors import FootfallError
from footfall.load.profiles.opened import OpenedProfile, open_profile

if TYPE_CHECKING:
    from footfall.analyze.profile.calltree import Profile  # half of all import time, needed only by some commands

__all__ = ["is_data_file", "read_profile_file"]

_DATA_FILES: Final = (b"SQLite format 3\0", b"!coverage.py: This is a private format")
_READ: Final = (
    "footfall reads its own data files, collapsed stacks, perf script, Austin (text and MOJO), py-spy, speedscope,"
    " pprof, pstats (cProfile), Chrome trace events, Firefox Profiler, pyinstrument and profiling.sampling (binary)"
)
_STREAMS: Final = ("/dev/fd/", "/dev/stdin", "/proc/self/fd/")
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_JSON: Final = re.compile(rb'\s*(?:\{\s*(?:["}]|\Z)|\[\s*(?:[\]{"\[0-9-]|true|false|null|\Z))')
"""The beginning of an object or an array, which `[unknown];main 5` is not."""


def is_data_file(path: str) -> bool:
    """Return whether to read a path as a data file: it is one, or it can't be read at all.

    Except for regular files, only stdin and the shell's `<(COMMAND)` are profiles; a named pipe would block us.
    """
    if path == "-" or path.startswith(_STREAMS):
        return False
    try:
        if not os.path.isfile(path):
            return True
        with open(path, "rb") as file:
            head = file.read(64)
    except OSError:
        return True  # the data file's reader has the error message for that
    return not head or head.startswith(_DATA_FILES)


def read_profile_file(path: str) -> Profile:
    """Read a profile that another tool wrote; `-` is stdin.

    Raises FootfallError: `profile-unreadable`, `profile-unknown`, `profile-damaged`, `profile-empty`, `profile-packed`,
    `profile-too-large`, `profile-version`, `profile-without-time`.
    """
    with open_profile(path) as opened:
        read = _find_reader(opened)
        if read is None:
            raise FootfallError(
                "profile-unknown",
                f"Can't tell what {'standard input' if path == '-' else path} is: {_READ}.",
                "Some of them are binary until the tool that wrote them exports them: `perf script > FILE`.",
            )
        profile = read(opened)
        if opened.error and profile.origin is not None:
            note = ("profile-damaged", f"{path} was read as far as it goes: {opened.error}.")
            profile.origin = replace(profile.origin, notes=(*profile.origin.notes, note))
        return profile


def _find_reader(opened: OpenedProfile) -> Callable[[OpenedProfile], Profile] | None:
    """Return the function that reads it. Imports only the module of its format."""
    head = opened.head
    from footfall.load.profiles.binary import mojo, pprof, pstats, tachyon

    if head.startswith(mojo.MAGIC):
        return mojo.read_mojo
    if head[:4] in tachyon.MAGICS:
        return lambda content: tachyon.read_tachyon(content.read_whole())
    if pstats.looks_like_pstats(head):
        return lambda content: pstats.read_pstats(content.read_whole())
    if _JSON.match(head.removeprefix(_BYTE_ORDER_MARK)):
        return _read_json
    if pprof.looks_like_pprof(head):
        return lambda content: pprof.read_pprof(content.read_whole())
    from footfall.load.profiles.text import austin, collapsed, perf_script

    if austin.looks_like_austin(head):
        return austin.read_austin
    if perf_script.looks_like_perf_script(head):
        return perf_script.read_perf_script
    return collapsed.read_collapsed if collapsed.looks_collapsed(head) else None


def _read_json(opened: OpenedProfile) -> Profile:
    """Read JSON of any known kind. Raises FootfallError."""
    from footfall.load.profiles.json import chrome_trace, gecko, pyinstrument, speedscope
    from footfall.load.profiles.json.content import parse_json

    text = opened.read_whole().removeprefix(_BYTE_ORDER_MARK)
    try:
        content = parse_json(opened.name, text)
    except FootfallError:
        events = chrome_trace.complete_events(text)
        if events is None:
            raise
        return chrome_trace.read_chrome_trace(events, is_cut=True)
    if speedscope.is_speedscope(content):
        return speedscope.read_speedscope(content)
    if chrome_trace.is_chrome_trace(content):
        return chrome_trace.read_chrome_trace(content)
    if gecko.is_gecko(content):
        return gecko.read_gecko(content)
    if pyinstrument.is_pyinstrument(content):
        return pyinstrument.read_pyinstrument(content)
    what = f"Can't tell what the JSON in {opened.name} is: {_READ}."
    raise FootfallError("profile-unknown", what, "Export it with the tool that wrote it.")
