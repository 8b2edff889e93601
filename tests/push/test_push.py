"""`footfall push`, received by a server that decodes the requests by the protobuf schemas."""

import gzip
import os
import pathlib
import shutil
import socket
import subprocess
from collections.abc import Iterator

import pytest

from footfall.analyze.profile.split import split_profile
from footfall.cli.main import main
from footfall.report.profile.pprof import render_pprof
from footfall.report.profile.pyroscope import render_pyroscope
from footfall.session.push.sending import Credentials, Request, Sender, UnavailableError
from footfall.session.push.spool import Spool
from protobuf_schemas import read_message, samples_of_pprof
from push_server import Answer, Received, closed_port, push_server
from site_data import make_profile, write_project

pytest.importorskip("urllib3")
pytestmark = pytest.mark.any_python


@pytest.fixture
def data(tmp_path, monkeypatch) -> str:
    """The name of a data file with a profile of two threads and two tests."""
    for name in ("FOOTFALL_PUSH_TOKEN", "OTEL_SERVICE_NAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return write_project(tmp_path).name


def _run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    return int(caught.value.code or 0)


def _push(url: str, data: str, *options: str) -> int:
    return _run("push", "--url", url, "--service", "shop", *options, data)


def _series(request: Received) -> tuple[dict[str, str], bytes]:
    """The labels and the pprof message of a request to Pyroscope."""
    assert request.path == "/push.v1.PusherService/Push"
    assert request.headers["Content-Type"] == "application/proto"
    [series] = read_message("push.v1.PushRequest", request.body).series
    [sample] = series.samples
    assert len(sample.ID) == 36
    return {label.name: label.value for label in series.labels}, gzip.decompress(sample.raw_profile)


def test_pyroscope_gets_what_export_writes(data, tmp_path) -> None:
    """Stacks, values, units and labels of samples equal those of `footfall export`; labels name the program."""
    assert _run("export", "--data-file", data, "-o", "run.pb.gz") == 0
    with push_server() as server:
        options = ("--label", "region=eu", "--service-version", "1.2", "--host", "web1", "--tenant", "team")
        assert _push(server.url + "/", data, *options) == 0
    [request] = server.received
    labels, content = _series(request)
    assert labels == {
        "__name__": "process_cpu", "service_name": "shop", "service_version": "1.2", "host": "web1", "region": "eu",
    }  # fmt: skip
    assert (request.headers["X-Scope-OrgID"], request.headers["Authorization"]) == ("team", None)
    values, samples = samples_of_pprof(content)
    exported_values, exported = samples_of_pprof(gzip.decompress(pathlib.Path("run.pb.gz").read_bytes()))
    assert (len(samples), samples) == (3, exported)
    # Pyroscope refuses a `-` in the name of a value
    assert values == [(name.replace("-", "_"), unit) for name, unit in exported_values]
    profile = read_message("perftools.profiles.Profile", content)
    assert profile.duration_nanos == 160_000_000  # the thread sampled for the longest time
    assert profile.time_nanos + profile.duration_nanos == os.stat(data).st_mtime_ns


def test_parts_keep_the_limits(tmp_path) -> None:
    """A profile beyond Pyroscope's limits is divided: nothing is lost or twice, and no two parts have one time."""
    profile = make_profile(tmp_path, n_others=40)
    whole = samples_of_pprof(gzip.decompress(b"".join(render_pprof(profile))))[1]
    parts = list(render_pyroscope(profile, {"service_name": "shop"}, 10**18, 10**9, max_bytes=1500))
    contents = [
        _series(Received("/push.v1.PusherService/Push", {"Content-Type": "application/proto"}, part))[1]
        for part in parts
    ]
    assert len(contents) > 3 and all(len(content) <= 1500 for content in contents)
    found = [samples_of_pprof(content)[1] for content in contents]
    assert sum(found[1:], start=found[0]) == whole
    assert len({read_message("perftools.profiles.Profile", content).time_nanos for content in contents}) == len(
        contents
    )
    assert [len(part.costs) for part in split_profile(profile, 20)] == [20, 20, 3]


@pytest.mark.parametrize(
    ("names", "left"),
    [
        (("context",), {"thread": 2, "context": 0}),
        (("thread",), {"thread": 1, "context": 2}),
        (("thread", "context"), {"thread": 1, "context": 0}),
    ],
)
def test_leaving_out_sums_up(data, names, left) -> None:
    """--leave-out drops labels, and the values of what is then alike are added."""
    with push_server() as server:
        assert _push(server.url, data, *[f"--leave-out={name}" for name in names]) == 0
    _, samples = samples_of_pprof(_series(server.received[0])[1])
    labels = [dict(labels) for _, _, labels in samples]
    threads = {(label["thread"], label["thread_id"]) for label in labels}
    assert {"thread": len(threads), "context": len({label.get("context") for label in labels} - {None})} == left
    assert sum(values[0] * count for (_, values, _), count in samples.items()) == 100


@pytest.mark.parametrize("arguments", [("--user", "me"), ()], ids=["basic", "bearer"])
def test_tokens_come_from_a_file_or_the_environment(data, monkeypatch, arguments) -> None:
    """The token is sent as a Bearer token, or as a user's password, and a file comes before the environment."""
    pathlib.Path("token").write_text("s3cret\n", encoding="utf-8")
    with push_server() as server:
        monkeypatch.setenv("FOOTFALL_PUSH_TOKEN", "other")
        assert _push(server.url, data, "--token-file", "token", *arguments) == 0
        monkeypatch.setenv("FOOTFALL_PUSH_TOKEN", "s3cret")
        assert _push(server.url, data, *arguments) == 0
    expected = "Basic bWU6czNjcmV0" if arguments else "Bearer s3cret"
    assert [request.headers["Authorization"] for request in server.received] == [expected, expected]


def test_a_failure_that_passes_is_retried(data, capsys) -> None:
    """After a 500 the same request is sent again."""
    with push_server() as server:
        server.answers = [Answer(500)]
        assert _push(server.url, data) == 0
    first, second = server.received
    assert first.body == second.body
    assert "Sent 1 profile to" in capsys.readouterr().err


@pytest.fixture
def waits() -> list[float]:
    return []


def _sender(waits: list[float], retry_seconds: float) -> Sender:
    """A sender whose time passes only while it waits."""
    return Sender(Credentials(), retry_seconds, sleep=waits.append, clock=lambda: sum(waits))


def test_retry_after_is_honoured(waits) -> None:
    """The wait that a 429 or 503 asks for is kept to the second; other waits double, with a random part."""
    with push_server() as server:
        server.answers = [
            Answer(429, {"Retry-After": "7"}),
            Answer(500),
            Answer(502),
            Answer(503, {"Retry-After": "2"}),
        ]
        _sender(waits, 60).send(Request(server.url, {}, b""))
    assert (waits[0], waits[3]) == (7, 2)
    assert 0.5 <= waits[1] <= 1 <= waits[2] <= 2
    assert len(server.received) == 5


def test_a_wait_that_is_too_long_is_not_begun(waits) -> None:
    """A server that asks for more time than there is counts as away at once, and is quoted."""
    with push_server() as server:
        server.answers = [Answer(429, {"Retry-After": "3600"}, b'{"code":"resource_exhausted","message":"too much"}')]
        with pytest.raises(UnavailableError, match=r"429 .*\(too much\), and asks to wait 3600 s"):
            _sender(waits, 60).send(Request(server.url, {}, b""))
    assert waits == []


@pytest.fixture
def closed() -> Iterator[socket.socket]:
    with closed_port() as found:
        yield found


def test_without_a_server_there_is_a_next_step(data, capsys, closed) -> None:
    """A closed port is an error that names the server and what to do."""
    port = closed.getsockname()[1]
    assert _push(f"http://127.0.0.1:{port}", data, "--retry", "0") == 3
    error = capsys.readouterr().err
    assert (
        f"127.0.0.1:{port}" in error and "refused" in error and "--spool DIR" in error and "[push-unavailable]" in error
    )


@pytest.mark.parametrize(
    ("answer", "slug"),
    [
        (Answer(401, {}, b'{"code":"unauthenticated","message":"bad token"}'), "push-unauthorized"),
        (Answer(400, {}, b"invalid labels"), "push-refused"),
        (Answer(301, {"Location": "https://elsewhere.example.org/"}), "push-refused"),
    ],
    ids=["wrong token", "invalid", "redirect"],
)
def test_a_failure_that_stays_is_not_retried(data, capsys, answer, slug) -> None:
    """It is an error with what the server says; a redirect is not followed."""
    with push_server() as server:
        server.answers = [answer]
        assert _push(server.url, data) == 3
    error = capsys.readouterr().err
    assert f"[{slug}]" in error and str(answer.status) in error
    assert any(text in error for text in ("bad token", "invalid labels", "elsewhere.example.org"))
    assert len(server.received) == 1


@pytest.fixture(scope="module")
def certificate(tmp_path_factory) -> str:
    if shutil.which("openssl") is None:
        pytest.skip("no openssl to make a certificate with")
    folder = tmp_path_factory.mktemp("certificate")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2", "-keyout", "key.pem", "-out", "cert.pem"],
        cwd=folder, check=True, capture_output=True,
    )  # fmt: skip
    (folder / "both.pem").write_bytes((folder / "key.pem").read_bytes() + (folder / "cert.pem").read_bytes())
    return str(folder)


