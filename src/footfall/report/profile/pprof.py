"""pprof's format: a gzipped protocol buffer, `perftools.profiles.Profile`, for `go tool pprof`, speedscope, Pyroscope.

https://github.com/google/pprof/blob/main/proto/profile.proto. Pure: a profile in, bytes out.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from footfall.analyze.profile.calltree import Profile, has_source
from footfall.analyze.profile.clocks import Clock, known_clocks, reader
from footfall.analyze.profile.stacks import frames_above
from footfall.report.profile.protobuf import message_field, number_field, numbers_field, varint

__all__ = ["PprofStyle", "clocks_of_samples", "pprof_fields", "render_pprof"]

_CLOCKS = (Clock.SAMPLES, Clock.CPU, Clock.WALL, Clock.GIL)
_GZIP = 31  # zlib's wbits for a gzip header and the largest window


class PprofStyle(NamedTuple):
    """What receivers want otherwise than viewers."""

    start_ns: int = 0
    """When the recording began, in nanoseconds since 1970; 0: the file does not say."""
    duration_ns: int = 0
    has_plain_names: bool = False
    """Whether `-` in the names of values is written as `_`."""


_OF_FILES = PprofStyle()


def render_pprof(profile: Profile) -> Iterator[bytes]:
    """Yield the file's bytes: every clock as a value of each sample, thread and context (test) as its labels."""
    packer = zlib.compressobj(6, wbits=_GZIP)
    for field in pprof_fields(profile):
        if packed := packer.compress(field):
            yield packed
    yield packer.flush()


def clocks_of_samples(profile: Profile) -> tuple[Clock, ...]:
    """Return what the values of each sample are, in their order."""
    return (*_CLOCKS, Clock.GIL_WAIT) if Clock.GIL_WAIT in known_clocks(profile) else _CLOCKS


def pprof_fields(profile: Profile, style: PprofStyle = _OF_FILES) -> Iterator[bytes]:
    """Yield the fields of the message, not compressed; fields with the same number need not be adjacent."""
    strings = _Strings()
    clocks = clocks_of_samples(profile)
    for clock in clocks:
        kind = clock.value.replace("-", "_") if style.has_plain_names else clock.value
        unit = "count" if clock is Clock.SAMPLES else "nanoseconds"
        yield message_field(1, number_field(1, strings.number(kind)) + number_field(2, strings.number(unit)))
    readers = [reader(clock) for clock in clocks]
    locations = [varint(number) for number in range(1, len(profile.frames) + 1)]
    for (node_id, thread_id, context), cost in profile.costs.items():
        thread = profile.threads[thread_id]
        sample = message_field(1, b"".join([locations[frame] for frame in frames_above(profile, node_id)]))
        sample += numbers_field(2, [read(cost) for read in readers])
        sample += _label(strings, "thread", text=thread.name or "thread")
        sample += _label(strings, "thread_id", number=thread.native_id)
        sample += _label(strings, "pid", number=thread.pid)
        if context:
            sample += _label(strings, "context", text=context)
        yield message_field(2, sample)
    functions: dict[tuple[str, str, int], int] = {}
    for number, frame in enumerate(profile.frames, 1):
        function = functions.setdefault(frame.function, len(functions) + 1)
        line = number_field(1, function) + number_field(2, frame.line)
        if frame.column is not None:
            line += number_field(3, frame.column + 1)
        yield message_field(4, number_field(1, number) + message_field(4, line))
    for (path, qualname, first_line), number in functions.items():
        name = strings.number(qualname)
        described = number_field(1, number) + number_field(2, name) + number_field(3, name)
        file = strings.number(path if has_source(path) else "")
        yield message_field(5, described + number_field(4, file) + number_field(5, first_line))
    period = number_field(1, strings.number("wall")) + number_field(2, strings.number("nanoseconds"))
    default = strings.number("cpu" if any(cost.cpu_ns for cost in profile.costs.values()) else "wall")
    for text in strings.all():
        yield message_field(6, text)
    if style.start_ns:
        yield number_field(9, style.start_ns) + number_field(10, style.duration_ns)
    yield message_field(11, period) + number_field(12, profile.interval_ns) + number_field(14, default)


class _Strings:
    """The string table; the empty string is number 0."""

    def __init__(self) -> None:
        self._numbers = {"": 0}

    def number(self, text: str) -> int:
        return self._numbers.setdefault(text, len(self._numbers))

    def all(self) -> Iterable[bytes]:
        return (text.encode("utf-8", "replace") for text in self._numbers)


def _label(strings: _Strings, key: str, *, text: str = "", number: int = 0) -> bytes:
    value = number_field(2, strings.number(text)) if text else number_field(3, number)
    return message_field(3, number_field(1, strings.number(key)) + value)
