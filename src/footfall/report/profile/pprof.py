"""pprof's format: a gzipped protocol buffer, `perftools.profiles.Profile`, for `go tool pprof`, speedscope, Pyroscope.

https://github.com/google/pprof/blob/main/proto/profile.proto. The message is written by hand: it needs only three kinds
of field, and the protobuf package, installed beside a measured program, would pin that program's version of it.
Pure: a profile in, bytes out.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator

from footfall.analyze.profile.calltree import Profile, has_source
from footfall.analyze.profile.clocks import Clock, known_clocks, reader
from footfall.analyze.profile.stacks import frames_above

__all__ = ["render_pprof"]

_CLOCKS = (Clock.SAMPLES, Clock.CPU, Clock.WALL, Clock.GIL)
_GZIP = 31  # zlib's wbits for a gzip header and the largest window


def render_pprof(profile: Profile) -> Iterator[bytes]:
    """Yield the file's bytes: every clock as a value of each sample, thread and context (test) as its labels."""
    packer = zlib.compressobj(6, wbits=_GZIP)
    for message in _messages(profile):
        if packed := packer.compress(message):
            yield packed
    yield packer.flush()


def _messages(profile: Profile) -> Iterator[bytes]:
    """Yield the fields of the message; fields with the same number need not be adjacent."""
    strings = _Strings()
    clocks = (*_CLOCKS, Clock.GIL_WAIT) if Clock.GIL_WAIT in known_clocks(profile) else _CLOCKS
    for clock in clocks:
        unit = "count" if clock is Clock.SAMPLES else "nanoseconds"
        yield _message(1, _number(1, strings.number(clock.value)) + _number(2, strings.number(unit)))
    readers = [reader(clock) for clock in clocks]
    locations = [_varint(number) for number in range(1, len(profile.frames) + 1)]
    for (node_id, thread_id, context), cost in profile.costs.items():
        thread = profile.threads[thread_id]
        sample = _message(1, b"".join([locations[frame] for frame in frames_above(profile, node_id)]))
        sample += _packed(2, [read(cost) for read in readers])
        sample += _label(strings, "thread", text=thread.name or "thread")
        sample += _label(strings, "thread_id", number=thread.native_id)
        sample += _label(strings, "pid", number=thread.pid)
        if context:
            sample += _label(strings, "context", text=context)
        yield _message(2, sample)
    functions: dict[tuple[str, str, int], int] = {}
    for number, frame in enumerate(profile.frames, 1):
        function = functions.setdefault(frame.function, len(functions) + 1)
        line = _number(1, function) + _number(2, frame.line)
        if frame.column is not None:
            line += _number(3, frame.column + 1)
        yield _message(4, _number(1, number) + _message(4, line))
    for (path, qualname, first_line), number in functions.items():
        name = strings.number(qualname)
        described = _number(1, number) + _number(2, name) + _number(3, name)
        file = strings.number(path if has_source(path) else "")
        yield _message(5, described + _number(4, file) + _number(5, first_line))
    period = _number(1, strings.number("wall")) + _number(2, strings.number("nanoseconds"))
    default = strings.number("cpu" if any(cost.cpu_ns for cost in profile.costs.values()) else "wall")
    for text in strings.all():
        yield _message(6, text)
    yield _message(11, period) + _number(12, profile.interval_ns) + _number(14, default)


class _Strings:
    """The string table; the empty string is number 0."""

    def __init__(self) -> None:
        self._numbers = {"": 0}

    def number(self, text: str) -> int:
        return self._numbers.setdefault(text, len(self._numbers))

    def all(self) -> Iterable[bytes]:
        return (text.encode("utf-8", "replace") for text in self._numbers)


# The wire format: https://protobuf.dev/programming-guides/encoding


def _varint(value: int) -> bytes:
    value &= (1 << 64) - 1  # int64 in two's complement
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _message(field: int, content: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(content)) + content


def _packed(field: int, values: Iterable[int]) -> bytes:
    return _message(field, b"".join(map(_varint, values)))


def _label(strings: _Strings, key: str, *, text: str = "", number: int = 0) -> bytes:
    value = _number(2, strings.number(text)) if text else _number(3, number)
    return _message(3, _number(1, strings.number(key)) + value)
