"""Lakes and data files at URLs: in memory, and at a server of S3."""

import json
import os
import pathlib
import subprocess
import sys

import pytest

from footfall.record.data.coverage_tables import FileData, read_lines_by_context, write_coverage
from footfall.record.data.source_ids import blob_id, write_source_ids
from footfall.record.lake.layout import Partition, find_shards
from repository import footfall

pytestmark = pytest.mark.any_python

APP = "def grade(points):\n    return points\n\ndef unused():\n    return 1\n"

SERVER = """\
import sys
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
print("http://%s:%d" % server.get_host_and_port(), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def here(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """A directory with app.py, and the data `one` and `two`."""
    for package in ("pyarrow", "duckdb", "s3fs"):
        pytest.importorskip(package, reason=f"{package} has no wheel for this Python")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "app.py").write_text(APP, encoding="utf-8")
    app = str(tmp_path / "app.py")
    for name, lines in (("one", {1, 2, 4}), ("two", {4, 5})):
        with write_coverage(name, {app: FileData({"": {1, 4}, f"{name}|run": lines})}, has_arcs=False) as connection:
            write_source_ids(connection, {app: blob_id(APP.encode())})
    return tmp_path


@pytest.fixture
def s3(here, monkeypatch: pytest.MonkeyPatch):
    """A server of S3 with the bucket `lakes`."""
    pytest.importorskip("moto", reason="moto is not installed")
    server = subprocess.Popen([sys.executable, "-c", SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)  # fmt: skip
    with server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.stdout.readline().strip())
        for key, value in (("ACCESS_KEY_ID", "a"), ("SECRET_ACCESS_KEY", "b"), ("DEFAULT_REGION", "us-east-1")):
            monkeypatch.setenv(f"AWS_{key}", value)
        import s3fs

        store = s3fs.S3FileSystem()
        store.mkdir("lakes")
        for number, name in enumerate(("one", "two"), 1):
            store.put_file(name, f"lakes/data/{number}.cov")
        yield
        server.stdin.close()


@pytest.mark.slow
def test_a_lake_in_s3(here, s3, capsys) -> None:
    """Data files from there, a lake there: the answers are those of a lake in a directory, and it comes back whole."""

    def run(*arguments: str, status: int = 0) -> tuple[str, str]:
        assert footfall(*arguments) == status
        return capsys.readouterr()

    url, named = "s3://lakes/a/lake", ("--commit", "it's/1", "--repository=r")
    assert run("lake", "add", "lake", "one", "two", *named)[1].count("Added ") == 2
    assert run("lake", "add", url, "s3://lakes/data/*.cov", *named)[1].count("Added s3://lakes/data/") == 2
    run("lake", "add", url, "s3://lakes/data/1.cov", *named)  # again
    for question in (["report", "-m"], ["who-tests", "app.py:5"], ["history", "unused"], ["flaky"]):
        assert run("lake", *question, "--lake", url) == run("lake", *question, "--lake=lake")
    run("lake", "extract", url, "-o", "back")
    run("lake", "extract", "lake", "-o", "expected")
    back, expected = (json.loads(run("json", "-o", "-", "--data-file", name)[0]) for name in ("back", "expected"))
    assert back["files"] == expected["files"]
    for arguments, slug in (
        (["add", "lake", "s3://lakes/data/9.cov"], "no-data"),
        (["add", "lake", "s3://lakes/data/9*"], "no-data"),
        (["add", "s3://nowhere/lake", "one"], "output-unwritable"),
        (["report", "--lake=s3://lakes/none"], "no-lake"),
        (["report", "--lake=nothing://lakes/none"], "no-lake"),
    ):
        assert f"[{slug}]" in run("lake", *arguments, status=3)[1]
    _combines_from_s3(run)


def _combines_from_s3(run) -> None:
    """`combine` takes files, patterns and folders there, beside files here, and removes nothing there."""
    import s3fs

    store = s3fs.S3FileSystem()
    for name in ("one", "two"):
        store.put_file(name, f"lakes/shards/.coverage.{name}")
    pathlib.Path("bad").write_text("no data")
    store.put_file("bad", "lakes/shards/other")
    store.put_file("bad", "lakes/shards/.coverage.bad")
    run("combine", "one", "two", "--keep", "-q", "--data-file=expected")
    (expected,) = read_lines_by_context("expected").values()
    error = run("combine", "s3://lakes/shards/", status=1)[1]
    assert "s3://lakes/shards/.coverage.bad" in error and "Combined 2 files into .coverage" in error
    assert [*read_lines_by_context(".coverage").values()] == [expected]
    run("combine", "s3://lakes/data/2.cov", "one", "--keep", "--data-file=mixed")
    assert [*read_lines_by_context("mixed").values()] == [expected]
    run("combine", "s3://lakes/data/?.cov", "--data-file=all")
    assert [*read_lines_by_context("all").values()] == [expected]
    assert len(store.ls("lakes/shards")) == 4 and len(store.ls("lakes/data")) == 2
    assert "[no-data]" in run("combine", "s3://lakes/data/9.cov", status=3)[1]


def test_a_shard_is_there_when_it_is_complete(here, capsys) -> None:
    """What an interrupted writer has left at a URL is no shard, and is not read with the others; the next one replaces it."""
    import fsspec

    lake = f"memory://{os.getpid()}/lake"
    assert footfall("lake", "add", lake, "one", "two", "-q", "--commit=c", "--repository=r") == 0
    two = max(find_shards(lake))
    assert [each.commit for each in find_shards(lake)] == ["c", "c"] and two == Partition("r", "c", two.shard)
    capsys.readouterr()
    store = fsspec.filesystem("memory")
    store.rm_file(f"/{os.getpid()}/lake/{two.folder}/shard.parquet")
    assert find_shards(lake) == [each for each in find_shards(lake) if each != two]
    asked = ("lake", "tests", "--lake", lake)
    assert footfall(*asked) == 0
    left = capsys.readouterr().out
    assert left in ("one\n", "two\n")
    assert footfall("lake", "add", lake, "one", "two", "-q", "--commit=c", "--repository=r") == 0
    assert footfall(*asked) == 0
    assert capsys.readouterr().out == "one\ntwo\n"
