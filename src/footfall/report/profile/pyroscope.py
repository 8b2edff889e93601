"""Requests of Pyroscope's push API: `push.v1.PusherService/Push`, a protocol buffer that holds gzipped pprof files.

https://github.com/grafana/pyroscope/blob/main/api/push/v1/push.proto. A profile is divided so that each part keeps the
limits that a Pyroscope has unless it is configured otherwise. Pure but for the id of each part.
"""

from __future__ import annotations

import uuid
import zlib
from collections.abc import Iterator, Mapping
from typing import Final

from footfall.analyze.profile.calltree import Profile
from footfall.report.profile.parts import render_parts
from footfall.report.profile.pprof import PprofStyle, pprof_fields
from footfall.report.profile.protobuf import message_field

__all__ = ["PYROSCOPE_PATH", "render_pyroscope"]

PYROSCOPE_PATH: Final = "/push.v1.PusherService/Push"
_MAX_SAMPLES: Final = 16_000  # -validation.max-profile-stacktrace-samples
_MAX_BYTES: Final = 4 * 1024 * 1024  # -validation.max-profile-size-bytes, of what is not compressed
_GZIP: Final = 31  # zlib's wbits
_PART_NS: Final = 1_000_000
"""What is between the times of parts. Profiles of the same series at the same millisecond may be taken for one."""


def render_pyroscope(
    profile: Profile, labels: Mapping[str, str], start_ns: int, duration_ns: int, *, max_bytes: int = _MAX_BYTES
) -> Iterator[bytes]:
    """Yield the body of each request. `labels` need a `service_name`; `__name__` is added."""
    series = b"".join(
        message_field(1, message_field(1, name.encode()) + message_field(2, value.encode()))
        for name, value in sorted({"__name__": "process_cpu", **labels}.items())
    )

    def render(part: Profile, n_before: int) -> bytes:
        # no value may have "-" in its name: that is refused
        style = PprofStyle(start_ns + n_before * _PART_NS, duration_ns, has_plain_names=True)
        return b"".join(pprof_fields(part, style))

    for content in render_parts(profile, render, _MAX_SAMPLES, max_bytes):
        packer = zlib.compressobj(6, wbits=_GZIP)
        packed = packer.compress(content) + packer.flush()
        sample = message_field(1, packed) + message_field(2, str(uuid.uuid4()).encode())
        yield message_field(1, series + message_field(2, sample))
