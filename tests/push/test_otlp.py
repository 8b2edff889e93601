"""`footfall push --to otlp`, decoded by the messages of the package opentelemetry-proto."""

import gzip
import os
import pathlib
import zlib
from collections import Counter

import pytest

from footfall.analyze.profile.calltree import Cost
from footfall.report.profile.otlp import render_otlp
from footfall.session.push.otlp_answer import rejection
from protobuf_schemas import samples_of_pprof
from push_server import Answer, Received, push_server
from repository import footfall
from site_data import make_profile, write_project

pytest.importorskip("urllib3")
service = pytest.importorskip("opentelemetry.proto.collector.profiles.v1development.profiles_service_pb2")
pytestmark = pytest.mark.any_python


@pytest.fixture
def data(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> str:
    for name in ("FOOTFALL_PUSH_TOKEN", "OTEL_SERVICE_NAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return write_project(tmp_path).name


def _push(url: str, data: str, *options: str) -> int:
    return footfall("push", "--to", "otlp", "--url", url, "--service", "shop", *options, data)


def _message(body: bytes):
    """The message of a request; no field may be unknown, and each table begins with the entry that stands for none."""
    found = service.ExportProfilesServiceRequest.FromString(zlib.decompress(body, 31))
    known = service.ExportProfilesServiceRequest()
    known.CopyFrom(found)
    known.DiscardUnknownFields()
    assert known == found
    for field, table in found.dictionary.ListFields():
        assert table[0] == ("" if field.name == "string_table" else type(table[0])()), field.name
    assert len(found.dictionary.ListFields()) == 7
    return found


def _value(value) -> object:
    return getattr(value, value.WhichOneof("value"))


def _samples(found) -> tuple[list[tuple[str, str]], Counter]:
    """The kinds of values, and each sample as `samples_of_pprof` has it: its values are those of all profiles."""
    tables = found.dictionary
    texts = tables.string_table
    [[scope]] = [each.scope_profiles for each in found.resource_profiles]
    profiles = scope.profiles
    places: dict[tuple, list[int]] = {}
    for at, profile in enumerate(profiles):
        assert len({(each.stack_index, tuple(each.attribute_indices)) for each in profile.samples}) == len(
            profile.samples
        )
        for sample in profile.samples:
            stack = []
            for number in tables.stack_table[sample.stack_index].location_indices:
                location = tables.location_table[number]
                [kind] = [tables.attribute_table[each] for each in location.attribute_indices]
                assert (texts[kind.key_strindex], _value(kind.value)) == ("profile.frame.type", "cpython")
                [line] = location.lines
                function = tables.function_table[line.function_index]
                names = texts[function.name_strindex], texts[function.filename_strindex]
                stack.append((*names, function.start_line, line.line, line.column))
            labels = []
            for number in sample.attribute_indices:
                assert number
                attribute = tables.attribute_table[number]
                labels.append((texts[attribute.key_strindex], _value(attribute.value)))
            [value] = sample.values
            assert value > 0 and not sample.timestamps_unix_nano
            places.setdefault((tuple(stack), tuple(sorted(labels))), [0] * len(profiles))[at] = value
    kinds = [(texts[each.sample_type.type_strindex], texts[each.sample_type.unit_strindex]) for each in profiles]
    return kinds, Counter((stack, tuple(values), labels) for (stack, labels), values in places.items())


_NAMES = {"thread": "thread.name", "thread_id": "thread.id", "pid": "process.pid", "context": "footfall.context"}


def _as_otlp(samples: Counter) -> Counter:
    return Counter(
        (stack, values, tuple(sorted((_NAMES[name], value) for name, value in labels)))
        for stack, values, labels in samples.elements()
    )


def test_otlp_gets_what_export_writes(data) -> None:
    """Stacks, values, units, threads and tests equal those of `footfall export`; the resource names the program."""
    assert footfall("export", "--data-file", data, "-o", "run.pb.gz") == 0
    with push_server() as server:
        options = ("--label", "deployment.environment=eu", "--service-version", "1.2", "--host", "web1")
        assert _push(server.url + "/", data, *options) == 0
    [request] = server.received
    assert request.path == "/v1development/profiles"
    assert (request.headers["Content-Type"], request.headers["Content-Encoding"]) == ("application/x-protobuf", "gzip")
    found = _message(request.body)
    [resource] = [each.resource for each in found.resource_profiles]
    assert {each.key: _value(each.value) for each in resource.attributes} == {
        "service.name": "shop", "service.version": "1.2", "host.name": "web1", "deployment.environment": "eu",
    }  # fmt: skip
    kinds, samples = _samples(found)
    exported_kinds, exported = samples_of_pprof(gzip.decompress(pathlib.Path("run.pb.gz").read_bytes()))
    has_values = [any(values[at] for _, values, _ in exported) for at in range(len(exported_kinds))]
    assert kinds == [kind for kind, has in zip(exported_kinds, has_values, strict=True) if has]
    shortened = Counter(
        (stack, tuple(value for value, has in zip(values, has_values, strict=True) if has), labels)
        for stack, values, labels in exported.elements()
    )
    assert samples == _as_otlp(shortened)
    for profile in found.resource_profiles[0].scope_profiles[0].profiles:
        assert profile.duration_nano == 160_000_000
        assert profile.time_unix_nano + profile.duration_nano == os.stat(data).st_mtime_ns
        assert len(profile.profile_id) == 16 and any(profile.profile_id)


def test_parts_keep_the_limit_and_samples_are_distinct(tmp_path) -> None:
    """A profile that is too large is divided and nothing is lost; what can't be told apart is one sample."""
    profile = make_profile(tmp_path, n_others=40)
    [whole] = [_samples(_message(body)) for body in render_otlp(profile, {}, 10**18, 10**9)]
    parts = [_message(body) for body in render_otlp(profile, {}, 10**18, 10**9, max_bytes=1500)]
    assert len(parts) > 3 and all(part.ByteSize() <= 1500 for part in parts)
    totals = Counter()
    for part in parts:
        kinds, samples = _samples(part)
        for stack, values, labels in samples.elements():
            totals.update({(stack, labels, kind): value for (kind, _), value in zip(kinds, values, strict=True)})
    expected = Counter()
    for stack, values, labels in whole[1].elements():
        expected.update({(stack, labels, kind): value for (kind, _), value in zip(whole[0], values, strict=True)})
    assert totals == +expected
    (node, thread, context), cost = next(iter(profile.costs.items()))
    profile.threads.append(profile.threads[thread])
    profile.costs[node, len(profile.threads) - 1, context] = Cost(samples=cost.samples)
    [body] = render_otlp(profile, {}, 10**18, 10**9)
    assert sum(_samples(_message(body))[1].values()) == sum(whole[1].values())


def test_a_partial_success_is_none(data, capsys) -> None:
    """A server that takes the request and rejects profiles of it says why; a warning without that is no failure."""
    answer = service.ExportProfilesServiceResponse()
    answer.partial_success.error_message = "old fields"
    with push_server() as server:
        server.answers = [Answer(200, {}, answer.SerializeToString())]
        assert _push(server.url, data) == 0
        answer.partial_success.rejected_profiles = 3
        server.answers = [Answer(200, {}, answer.SerializeToString())]
        assert _push(server.url, data) == 3
    error = capsys.readouterr().err
    assert "3 of the profiles rejected (old fields)" in error and "[push-refused]" in error


@pytest.mark.parametrize("body", [b"", b"{}", b"\x0a", b"\x0a\x7f", b"\xff" * 12, b"\x0a\x02\x08", b"<html>", b"\x0b"])
def test_an_answer_that_is_no_message_says_nothing(body: bytes) -> None:
    """Whatever a server answers with status 200."""
    assert rejection(body) is None


def test_a_queue_is_sent_as_it_was_made(data, capsys) -> None:
    """What OTLP's server did not take is kept, and sent with its headers the next time."""
    with push_server() as server:
        server.answers = [Answer(503)]
        assert _push(server.url, data, "--retry", "0", "--spool", "queue") == 1
        assert _push(server.url, data, "--spool", "queue") == 0
    first, second, _ = server.received
    assert isinstance(second, Received) and second.body == first.body
    assert second.headers["Content-Encoding"] == "gzip"


def test_labels_have_the_names_of_the_conventions(data, capsys) -> None:
    """What an option names can't be named again under OpenTelemetry's name."""
    assert _push("http://localhost", data, "--label", "service.name=x") == 2
    assert "[bad-label]" in capsys.readouterr().err
