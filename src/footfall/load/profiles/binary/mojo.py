"""MOJO, Austin's binary format: a stream of events, each a byte and its fields.

https://github.com/P403n1x87/austin/wiki/The-MOJO-file-format. Versions 1 to 4: version 2 added where a frame ends and
its columns, 3 the interpreter of a thread, 4 repeated stacks. A sample's stack is complete when the next one begins.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, Final

from footfall.analyze.profile.calltree import Profile
from footfall.errors import FootfallError
from footfall.formats import COLLECTOR_PATH
from footfall.load.profiles.opened import OpenedProfile
from footfall.load.profiles.text.austin import INVALID_FRAME, AustinSamples

__all__ = ["MAGIC", "read_mojo"]

MAGIC: Final = b"MOJ"
_FORMAT: Final = "MOJO"
_LAST_VERSION: Final = 4
_MAX_TEXT_BYTES: Final = 1 << 16
_MAX_VARINT_BYTES: Final = 10
_MAX_FRAMES: Final = 1 << 20
_UNKNOWN: Final = 1
"""The number of the string for a name that could not be read; 0 is the empty string."""

_METADATA, _STACK, _FRAME, _FRAME_INVALID, _FRAME_REF, _FRAME_KERNEL, _GC, _IDLE = range(1, 9)
_METRIC_TIME, _METRIC_MEMORY, _STRING, _STRING_REF, _STACK_REPEAT = range(9, 14)


class _Damaged(Exception):
    """The bytes are not in the format, or end within an event."""


def read_mojo(opened: OpenedProfile) -> Profile:
    """Read the samples; if the file is damaged, those before the damage.

    Raises FootfallError: `profile-empty`, `profile-without-time`, `profile-version`.
    """
    stream = opened.stream()
    stream.read(len(MAGIC))
    samples = _MojoSamples(_read_version(stream))
    try:
        for event in _events(stream):
            samples.take(event, stream)
    except _Damaged as error:
        samples.samples.tree.note_damage(f"The file ends within an event or is damaged ({error}): read up to there.")
    samples.end_sample()
    return samples.samples.tree.finish(_FORMAT, samples.samples.clocks())


def _read_version(stream: BinaryIO) -> int:
    try:
        version = _read_number(stream)
    except _Damaged:
        version = 0
    if not 1 <= version <= _LAST_VERSION:
        text = f"The MOJO file has version {version}, and this footfall reads 1 to {_LAST_VERSION}."
        raise FootfallError("profile-version", text, "Update footfall, or record collapsed stacks.")
    return version


def _events(stream: BinaryIO) -> Iterator[int]:
    while event := stream.read(1):
        yield event[0]


def _read_number(stream: BinaryIO) -> int:
    """Read a number: 6 bits and the sign in the first byte, 7 bits in each following one."""
    first = _read_byte(stream)
    number, shift = first & 0x3F, 6
    byte = first
    while byte & 0x80:
        if shift > 7 * _MAX_VARINT_BYTES:
            raise _Damaged("a number is too long")
        byte = _read_byte(stream)
        number |= (byte & 0x7F) << shift
        shift += 7
    return -number if first & 0x40 else number


def _read_byte(stream: BinaryIO) -> int:
    byte = stream.read(1)
    if not byte:
        raise _Damaged("it ends early")
    return byte[0]


def _read_text(stream: BinaryIO) -> str:
    found = bytearray()
    while byte := _read_byte(stream):
        found.append(byte)
        if len(found) > _MAX_TEXT_BYTES:
            raise _Damaged("a text is too long")
    return found.decode("utf-8", "replace")


class _MojoSamples:
    """What the events have said so far, and the current sample."""

    def __init__(self, version: int) -> None:
        self.samples = AustinSamples()
        self._version = version
        self._strings: dict[tuple[int, int], str] = {}
        self._frames: dict[tuple[int, int], int] = {}
        self._pid = 0
        self._thread = -1
        self._node = 0
        """The node of the sample's innermost frame so far."""
        self._depth = 0
        self._last_nodes: dict[int, tuple[int, int]] = {}
        """For each thread, the node of its last sample and how deep it is."""
        self._time_us: int | None = None
        self._is_idle = False

    def take(self, event: int, stream: BinaryIO) -> None:
        """Process the event with a number, reading its fields from the stream.

        Raises _Damaged, FootfallError (`profile-without-time`).
        """
        tree = self.samples.tree
        if event == _METADATA:
            self.samples.set_metadata(_read_text(stream), _read_text(stream))
        elif event == _STACK:
            self._begin_sample(stream)
        elif event == _FRAME:
            self._define_frame(stream)
        elif event == _FRAME_REF:
            number = self._frames.get((self._pid, _read_number(stream)))
            self._add_frame(tree.frame(INVALID_FRAME) if number is None else number)
        elif event == _FRAME_INVALID:
            self._add_frame(tree.frame(INVALID_FRAME))
        elif event == _FRAME_KERNEL:
            self._add_frame(tree.frame(_read_text(stream), "[kernel]"))
        elif event == _GC:
            self._add_frame(tree.frame("<gc>", COLLECTOR_PATH))
        elif event == _IDLE:
            self._is_idle = True
        elif event == _METRIC_TIME:
            self._time_us = max(_read_number(stream), 0)
        elif event in (_METRIC_MEMORY, _STRING_REF):
            _read_number(stream)
        elif event == _STRING:
            key = _read_number(stream)
            self._strings[self._pid, key] = _read_text(stream)
        elif event == _STACK_REPEAT:
            self._node, self._depth = self._last_nodes.get(self._thread, (0, 0))
        else:
            raise _Damaged(f"there is no event {event}")

    def _begin_sample(self, stream: BinaryIO) -> None:
        self.end_sample()
        self._pid = _read_number(stream)
        if self._version >= 3:
            _read_number(stream)  # the interpreter's number
        text = _read_text(stream)
        try:
            native_id = int(text, 16)
        except ValueError:
            native_id = 0
        self._thread = self.samples.tree.thread(self._pid, native_id)

    def end_sample(self) -> None:
        """Count the completed sample, if there is one."""
        if self._thread >= 0 and self._time_us is not None:
            self.samples.add(self._node, self._thread, self._time_us, is_idle=self._is_idle)
            self._last_nodes[self._thread] = (self._node, self._depth)
        self._node, self._depth, self._time_us, self._is_idle = 0, 0, None, False

    def _add_frame(self, number: int) -> None:
        if self._depth >= _MAX_FRAMES:
            raise _Damaged("a stack has too many frames")
        self._node = self.samples.tree.node(self._node, number)
        self._depth += 1

    def _define_frame(self, stream: BinaryIO) -> None:
        key, path, name, line = (_read_number(stream) for _ in range(4))
        end_line, column, end_column = 0, 0, 0
        if self._version >= 2:
            end_line, column, end_column = (_read_number(stream) for _ in range(3))
        self._frames[self._pid, key] = self.samples.tree.frame(
            self._string(name),
            self._string(path),
            line,
            end_line=end_line,
            column=column - 1 if column > 0 else None,
            end_column=end_column - 1 if end_column > 0 else None,
        )

    def _string(self, key: int) -> str:
        if key in (0, _UNKNOWN):
            return "" if key == 0 else "(unknown)"
        return self._strings.get((self._pid, key)) or self._strings.get((0, key), "(unknown)")
