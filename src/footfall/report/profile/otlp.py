"""Requests of OpenTelemetry's protocol for profiles, OTLP: an alpha, `v1development` as of opentelemetry-proto 1.10.

https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/profiles/v1development/profiles.proto.
Tables of the dictionary begin with an empty entry, whose number 0 means none. A profile has values of one kind, so each
clock is a profile, with the same stacks. Pure but for the id of each profile.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator, Mapping
from typing import Final

from footfall._version import VERSION
from footfall.analyze.profile.calltree import Profile, has_source
from footfall.analyze.profile.clocks import Clock, reader
from footfall.analyze.profile.stacks import frames_above
from footfall.report.profile.parts import render_parts
from footfall.report.profile.pprof import clocks_of_samples
from footfall.report.profile.protobuf import fixed64_field, message_field, number_field, numbers_field

__all__ = ["OTLP_PATH", "render_otlp"]

OTLP_PATH: Final = "/v1development/profiles"
_MAX_SAMPLES: Final = 50_000
_MAX_BYTES: Final = 16 * 1024 * 1024
"""Not compressed; the collector's receiver takes 20 MiB unless it is configured otherwise."""
_GZIP: Final = 31  # zlib's wbits
_FRAME_TYPE: Final = "cpython"  # of the semantic conventions' `profile.frame.type`


def render_otlp(
    profile: Profile, attributes: Mapping[str, str], start_ns: int, duration_ns: int, *, max_bytes: int = _MAX_BYTES
) -> Iterator[bytes]:
    """Yield the body of each request, compressed by gzip. `attributes` are those of the resource: the program."""

    def render(part: Profile, _n_before: int) -> bytes:
        return _request(part, attributes, start_ns, duration_ns)

    for content in render_parts(profile, render, _MAX_SAMPLES, max_bytes):
        packer = zlib.compressobj(6, wbits=_GZIP)
        yield packer.compress(content) + packer.flush()


def _request(profile: Profile, attributes: Mapping[str, str], start_ns: int, duration_ns: int) -> bytes:
    dictionary = _Dictionary(profile)
    places: dict[tuple[int, tuple[int, ...]], list[int]] = {}  # a sample's stack and attributes occur once
    clocks = clocks_of_samples(profile)
    readers = [reader(clock) for clock in clocks]
    for (node_id, thread_id, context), cost in profile.costs.items():
        key = dictionary.stack(node_id), dictionary.attributes(thread_id, context)
        values = places.setdefault(key, [0] * len(clocks))
        for at, read in enumerate(readers):
            values[at] += read(cost)
    profiles = b""
    for at, clock in enumerate(clocks):
        samples = [(key, values[at]) for key, values in places.items() if values[at]]
        if samples:
            profiles += message_field(2, _profile(profile, dictionary, clock, samples, start_ns, duration_ns))
    scope = message_field(1, b"footfall") + message_field(2, VERSION.encode())
    resource = b"".join(message_field(1, _key_value(name, value)) for name, value in sorted(attributes.items()))
    found = message_field(1, resource) + message_field(2, message_field(1, scope) + profiles)
    return message_field(1, found) + message_field(2, dictionary.content())


def _profile(
    profile: Profile,
    dictionary: _Dictionary,
    clock: Clock,
    samples: list[tuple[tuple[int, tuple[int, ...]], int]],
    start_ns: int,
    duration_ns: int,
) -> bytes:
    unit = "count" if clock is Clock.SAMPLES else "nanoseconds"
    parts = [message_field(1, dictionary.value_type(clock.value, unit))]
    for (stack, attributes), value in samples:
        sample = number_field(1, stack) + numbers_field(2, attributes) + numbers_field(4, [value])
        parts.append(message_field(2, sample))
    parts += [fixed64_field(3, start_ns), number_field(4, duration_ns)]
    parts += [message_field(5, dictionary.value_type("wall", "nanoseconds")), number_field(6, profile.interval_ns)]
    parts.append(message_field(7, os.urandom(16)))
    return b"".join(parts)


class _Dictionary:
    """The tables that profiles of one request share."""

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._strings = {"": 0}
        self._stacks: dict[int, int] = {}
        self._attributes: dict[tuple[str, str | int], int] = {}
        self._frame_type = self._attribute("profile.frame.type", _FRAME_TYPE)

    def stack(self, node_id: int) -> int:
        """Return a stack's number; 0 for none, as no Python code ran."""
        return self._stacks.setdefault(node_id, len(self._stacks) + 1) if node_id else 0

    def attributes(self, thread_id: int, context: str) -> tuple[int, ...]:
        """Return the numbers of what is known of a sample."""
        thread = self._profile.threads[thread_id]
        found = [
            self._attribute("thread.name", thread.name or "thread"),
            self._attribute("thread.id", thread.native_id),
            self._attribute("process.pid", thread.pid),
        ]
        if context:
            found.append(self._attribute("footfall.context", context))
        return tuple(found)

    def value_type(self, kind: str, unit: str) -> bytes:
        """Return the message ValueType."""
        return number_field(1, self._string(kind)) + number_field(2, self._string(unit))

    def content(self) -> bytes:
        """Return the message ProfilesDictionary. Call it last."""
        parts = [message_field(1, b""), message_field(2, b""), message_field(3, b""), message_field(4, b"")]
        functions: dict[tuple[str, str, int], int] = {}
        for frame in self._profile.frames:
            function = functions.setdefault(frame.function, len(functions) + 1)
            line = number_field(1, function) + number_field(2, frame.line)
            if frame.column is not None:
                line += number_field(3, frame.column + 1)
            parts.append(message_field(2, message_field(3, line) + numbers_field(4, [self._frame_type])))
        for path, qualname, first_line in functions:
            described = number_field(1, self._string(qualname)) + number_field(2, self._string(qualname))
            file = self._string(path if has_source(path) else "")
            parts.append(message_field(3, described + number_field(3, file) + number_field(4, first_line)))
        parts.append(message_field(6, b""))
        for key, value in self._attributes:
            named = number_field(1, self._string(key)) + message_field(2, _any_value(value))
            parts.append(message_field(6, named))
        parts.append(message_field(7, b""))
        for node_id in self._stacks:
            locations = [frame + 1 for frame in frames_above(self._profile, node_id)]
            parts.append(message_field(7, numbers_field(1, locations)))
        parts += [message_field(5, text.encode("utf-8", "replace")) for text in self._strings]
        return b"".join(parts)

    def _string(self, text: str) -> int:
        return self._strings.setdefault(text, len(self._strings))

    def _attribute(self, key: str, value: str | int) -> int:
        return self._attributes.setdefault((key, value), len(self._attributes) + 1)


def _key_value(name: str, value: str) -> bytes:
    return message_field(1, name.encode()) + message_field(2, _any_value(value))


def _any_value(value: str | int) -> bytes:
    if isinstance(value, int):
        return number_field(3, value)
    return message_field(1, value.encode("utf-8", "replace"))
