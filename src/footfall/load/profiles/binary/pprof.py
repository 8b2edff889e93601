"""pprof's format: a protocol buffer, `perftools.profiles.Profile`, mostly gzipped.

https://github.com/google/pprof/blob/main/proto/profile.proto. Values are chosen by their names and units: samples, CPU
time, wall time, and time with the GIL or waiting for it in footfall's own files. If there are only others, the default
one or the last is used.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from footfall.analyze.profile.calltree import Profile
from footfall.analyze.profile.clocks import Clock
from footfall.errors import FootfallError
from footfall.load.profiles.binary.messages import BYTES, VARINT, read_fields, read_number
from footfall.load.profiles.binary.varint import Damaged
from footfall.load.profiles.stack_tree import StackTree, Weight

__all__ = ["looks_like_pprof", "read_pprof"]

_FORMAT: Final = "pprof"
_UNITS_NS: Final = {
    name: factor
    for factor, names in (
        (1, ("nanoseconds", "ns")),
        (1000, ("microseconds", "us", "\u00b5s", "\u03bcs")),
        (1_000_000, ("milliseconds", "ms")),
        (1_000_000_000, ("seconds", "s")),
    )
    for name in names
}
_SAMPLE_TYPE, _SAMPLE, _LOCATION, _FUNCTION, _STRING, _PERIOD, _DEFAULT_TYPE = 1, 2, 4, 5, 6, 12, 14
_MAX_INLINED: Final = 64
"""The limit at one place: more than compilers produce. It bounds how many frames a short sample may expand to."""
_CLOCKS_OF_WEIGHT: Final = (Clock.SAMPLES, Clock.WALL, Clock.CPU, Clock.GIL, Clock.GIL_WAIT)  # in order of its fields
_LAST_FIELD: Final = 15  # the highest field number of the message
_CONTEXT: Final = "context"
_THREAD_LABELS: Final = frozenset({"thread", "thread_id", "pid", _CONTEXT})


class _Location(NamedTuple):
    """(function, line, column) of each frame inlined there, innermost first."""

    lines: list[tuple[int, int, int]]
    address: int


def looks_like_pprof(head: bytes) -> bool:
    """Return whether a file with this beginning is such a message: a sequence of fields that it can have."""
    at = n_fields = 0
    try:
        while at < len(head) and n_fields < 20:
            key, at = read_number(head, at)
            field, wire = key >> 3, key & 7
            is_message = field not in (9, 10, _PERIOD, _DEFAULT_TYPE, 7, 8, 13)
            if not 1 <= field <= _LAST_FIELD or (wire == BYTES) < is_message:
                return False
            if wire == BYTES:
                size, at = read_number(head, at)
                if field == _SAMPLE_TYPE and not _is_value_type(head[at : at + size]):
                    return False  # a text that begins with empty lines would have this number
                at += size
            elif wire == VARINT:
                _, at = read_number(head, at)
            else:
                return False
            n_fields += 1
    except Damaged:
        return n_fields > 2
    return n_fields > 1


def _is_value_type(content: bytes) -> bool:
    return all(field in (1, 2) and isinstance(value, int) for field, value in read_fields(content))


def _numbers(value: int | bytes) -> Iterator[int]:
    """Yield the numbers of a repeated field, packed or one by one."""
    if isinstance(value, int):
        yield value
        return
    at = 0
    while at < len(value):
        number, at = read_number(value, at)
        yield number


def _scalars(content: int | bytes) -> dict[int, int]:
    """Return the numbers of a message by field."""
    if isinstance(content, int):
        raise Damaged("a number stands where a message belongs")
    return {field: value for field, value in read_fields(content) if isinstance(value, int)}


def read_pprof(content: bytes) -> Profile:
    """Read the samples; if the message is damaged, what comes before the damage.

    Raises FootfallError: `profile-damaged`, `profile-empty`, `profile-without-time`.
    """
    message = _Message()
    damage = ""
    try:
        for field, value in read_fields(content):
            message.take(field, value)
    except Damaged as error:
        damage = f"The file is damaged or ends early ({error}): read up to there."
    return _Reader(message, damage).read()


class _Message:
    """The parts of the message, with references not yet resolved."""

    def __init__(self) -> None:
        self.types: list[tuple[int, int]] = []
        self.samples: list[bytes] = []
        self.locations: dict[int, _Location] = {}
        self.functions: dict[int, dict[int, int]] = {}
        self.strings: list[str] = []
        self.period = 0
        self.default_type = 0

    def take(self, field: int, value: int | bytes) -> None:
        """Process one field. Raises Damaged."""
        if field == _STRING and isinstance(value, bytes):
            self.strings.append(value.decode("utf-8", "replace"))
        elif field == _SAMPLE and isinstance(value, bytes):
            self.samples.append(value)
        elif field == _SAMPLE_TYPE:
            numbers = _scalars(value)
            self.types.append((numbers.get(1, 0), numbers.get(2, 0)))
        elif field == _LOCATION and isinstance(value, bytes):
            self._take_location(value)
        elif field == _FUNCTION:
            numbers = _scalars(value)
            self.functions[numbers.get(1, 0)] = numbers
        elif field == _PERIOD and isinstance(value, int):
            self.period = value
        elif field == _DEFAULT_TYPE and isinstance(value, int):
            self.default_type = value

    def _take_location(self, content: bytes) -> None:
        number = address = 0
        lines: list[tuple[int, int, int]] = []
        for field, value in read_fields(content):
            if field == 1 and isinstance(value, int):
                number = value
            elif field == 3 and isinstance(value, int):
                address = value
            elif field == 4 and len(lines) < _MAX_INLINED:
                line = _scalars(value)
                lines.append((line.get(1, 0), line.get(2, 0), line.get(3, 0)))
        self.locations[number] = _Location(lines, address)

    def string(self, number: int) -> str:
        return self.strings[number] if 0 <= number < len(self.strings) else ""


class _Reader:
    def __init__(self, message: _Message, damage: str) -> None:
        self._message = message
        self._tree = StackTree()
        if damage:
            self._tree.note_damage(damage)
        self._frames: dict[int, list[int]] = {}
        self._columns = _choose_values(message)

    def read(self) -> Profile:
        n_unread = 0
        for sample in self._message.samples:
            try:
                n_unread += not self._add(sample)
            except Damaged:
                n_unread += 1
        self._tree.note_unread(n_unread, "sample")
        if Clock.WALL in self._columns and self._message.string(self._message.default_type) in ("cpu", "wall"):
            self._tree.profile.interval_ns = self._message.period
        return self._tree.finish(_FORMAT, self._columns)

    def _add(self, content: bytes) -> bool:
        locations: list[int] = []
        values: list[int] = []
        labels: dict[str, tuple[str, int]] = {}
        for field, value in read_fields(content):
            if field == 1:
                locations += _numbers(value)
            elif field == 2:
                values += _numbers(value)
            elif field == 3:
                label = _scalars(value)
                key = self._message.string(label.get(1, 0))
                if key in _THREAD_LABELS or key == "thread id":
                    labels[key] = (self._message.string(label.get(2, 0)), label.get(3, 0))
        if any(location not in self._message.locations for location in locations):
            return False
        amounts = {clock: values[at] * unit if at < len(values) else 0 for clock, (at, unit) in self._columns.items()}
        weight = Weight(*(amounts.get(clock, 0) for clock in _CLOCKS_OF_WEIGHT))
        frames = [frame for location in reversed(locations) for frame in self._frames_of(location)]
        name, _ = labels.get("thread", ("", 0))
        _, native_id = labels.get("thread_id") or labels.get("thread id") or ("", 0)
        thread = self._tree.thread(labels.get("pid", ("", 0))[1], native_id, name)
        context, _ = labels.get(_CONTEXT, ("", 0))
        return self._tree.add(self._tree.stack(frames), thread, weight, context=context)

    def _frames_of(self, number: int) -> list[int]:
        """Return the frames of a location, outermost first."""
        found = self._frames.get(number)
        if found is None:
            location = self._message.locations[number]
            found = [self._frame(*line) for line in reversed(location.lines)]
            found = found or [self._tree.frame(f"{location.address:#x}")]
            self._frames[number] = found
        return found

    def _frame(self, function_id: int, line: int, column: int) -> int:
        function = self._message.functions.get(function_id, {})
        string = self._message.string
        return self._tree.frame(
            string(function.get(2, 0)) or string(function.get(3, 0)),
            string(function.get(4, 0)),
            line,
            first_line=function.get(5, 0),
            column=column - 1 if column else None,
        )


def _choose_values(message: _Message) -> dict[Clock, tuple[int, int]]:
    """Return which value of a sample each clock is, and the factor to nanoseconds or samples.

    Raises FootfallError (`profile-damaged` if the names of the values are missing, `profile-without-time`).
    """
    found: dict[Clock, tuple[int, int]] = {}
    n_strings = len(message.strings) or 1  # string 0 is the empty one
    if not all(0 <= number < n_strings for names in message.types for number in names):
        raise _of_unknown_values()
    types = [(message.string(kind), message.string(unit)) for kind, unit in message.types]
    for at, (kind, unit) in enumerate(types):
        clock = next((clock for clock in Clock if clock == kind), None)
        unit_ns = _UNITS_NS.get(unit, 0)
        if clock is not None and (unit == "count" if clock is Clock.SAMPLES else unit_ns):
            found.setdefault(clock, (at, unit_ns or 1))
    if found.keys() - {Clock.SAMPLES}:
        return found
    default = message.string(message.default_type)
    at = next((at for at, (kind, _) in enumerate(types) if default and kind == default), len(types) - 1)
    if at >= 0:
        kind, unit = types[at]
        if unit in _UNITS_NS:
            found[Clock.WALL] = (at, _UNITS_NS[unit])
        elif unit == "count" or not unit:
            found[Clock.SAMPLES] = (at, 1)
        else:
            text = f"The file is a profile of {kind} in {unit}: it has no times."
            raise FootfallError("profile-without-time", text, "Record CPU or wall time.")
    if not found:
        raise _of_unknown_values()
    return found


def _of_unknown_values() -> FootfallError:
    text = "The pprof file does not say what it counts."
    return FootfallError("profile-damaged", text, "Record it again, or get a complete copy.")