def test_certificates_are_verified(data, certificate, capsys, monkeypatch) -> None:
    """Nothing is sent to a server whose certificate is not trusted; SSL_CERT_FILE names an authority."""
    with push_server(f"{certificate}/both.pem") as server:
        assert _push(server.url, data, "--spool", "queue") == 3
        assert "SSL_CERT_FILE" in (error := capsys.readouterr().err) and "[push-tls]" in error
        assert server.received == []
        monkeypatch.setenv("SSL_CERT_FILE", f"{certificate}/cert.pem")
        assert _push(server.url, data, "--spool", "queue") == 0
    assert len(server.received) == 2  # the first was kept


def test_nothing_is_lost_while_the_server_is_away(data, capsys, monkeypatch, closed) -> None:
    """What can't be sent is kept without the token, and goes first, oldest first, when the server is back."""
    monkeypatch.setenv("FOOTFALL_PUSH_TOKEN", "s3cret")
    url = f"http://127.0.0.1:{closed.getsockname()[1]}"
    for number in range(2):
        assert _push(url, data, "--retry", "0", "--spool", "queue", "--label", f"n={number}") == 1
        assert "Kept 1 profile in queue" in capsys.readouterr().err
    kept = b"".join(path.read_bytes() for path in pathlib.Path("queue").iterdir())
    assert b"s3cret" not in kept and b"Authorization" not in kept
    with push_server(bound=closed) as server:
        assert _push(url, data, "--spool", "queue", "--label", "n=2") == 0
    assert "Sent 1 profile, and 2 from the queue, to" in capsys.readouterr().err
    assert [_series(request)[0]["n"] for request in server.received] == ["0", "1", "2"]
    assert {request.headers["Authorization"] for request in server.received} == {"Bearer s3cret"}
    assert [path.name for path in pathlib.Path("queue").iterdir()] == ["lock"]


