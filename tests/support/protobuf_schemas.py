"""Messages read by the protobuf package, from the field numbers that pprof's profile.proto and Pyroscope's push.proto publish."""

from __future__ import annotations

import functools
from collections import Counter
from typing import Any

import pytest

_NUMBER, _UNSIGNED, _FLAG, _STRING, _BYTES, _MESSAGE = 3, 4, 8, 9, 12, 11
_ONE, _MANY = 1, 3
_SHAPES: dict[str, dict[str, list[tuple[str, int, int | str, int]]]] = {
    "perftools.profiles": {
        "Profile": [("sample_type", 1, "ValueType", 3), ("sample", 2, "Sample", 3), ("mapping", 3, "Mapping", 3),
                    ("location", 4, "Location", 3), ("function", 5, "Function", 3), ("string_table", 6, _STRING, 3),
                    ("drop_frames", 7, _NUMBER, 1), ("keep_frames", 8, _NUMBER, 1), ("time_nanos", 9, _NUMBER, 1),
                    ("duration_nanos", 10, _NUMBER, 1), ("period_type", 11, "ValueType", 1), ("period", 12, _NUMBER, 1),
                    ("comment", 13, _NUMBER, 3), ("default_sample_type", 14, _NUMBER, 1)],
        "ValueType": [("type", 1, _NUMBER, 1), ("unit", 2, _NUMBER, 1)],
        "Sample": [("location_id", 1, _UNSIGNED, 3), ("value", 2, _NUMBER, 3), ("label", 3, "Label", 3)],
        "Label": [("key", 1, _NUMBER, 1), ("str", 2, _NUMBER, 1), ("num", 3, _NUMBER, 1), ("num_unit", 4, _NUMBER, 1)],
        "Mapping": [("id", 1, _UNSIGNED, 1)],
        "Location": [("id", 1, _UNSIGNED, 1), ("mapping_id", 2, _UNSIGNED, 1), ("address", 3, _UNSIGNED, 1),
                     ("line", 4, "Line", 3), ("is_folded", 5, _FLAG, 1)],
        "Line": [("function_id", 1, _UNSIGNED, 1), ("line", 2, _NUMBER, 1), ("column", 3, _NUMBER, 1)],
        "Function": [("id", 1, _UNSIGNED, 1), ("name", 2, _NUMBER, 1), ("system_name", 3, _NUMBER, 1),
                     ("filename", 4, _NUMBER, 1), ("start_line", 5, _NUMBER, 1)],
    },
    "push.v1": {
        "PushRequest": [("series", 1, "RawProfileSeries", 3)],
        "RawProfileSeries": [("labels", 1, "LabelPair", 3), ("samples", 2, "RawSample", 3)],
        "RawSample": [("raw_profile", 1, _BYTES, 1), ("ID", 2, _STRING, 1)],
        "LabelPair": [("name", 1, _STRING, 1), ("value", 2, _STRING, 1)],
    },
}  # fmt: skip


@functools.cache
def _classes() -> dict[str, type]:
    descriptor_pb2 = pytest.importorskip("google.protobuf.descriptor_pb2")
    from google.protobuf import descriptor_pool, message_factory

    pool = descriptor_pool.DescriptorPool()
    for package, shapes in _SHAPES.items():
        file = descriptor_pb2.FileDescriptorProto(name=f"{package}.proto", package=package, syntax="proto3")
        for name, fields in shapes.items():
            described = file.message_type.add(name=name)
            for field_name, number, kind, label in fields:
                field = described.field.add(name=field_name, number=number, label=label)
                field.type = _MESSAGE if isinstance(kind, str) else kind
                if isinstance(kind, str):
                    field.type_name = f".{package}.{kind}"
        pool.Add(file)
    names = [f"{package}.{name}" for package, shapes in _SHAPES.items() for name in shapes]
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(name)) for name in names}


def read_message(name: str, content: bytes) -> Any:
    """Return the message of this name; no field may be unknown."""
    message = _classes()[name]()
    message.ParseFromString(content)
    known = _classes()[name]()
    known.CopyFrom(message)
    known.DiscardUnknownFields()
    assert known.SerializeToString() == message.SerializeToString(), "a field is unknown"
    return message


def samples_of_pprof(content: bytes) -> tuple[list[tuple[str, str]], Counter[tuple[object, ...]]]:
    """Return the names and units of the values, and how often there is each (stack, values, labels).

    A frame is its function, file, first line, line and column.
    """
    profile = read_message("perftools.profiles.Profile", content)
    texts = profile.string_table
    functions = {each.id: (texts[each.name], texts[each.filename], each.start_line) for each in profile.function}
    frames = {
        each.id: (*functions[each.line[0].function_id], each.line[0].line, each.line[0].column)
        for each in profile.location
    }
    samples = Counter(
        (
            tuple(frames[each] for each in sample.location_id),
            tuple(sample.value),
            tuple(sorted((texts[label.key], texts[label.str] or label.num) for label in sample.label)),
        )
        for sample in profile.sample
    )
    return [(texts[each.type], texts[each.unit]) for each in profile.sample_type], samples
