"""MOJO, Austin's binary format, version 3, for its tools: austin-tui, its extension for VS Code, austin2speedscope.

https://github.com/P403n1x87/austin/wiki/The-MOJO-file-format. A sample is a thread's stack and the microseconds since
the thread's previous sample, in wall or CPU time as the metadata say. A span of time without a change becomes as many
samples as it represents. Pure: a profile in, bytes out.
"""

from __future__ import annotations

from collections.abc import Iterator

from footfall.analyze.profile.calltree import Frame, Profile, has_source
from footfall.analyze.profile.clocks import Clock, reader
from footfall.analyze.profile.stacks import frames_above

__all__ = ["render_mojo"]

_VERSION = 3
_METADATA, _STACK, _FRAME, _FRAME_REF = 1, 2, 3, 5
_METRIC_TIME, _STRING = 9, 11
_FIRST_STRING = 2  # 0 is the empty string, 1 means unknown
_NS_PER_US = 1000
_AUSTIN = "4.0.0"
"""A version of Austin that writes such files; Austin's tools require one."""


def render_mojo(profile: Profile, clock: Clock = Clock.WALL) -> Iterator[bytes]:
    """Yield the file's bytes in parts; `clock` is wall or CPU time."""
    yield b"MOJ" + _number(_VERSION)
    interval_us = profile.interval_ns // _NS_PER_US or 1
    for name, value in (("austin", _AUSTIN), ("interval", str(interval_us)), ("mode", clock.value)):
        yield bytes((_METADATA,)) + _text(name) + _text(value)
    tables: dict[int, _Tables] = {}
    left_ns: dict[int, int] = {}  # by thread: of a microsecond that is not full; its next sample has it
    for node, thread, samples, own_ns in _samples(profile, clock):
        pid, native_id, _ = profile.threads[thread]
        # each process has its own numbers of strings and frames
        table = tables.setdefault(pid, _Tables(profile))
        head = bytes((_STACK,)) + _number(pid) + _number(0) + _text(f"{native_id:x}")
        stack = b"".join(map(table.reference, reversed(frames_above(profile, node))))
        defined = table.take_new()
        spent_ns = own_ns + left_ns.get(thread, 0)
        left_ns[thread] = spent_ns % _NS_PER_US
        for index in range(samples):
            part = spent_ns * (index + 1) // samples // _NS_PER_US - spent_ns * index // samples // _NS_PER_US
            yield head + defined + stack + bytes((_METRIC_TIME,)) + _number(part)
            defined = b""


def _samples(profile: Profile, clock: Clock) -> Iterator[tuple[int, int, int, int]]:
    """Yield node, thread, number of samples and nanoseconds; in time order if that is known."""
    read = reader(clock)
    if profile.timelines.threads:
        for number, timeline in profile.timelines.threads.items():
            for span in timeline:
                spent_ns = span.wall_ns if clock is Clock.WALL else span.cpu_ns
                if span.node and spent_ns:
                    yield span.node, number, max(span.samples, 1), spent_ns
        return
    for (node, number, _), cost in profile.costs.items():
        if node and read(cost):
            yield node, number, max(cost.samples, 1), read(cost)


class _Tables:
    """The strings and frames of one process that have been written so far."""

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._strings: dict[str, int] = {"": 0}
        self._frames: dict[int, int] = {}
        self._new = bytearray()

    def take_new(self) -> bytes:
        """Return the events that define what was first referred to since the last call."""
        found = bytes(self._new)
        self._new.clear()
        return found

    def reference(self, number: int) -> bytes:
        """Return the event for a frame in a stack; a new frame is defined first."""
        key = self._frames.get(number)
        if key is None:
            key = self._frames[number] = len(self._frames)
            self._define(key, self._profile.frames[number])
        return bytes((_FRAME_REF,)) + _number(key)

    def _define(self, key: int, frame: Frame) -> None:
        path = frame.function.path if has_source(frame.function.path) else ""
        strings = self._string(path), self._string(frame.function.qualname)
        column, end_column = (0 if each is None else each + 1 for each in (frame.column, frame.end_column))
        numbers = (key, *strings, frame.line, frame.end_line, column, end_column)
        self._new += bytes((_FRAME,)) + b"".join(map(_number, numbers))

    def _string(self, text: str) -> int:
        number = self._strings.get(text)
        if number is None:
            number = self._strings[text] = len(self._strings) - 1 + _FIRST_STRING
            self._new += bytes((_STRING,)) + _number(number) + _text(text)
        return number


def _number(value: int) -> bytes:
    """Return a non-negative number as bytes: 6 bits in the first byte, 7 in each following one."""
    out = bytearray([value & 0x3F])
    value >>= 6
    while value:
        out[-1] |= 0x80
        out.append(value & 0x7F)
        value >>= 7
    return bytes(out)


def _text(text: str) -> bytes:
    return text.replace("\0", "").encode("utf-8", "replace") + b"\0"
