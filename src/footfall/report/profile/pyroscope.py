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
from footfall.analyze.profile.split import part_of_profile, split_profile
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
    todo = list(split_profile(profile, _MAX_SAMPLES))[::-1]
    n_done = 0
    while todo:
        part = todo.pop()
        # no value may have "-" in its name: that is refused
        style = PprofStyle(start_ns + n_done * _PART_NS, duration_ns, has_plain_names=True)
        content = b"".join(pprof_fields(part, style))
        if len(content) > max_bytes and len(part.costs) > 1:
            keys = list(part.costs)
            half = len(keys) // 2
            todo += [part_of_profile(part, keys[half:]), part_of_profile(part, keys[:half])]
            continue
        packer = zlib.compressobj(6, wbits=_GZIP)
        packed = packer.compress(content) + packer.flush()
        sample = message_field(1, packed) + message_field(2, str(uuid.uuid4()).encode())
        n_done += 1
        yield message_field(1, series + message_field(2, sample))