def test_a_queue_is_bounded(data, capsys, closed) -> None:
    """The oldest profiles are dropped, and it is said."""
    url = f"http://127.0.0.1:{closed.getsockname()[1]}"
    assert _push(url, data, "--retry", "0", "--spool", "queue") == 1
    [first] = pathlib.Path("queue").glob("*.push")
    size = first.stat().st_size / 1e6
    capsys.readouterr()
    assert _push(url, data, "--retry", "0", "--spool", "queue", "--spool-size", f"{size * 1.5:.6f}") == 1
    assert "[spool-full]" in capsys.readouterr().err
    [second] = pathlib.Path("queue").glob("*.push")
    assert second != first


def test_a_queue_survives_what_is_not_its_own(data, capsys) -> None:
    """A damaged request is removed with a message, one of another server stays, a refused one holds nothing up."""
    spool = Spool("queue", 10**6)
    spool.add(Request("http://elsewhere.example.org/x", {}, b""))
    with push_server() as server:
        spool.add(Request(f"{server.url}/old", {}, b""))
        pathlib.Path("queue", "0.push").write_bytes(b"no JSON")
        server.answers = [Answer(400)]
        assert _push(server.url, data, "--spool", "queue") == 0
    error = capsys.readouterr().err
    assert "[spool-damaged]" in error and "[push-refused]" in error
    assert [request.path for request in server.received] == ["/old", "/push.v1.PusherService/Push"]
    assert [request.url for _, request in spool.requests()] == ["http://elsewhere.example.org/x"]


@pytest.mark.parametrize(
    ("options", "slug"),
    [
        (["--url", "ftp://x", "--service", "s"], "bad-push-url"),
        (["--url", "https://me:secret@x", "--service", "s"], "bad-push-url"),
        (["--url", "http://example.org", "--service", "s", "--token-file", "token"], "push-plain-token"),
        (["--url", "http://localhost"], "no-service"),
        (["--url", "http://localhost", "--service", "s", "--label", "a-b=1"], "bad-label"),
        (["--url", "http://localhost", "--service", "s", "--label", "host=1"], "bad-label"),
        (["--url", "http://localhost", "--service", "s", "--token-file", "nowhere"], "bad-token"),
    ],
)
def test_wrong_commands_are_refused(data, capsys, options, slug) -> None:
    """Before anything is read or sent; a password is not repeated."""
    pathlib.Path("token").write_text("t", encoding="utf-8")
    assert _run("push", *options, data) == (3 if slug == "bad-token" else 2)
    error = capsys.readouterr().err
    assert f"[{slug}]" in error and "secret" not in error
