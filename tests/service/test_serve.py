"""`footfall serve --stdio`, as an editor speaks with it, and `footfall query`, which gives the same answers."""

import contextlib
import json
import marshal
import os
import pathlib
import re
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from conftest import REPOSITORY
from footfall.analyze.conditions.analysis import can_analyze
from footfall.cli.main import main
from footfall.record.data.elsewhere import note_elsewhere
from footfall.service.framing import frame
from footfall.service.methods.table import METHODS
from footfall.service.server import Server
from footfall.service.stdio import serve_streams
from footfall.service.workspace import Workspace
from service_client import BUSY_LINE, Client, make_project

pytestmark = pytest.mark.any_python


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A small project with data. Don't change it."""
    return make_project(tmp_path_factory.mktemp("project"))


@pytest.fixture(scope="module")
def client(project) -> Iterator[Client]:
    """A client that is initialized, shared by all tests."""
    client = Client(project)
    client.result("initialize", protocol_version=1)
    yield client
    assert client.end() == ""
    assert client.process.returncode == 0


def test_initialize_comes_first(project) -> None:
    """It settles the version and says what there is; it comes once, and after `shutdown` comes `exit`."""
    started = Client(project)
    assert started.ask("coverage/files")["error"]["code"] == -32002
    assert started.ask("initialize", protocol_version="1")["error"]["code"] == -32602
    assert started.ask("initialize")["error"]["code"] == -32602
    answer = started.result("initialize", protocol_version=7, client={"name": "a later one"})
    assert answer["protocol_version"] == 1
    assert (answer["root"], answer["data_file"]) == (str(project), str(project / ".coverage"))
    assert answer["has_data"]
    assert started.ask("initialize", protocol_version=1)["error"]["code"] == -32600
    assert started.ask("shutdown")["result"] is None
    assert started.ask("coverage/files")["error"]["code"] == -32600
    started.send(frame(b'{"jsonrpc": "2.0", "method": "exit"}'))
    assert (started.end(), started.process.returncode) == ("", 0)


def test_data_that_a_run_could_not_write_here_are_found(tmp_path, monkeypatch) -> None:
    """A note of a run leads to them, before the first answer about them; data that are here and later come before it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    here, elsewhere = make_project(tmp_path), tmp_path / "temporary"
    elsewhere.mkdir()
    data = elsewhere / ".coverage"
    os.rename(here / ".coverage", data)
    started = Client(here)
    assert not started.result("initialize", protocol_version=1)["has_data"]
    assert "error" in started.ask("coverage/files")
    note_elsewhere(str(here / ".coverage"), str(data))
    assert [each["name"] for each in started.result("coverage/files")["files"]] == ["shop.py", "test_shop.py"]
    assert started.receive()["params"] == {"data_file": str(data), "exists": True}
    shutil.copyfile(data, here / ".coverage")
    assert started.receive()["params"] == {"data_file": str(here / ".coverage"), "exists": True}
    started.end()


def test_a_message_that_is_nested_too_deeply(client) -> None:
    """It is an error in words, and the next message is answered."""
    client.send(frame(b"[" * 100_000))
    error = client.receive()["error"]
    assert error == {
        "code": -32700,
        "message": "The message is nested too deeply: footfall's requests have two levels.",
    }
    assert client.result("coverage/files")


def test_coverage_of_a_file(client, project) -> None:
    """coverage.py's JSON of the file, and what it does not say: where branches lead, statements, conditions, tests."""
    found = client.result("coverage/file", path="shop.py", tests=True)
    assert (found["path"], found["name"], found["is_stale"]) == (str(project / "shop.py"), "shop.py", False)
    assert found["coverage"]["executed_lines"] == [1, 2, 6, 8, 11, 17, 18]
    assert found["coverage"]["missing_lines"] == [7, 12, 13, 14]
    assert found["coverage"]["functions"]["refund"]["summary"]["covered_lines"] == 0
    never = "line 6 didn't jump to line 7 because the condition on line 6 was never true"
    assert found["branches"] == {"6": [{"to": 8, "taken": True, "text": ""}, {"to": 7, "taken": False, "text": never}]}
    assert found["statements"] == [[2, 5]]
    tests = found["tests"]
    names = {
        line: [tests["names"][number] for number in tests["sets"][at]] for line, at in tests["set_of_line"].items()
    }
    assert names["18"] == ["test_shop.py::test_busy"]
    assert names["2"] == ["test_shop.py::test_member", "test_shop.py::test_price"]
    assert "tests" not in client.result("coverage/file", path=str(project / "shop.py"))
    if can_analyze():
        assert [each["text"] for each in found["conditions"]["missing"] if each["line"] == 6] == ["total > 10"]
    quick = client.result("coverage/file", path="shop.py", without_conditions=True)
    assert quick == {**client.result("coverage/file", path="shop.py"), "conditions": None}


def test_numbers_are_those_of_the_json_report(client, project, footfall) -> None:
    """Of each file, and of all; of times and gaps too."""
    report = json.loads(footfall("json", "-q", "-o", "-", cwd=project).stdout)
    files = client.result("coverage/files")
    assert files["totals"] == report["totals"]
    assert {each["name"]: each["summary"] for each in files["files"]} == {
        name: each["summary"] for name, each in report["files"].items()
    }
    for each in files["files"]:
        assert client.result("coverage/file", path=each["path"])["coverage"] == report["files"][each["name"]]
    times = report["footfall"]["times"]["files"]["shop.py"]["lines"]
    found = client.result("profile/lines", path="shop.py")
    assert found["clock"] in ("cpu", "wall")
    assert {line: {"own": each["own"], "total": each["total"]} for line, each in found["lines"].items()} == times
    busy = found["lines"][str(BUSY_LINE)]
    assert 0 <= busy["own_share"] <= busy["total_share"] < 1
    assert busy["own_share" if BUSY_LINE == 18 else "total_share"] > 0  # PyPy's `sum` is a function of its own
    gaps = client.result("coverage/gaps", count=1)
    assert (gaps["n_gaps"], len(gaps["gaps"]), gaps["gaps"][0]["function"]) == (2, 1, "refund")
    by_name = {each["function"]: each["total"] for each in client.result("profile/hot", count=0)["functions"]}
    assert by_name["busy"] == report["footfall"]["times"]["files"]["shop.py"]["functions"]["busy"]["total"]


def test_who_tests_a_line(client) -> None:
    """Any line of a statement; one that no test ran, and one that ran on import alone."""
    found = client.result("tests/of_line", path="shop.py", line=4)
    assert (found["state"], found["measured_line"]) == ("run", 2)
    assert found["tests"] == ["test_shop.py::test_member", "test_shop.py::test_price"]
    assert not found["is_run_outside_tests"]
    missing = client.result("tests/of_line", path="shop.py", line=7)
    assert (missing["state"], missing["tests"]) == ("missing", [])
    imported = client.result("tests/of_line", path="shop.py", line=1)
    assert (imported["state"], imported["tests"], imported["is_run_outside_tests"]) == ("run", [], True)
    assert client.result("tests/of_line", path="shop.py", line=9)["state"] == "none"


def test_tests_of_lines_and_files(client, project) -> None:
    """Those of some lines, of a file, of each file, and what one of them ran; no more than asked for."""
    names = [f"test_shop.py::test_{name}" for name in ("busy", "member", "price")]
    lines = client.result("tests/of_line", path="shop.py", line=7, last_line=8)
    assert (lines["state"], lines["measured_line"], lines["tests"]) == ("run", 7, names[1:])
    assert client.result("tests/of_line", path="shop.py", line=12, last_line=14)["state"] == "missing"
    bounded = client.result("tests/of_line", path="shop.py", line=1, last_line=999_999, count=1)
    assert (bounded["tests"], bounded["n_tests"], bounded["is_run_outside_tests"]) == (names[:1], 3, True)
    assert client.result("tests/of_file", path="shop.py", first=1)["tests"] == names[1:]
    found = client.result("tests/by_file", first=1, count=1)
    assert (found["names"], found["n_tests"]) == (names[1:2], 3)
    assert {each["name"]: each["tests"] for each in found["files"]} == {"shop.py": [0], "test_shop.py": [0]}
    ran = client.result("tests/ran", test=names[2])["files"]
    lines_of = {each["name"]: set(each["lines"]) for each in ran}
    assert {2, 6, 8} <= lines_of["shop.py"] <= {2, 3, 4, 6, 8}  # by engine, with a statement's further lines or without
    assert lines_of["test_shop.py"] == {5}
    alone = client.result("coverage/file", path="shop.py", test=names[2])["coverage"]
    assert (alone["executed_lines"], alone["executed_branches"]) == ([2, 6, 8], [[6, 8]])
    assert client.result("coverage/file", path="shop.py", test=names[0])["coverage"]["executed_lines"] == [18]
    listed = client.result("tests/list", match="test_b")
    assert [each["name"] for each in listed["tests"]] == names[:1]
    assert 0 < listed["tests"][0]["cpu_seconds"] <= listed["tests"][0]["wall_seconds"]
    assert listed["other_names"] == []


@pytest.mark.skipif(sys.implementation.name == "pypy", reason="samples have neither tests nor lines there")
def test_parts_of_a_profile(client, project) -> None:
    """By test, thread and file: the parts add up to the whole, and their shares refer to them."""
    test = "test_shop.py::test_busy"
    whole = client.result("profile/hot", count=1)["total"]["samples"]
    inside = client.result("profile/hot", count=0, test=test)
    payload = client.result("profile/flame")["payload"]
    of_test = dict.fromkeys(payload["tests"], 0)
    for number, samples in zip(payload["costs"][2], payload["costs"][3], strict=True):
        of_test[payload["tests"][number]] += samples
    for name in ("", test):
        assert client.result("profile/hot", count=1, test=name)["total"]["samples"] == of_test[name]
    (busy,) = (each for each in inside["lines"] if (each["name"], each["line"]) == ("shop.py", 18))
    assert 0 < busy["total_share"] <= 1
    threads = client.result("profile/by", by="thread")["rows"]
    samples = [client.result("profile/hot", count=1, thread=each["thread"])["total"]["samples"] for each in threads]
    assert (samples, sum(samples)) == ([each["self"]["samples"] for each in threads], whole)
    of_file = client.result("profile/by", by="line", path="shop.py", test=test)
    assert str(project / "shop.py") in [each["path"] for each in of_file["rows"]]
    assert busy["total"]["samples"] <= of_file["samples"] <= inside["total"]["samples"]
    lines = client.result("profile/lines", path="shop.py", test=test)["lines"]
    assert lines["18"]["own"] == busy["own"]
    flame = client.result("profile/flame", test=test)["payload"]
    assert flame["tests"] == ["", test]
    assert sum(flame["costs"][3]) == inside["total"]["samples"]
    assert {each["name"] for each in client.result("profile/by", by="test")["rows"]} > {test}


def test_difference_of_two_profiles(client, project) -> None:
    """Functions that take longer or less long, the greatest change first; those that take as long are not named.

    Where few are compared nothing tells the machine's part, so none is named as slower or faster.
    """
    shop = str(project / "shop.py")
    for name, seconds in (("was.prof", (0.4, 0.3, 0.2)), ("is.prof", (0.9, 0.3, 0.1))):
        rows = zip(("busy", "price", "refund"), (17, 1, 11), seconds, strict=True)
        stats = {(shop, line, function): (1, 1, took, took, {}) for function, line, took in rows}
        (project / f"few-{name}").write_bytes(marshal.dumps(stats))
        stats |= {("other.py", line, f"other{line}"): (1, 1, 0.3, 0.3, {}) for line in range(1, 9)}
        (project / name).write_bytes(marshal.dumps(stats))
    found = client.result("profile/difference", before="was.prof", profile="is.prof")
    changes = [[(each["function"], each["path"]) for each in found[kind]] for kind in ("slower", "faster")]
    assert (found["clock"], changes) == ("wall", [[("busy", shop)], [("refund", shop)]])
    back = client.result("profile/difference", before="is.prof", profile="was.prof", count=1)
    assert ([each["function"] for each in back["faster"]], back["n_slower"]) == (["busy"], 1)
    assert client.result("profile/difference", before="was.prof", profile="was.prof")["n_slower"] == 0
    few = client.result("profile/difference", before="few-was.prof", profile="few-is.prof")
    assert (few["is_decided"], few["n_slower"], few["n_faster"]) == (False, 0, 0)
    assert [each["function"] for each in few["undecided"]] == ["busy", "refund"]
    assert few["warnings"][-1]["slug"] == "noise-unknown"


def test_difference_of_coverage(client, project, footfall) -> None:
    """What runs now and did not in another run, and the reverse, with the totals of both, as `footfall diff` says it."""
    (project / "main.py").write_text("import shop\n\nshop.price(1, False)\nshop.refund(1)\n")
    assert footfall("run", "-q", "--data-file=main.coverage", "main.py", cwd=project).returncode == 0
    found = client.result("coverage/difference", before="main.coverage")
    shop = found["files"]["shop.py"]
    assert (shop["covered_lines"], shop["uncovered_lines"]) == ([18], [12, 14])
    assert [found[when]["covered_lines"] for when in ("before", "now")] == [11, 14]
    told = json.loads(footfall("diff", "main.coverage", "--format=json", "--fail-on=none", cwd=project).stdout)
    assert {**told["coverage"], "warnings": []} == {**found, "warnings": []}
    (project / "was.prof").write_bytes(marshal.dumps({}))
    assert client.ask("coverage/difference", before="was.prof")["error"]["data"]["slug"] == "data-foreign"


def test_flame_graph(client, project, footfall) -> None:
    """The viewer's data with the files' paths, or its page; of the data file or of another tool's profile."""
    found = client.result("profile/flame")
    assert [str(project / "shop.py")] == [page for name, page, _ in found["payload"]["files"] if name == "shop.py"]
    assert footfall("export", "--format", "collapsed", "-o", "stacks.txt", cwd=project).returncode == 0
    other = client.result("profile/flame", profile="stacks.txt", before=".coverage", page=True, clock="samples")
    assert other["title"] == ".coverage and stacks.txt"
    assert other["page"].startswith("<!DOCTYPE html>")
    lines = client.result("profile/lines", path="shop.py", profile="stacks.txt")
    assert lines["is_stale"] is None


@pytest.mark.parametrize(
    ("method", "params", "code", "slug"),
    [
        ("coverage/nothing", {}, -32601, None),
        ("coverage/file", {}, -32602, None),
        ("coverage/file", {"path": 3}, -32602, None),
        ("coverage/file", {"path": ""}, -32602, None),
        ("coverage/file", {"path": "a\0b"}, -32602, None),
        ("coverage/file", {"path": "\ud800"}, -32602, None),
        ("coverage/file", {"path": "x" * 5000}, -32602, None),
        ("coverage/file", {"path": "shop.py", "tests": 1}, -32602, None),
        ("coverage/file", {"path": "x/" * 2000}, -32000, "file-not-measured"),
        ("coverage/file", {"path": "unmeasured.py"}, -32000, "file-not-measured"),
        ("coverage/file", {"path": "/etc/passwd"}, -32000, "outside-project"),
        ("coverage/file", {"path": "../../etc/passwd"}, -32000, "outside-project"),
        ("coverage/stale", {"paths": "shop.py"}, -32602, None),
        ("coverage/stale", {"paths": ["shop.py", None]}, -32602, None),
        ("coverage/gaps", {"count": -1}, -32602, None),
        ("coverage/gaps", {"count": True}, -32602, None),
        ("coverage/gaps", {"count": 10**30}, -32602, None),
        ("tests/of_line", {"path": "shop.py"}, -32602, None),
        ("tests/of_line", {"path": "shop.py", "line": 1.5}, -32602, None),
        ("tests/of_line", {"path": "shop.py", "line": 4, "last_line": 3}, -32602, None),
        ("tests/of_line", {"path": "shop.py", "line": 20}, -32000, "query-unknown"),
        ("tests/ran", {}, -32602, None),
        ("tests/ran", {"test": "test_shop.py::test_none"}, -32000, "test-unknown"),
        ("tests/list", {"match": 7}, -32602, None),
        ("tests/of_file", {"path": "unmeasured.py"}, -32000, "file-not-measured"),
        ("coverage/file", {"path": "shop.py", "test": "price"}, -32000, "test-unknown"),
        ("profile/by", {"by": "colour"}, -32602, None),
        ("profile/by", {"thread": 1000}, -32000, "nothing-selected"),
        ("profile/hot", {"test": "test_shop.py::test_none"}, -32000, "nothing-selected"),
        ("profile/flame", {"path": ".coverage"}, -32000, "nothing-selected"),
        ("profile/flame", {"path": "no_such.py"}, -32000, "file-not-measured"),
        ("profile/hot", {"path": "no_such.py"}, -32000, "file-not-measured"),
        ("profile/hot", {"path": ".", "test": "test_shop.py::test_busy"}, -32000, "file-not-measured"),
        ("profile/by", {"path": "no_such.py"}, -32000, "file-not-measured"),
        ("profile/difference", {}, -32602, None),
        ("profile/difference", {"before": ".coverage", "clock": "samples"}, -32602, None),
        ("profile/lines", {"path": "shop.py", "profile": "/proc/self/mem"}, -32000, "outside-project"),
        ("profile/flame", {"profile": "missing.data"}, -32000, "no-data"),
        ("profile/flame", {"profile": "shop.py"}, -32000, "profile-unknown"),
        ("profile/flame", {"clock": "sun"}, -32602, None),
    ],
    ids=str,
)
def test_wrong_requests_are_errors_of_their_own(client, method, params, code, slug) -> None:
    """With a code, for our errors a slug, and no traceback; the service goes on."""
    answer = client.ask(method, **params)
    assert answer["error"]["code"] == code, answer
    assert answer["error"].get("data", {}).get("slug") == slug
    assert "Traceback" not in json.dumps(answer)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (frame(b"{"), -32700),
        (frame(b"\xff\xfe"), -32700),
        (frame(b"[" * 100_000), -32700),
        (frame(b'{"id": NaN}'), -32700),
        (frame(b'{"id": ' + b"9" * 10_000 + b"}"), -32700),
        (frame(b"[]"), -32600),
        (frame(b"3"), -32600),
        (frame(b'{"jsonrpc": "2.0", "id": true, "method": "coverage/files"}'), -32600),
        (frame(b'{"jsonrpc": "2.0", "id": {}, "method": "coverage/files"}'), -32600),
        (frame(b'{"jsonrpc": "1.0", "id": 1, "method": "coverage/files"}'), -32600),
        (frame(b'{"jsonrpc": "2.0", "id": 1, "method": 7}'), -32600),
        (frame(b'{"jsonrpc": "2.0", "id": 1, "method": "coverage/files", "params": [1]}'), -32602),
        (b"Content-Length: 123456789012\r\n\r\n", -32700),
        (b"Content-Length: x\r\n\r\n", -32700),
        (b"GET / HTTP/1.1\n\n", -32700),
    ],
    ids=lambda value: repr(value)[:60],
)
def test_messages_that_are_none_are_answered(client, content, code) -> None:
    """And what comes next is understood. A notification gets no answer, whatever it is."""
    client.send(content)
    assert client.receive()["error"]["code"] == code
    client.send(frame(b'{"jsonrpc": "2.0", "method": "coverage/file"}'))
    assert client.result("coverage/stale") == {
        "changed": [],
        "gone": [],
        "unknown": [],
        "not_measured": [],
        "warnings": [],
    }


@pytest.fixture
def own(project, tmp_path):
    """A copy of the project to change, with data of the copy's files."""
    for path in (*project.glob("*.py"), project / ".coverage"):
        shutil.copy(path, tmp_path)
    with contextlib.closing(sqlite3.connect(tmp_path / ".coverage")) as connection, connection:
        for table in ("file", "footfall_source"):
            connection.execute(f"update {table} set path = replace(path, ?, ?)", (str(project), str(tmp_path)))
    client = Client(tmp_path)
    client.result("initialize", protocol_version=1)
    yield tmp_path, client
    assert client.end() == ""


def test_a_source_that_changed_since(own) -> None:
    """Its numbers are given for the measured text if git has it, or a client asked before; else refused."""
    root, client = own
    text = (root / "shop.py").read_text()
    edited = "# new\n\n" + text.replace("raise ValueError(total)", "return 0")
    (root / "shop.py").write_text(edited)
    assert client.result("coverage/stale", paths=["shop.py"])["changed"] == [str(root / "shop.py")]
    assert client.ask("coverage/file", path="shop.py")["error"]["data"]["slug"] == "source-unknown"
    assert client.result("profile/lines", path="shop.py")["unchanged"] is None
    files, gaps = client.result("coverage/files"), client.result("coverage/gaps")
    assert [(each["name"], each["slug"]) for each in files["unreadable"]] == [("shop.py", "source-unknown")]
    assert [each["name"] for each in files["files"]] == ["test_shop.py"]
    assert (gaps["gaps"], gaps["stale_files"], gaps["unreadable"]) == ([], ["shop.py"], files["unreadable"])
    assert ["source-unknown"] == [each["slug"] for each in gaps["warnings"]]

    with Client(root) as other:
        other.result("initialize", protocol_version=1)
        (root / "shop.py").write_text(text)
        assert not other.result("coverage/file", path="shop.py")["is_stale"]
        (root / "shop.py").write_text(edited)
        assert other.result("coverage/file", path="shop.py")["unchanged"] == [[1, 3, 12], [14, 16, 6]]
        assert other.result("profile/lines", path="shop.py")["unchanged"] == [[1, 3, 12], [14, 16, 6]]

    for arguments in (["init", "-q"], ["hash-object", "-w", "--stdin"]):
        subprocess.run(["git", *arguments], cwd=root, input=text.encode(), check=True, capture_output=True)
    found = client.result("coverage/file", path="shop.py")
    assert found["is_stale"]
    assert found["coverage"]["missing_lines"] == [7, 12, 13, 14]
    assert found["unchanged"] == [[1, 3, 12], [14, 16, 6]]
    assert client.result("profile/lines", path="shop.py")["unchanged"] == found["unchanged"]
    files, gaps = client.result("coverage/files"), client.result("coverage/gaps")
    assert [(each["name"], each["is_stale"]) for each in files["files"]] == [("shop.py", True), ("test_shop.py", False)]
    assert files["files"][0]["summary"] == found["coverage"]["summary"]
    assert {(each["function"], each["start_line"], each["missing"]) for each in gaps["gaps"]} == {
        ("refund", 11, "12-14"),
        ("price", 1, "7"),
    }
    assert (gaps["stale_files"], gaps["unreadable"]) == (["shop.py"], [])
    assert gaps["unchanged"] == {"shop.py": found["unchanged"]}
    for answer in (files, gaps):
        assert ["source-newer"] == [each["slug"] for each in answer["warnings"]]
    moved = client.result("tests/of_line", path="shop.py", line=6)
    assert (moved["measured_line"], len(moved["tests"])) == (2, 2)
    assert client.ask("tests/of_line", path="shop.py", line=15)["error"]["data"]["slug"] == "source-newer"

    (root / "shop.py").unlink()
    assert client.result("coverage/stale")["gone"] == [str(root / "shop.py")]
    files = client.result("coverage/files")  # one that can't be read is left out, and named
    assert [each["name"] for each in files["unreadable"]] == ["shop.py"]
    assert [each["name"] for each in files["files"]] == ["test_shop.py"]
    found = client.result("coverage/file", path="shop.py")
    assert (found["is_stale"], found["unchanged"]) == (True, [])
    assert "gone" in next(each["text"] for each in found["warnings"] if each["slug"] == "source-newer")
    assert client.result("profile/lines", path="shop.py")["unchanged"] == []
    refused = client.ask("tests/of_line", path="shop.py", line=2)["error"]
    assert (refused["data"]["slug"], "gone" in refused["message"]) == ("source-newer", True)


def test_settings_are_those_of_the_moment(own) -> None:
    """Written while the service runs, and wrong: an error until they are mended."""
    root, client = own
    assert client.result("coverage/file", path="shop.py")["coverage"]["excluded_lines"] == []
    (root / ".coveragerc").write_text("[report]\nexclude_also = def refund\n")
    assert client.result("coverage/file", path="shop.py")["coverage"]["excluded_lines"] == [11, 12, 13, 14]
    (root / ".coveragerc").write_text("[report]\nexclude_also = (\n")
    assert client.ask("coverage/file", path="shop.py")["error"]["data"]["slug"] == "config-value"
    (root / ".coveragerc").unlink()
    whole = client.result("profile/hot", count=0)["total"]["samples"]
    (root / ".coveragerc").write_text("[report]\ncontexts = test_busy\n")
    assert client.result("profile/hot", count=0)["total"]["samples"] < whole
    assert client.result("coverage/file", path="shop.py")["coverage"]["executed_lines"] == [18]


def test_a_new_data_file_is_told(own) -> None:
    """Written, removed, and written again; damaged data is an error of the request."""
    root, client = own
    data = root / ".coverage"
    kept = data.read_bytes()
    os.utime(data, (1, 1))
    assert client.receive() == {
        "jsonrpc": "2.0",
        "method": "data/changed",
        "params": {"data_file": str(data), "exists": True},
    }
    data.unlink()
    assert client.receive()["params"]["exists"] is False
    assert client.ask("coverage/files")["error"]["data"]["slug"] == "no-data"
    (root / "damaged").write_bytes(kept[:5000])
    os.replace(root / "damaged", data)
    assert client.receive()["params"]["exists"] is True
    assert client.ask("coverage/file", path="shop.py")["error"]["data"]["slug"] == "data-corrupt"
    assert client.ask("profile/hot")["error"]["data"]["slug"] == "data-corrupt"


def test_other_directories_are_allowed_by_name(project, tmp_path) -> None:
    """A profile elsewhere is opened with --allow alone, and not through a link that leads elsewhere."""
    shutil.copy(project / ".coverage", tmp_path / "other.data")
    os.symlink(tmp_path / "other.data", project / "link.data")
    for options, is_opened in (((), False), (("--allow", str(tmp_path)), True)):
        client = Client(project, *options)
        client.result("initialize", protocol_version=1)
        for path in (str(tmp_path / "other.data"), "link.data"):
            assert ("result" in client.ask("profile/lines", path="shop.py", profile=path)) is is_opened
        client.end()


def test_each_method_is_documented_with_an_example(client) -> None:
    """docs/protocol.md has every method that the service names, and its examples' members are those of real results."""
    text = (REPOSITORY / "docs" / "protocol.md").read_text(encoding="utf-8")
    section = re.compile(r"^### `([\w/]+)`\n(.*?)(?=^##|\Z)", re.MULTILINE | re.DOTALL)
    examples = {
        name: [json.loads(block) for block in re.findall(r"```json\n(.*?)```", body, re.DOTALL)]
        for name, body in section.findall(text)
    }
    assert set(METHODS) < set(examples)
    for method in METHODS:
        params, result = examples[method]
        found = client.result(method, **params)
        assert set(result) <= set(found), method
        assert set(found) - set(result) <= {"warnings"}, method


@pytest.mark.parametrize(
    ("question", "method", "params"),
    [
        (["who tests shop.py:2"], "tests/of_line", {"path": "shop.py", "line": 2}),
        (["who", "tests", "shop.py:18"], "tests/of_line", {"path": "shop.py", "line": 18}),
        (["file shop.py", "--tests"], "coverage/file", {"path": "shop.py", "tests": True}),
        (["lines", "shop.py", "--profile=.coverage"], "profile/lines", {"path": "shop.py", "profile": ".coverage"}),
        (["files"], "coverage/files", {}),
        (["gaps", "-n", "1"], "coverage/gaps", {"count": 1}),
        (["hot", "-n", "3"], "profile/hot", {"count": 3}),
        (["stale"], "coverage/stale", {}),
        (["tests", "-n", "1"], "tests/list", {"count": 1}),
        (["who tests shop.py"], "tests/of_file", {"path": "shop.py"}),
        (["who tests shop.py:2:7"], "tests/of_line", {"path": "shop.py", "line": 2}),
        (["who  tests shop.py:2-6"], "tests/of_line", {"path": "shop.py", "line": 2, "last_line": 6}),
        (["test", "test_shop.py::test_price"], "tests/ran", {"test": "test_shop.py::test_price"}),
        (["by thread"], "profile/by", {"by": "thread"}),
        (["covered since .coverage"], "coverage/difference", {"before": ".coverage"}),
        (["slower since .coverage"], "profile/difference", {"before": ".coverage"}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_query_answers_as_the_service_does(client, project, monkeypatch, capfd, question, method, params) -> None:
    """The same JSON, and nothing else, on stdout."""
    monkeypatch.chdir(project)
    assert _query(*question) == 0
    printed = capfd.readouterr()
    assert printed.err == ""
    assert json.loads(printed.out) == client.result(method, **params)


def _query(*words: str) -> object:
    with pytest.raises(SystemExit) as ended:
        main(["query", *words])
    return ended.value.code


@pytest.mark.parametrize(
    ("question", "status", "slug"),
    [
        (["who"], 2, "query-unknown"),
        ([""], 2, "query-unknown"),
        (["who tests"], 2, "query-unknown"),
        (["who tests shop.py:"], 2, "query-unknown"),
        (["who tests shop.py:0"], 2, "query-unknown"),
        (["who tests shop.py:-1"], 2, "query-unknown"),
        (["who tests shop.py:1.5"], 2, "query-unknown"),
        (["who tests shop.py:6-2"], 2, "query-unknown"),
        (["who tests shop.py:99999999999"], 2, "query-unknown"),
        (["who tests gone.py"], 3, "file-not-measured"),
        (["test nothing"], 3, "test-unknown"),
        (["lines gone.py"], 3, "file-not-measured"),
        (["by colour"], 2, "query-unknown"),
        (["slower"], 2, "query-unknown"),
        (["file"], 2, "query-unknown"),
        (["hot or not"], 2, "query-unknown"),
        (["file shop.py", "-n", "3"], 2, "query-unknown"),
        (["gaps", "--tests"], 2, "query-unknown"),
        (["file /etc/passwd"], 2, "outside-project"),
        (["file unmeasured.py"], 3, "file-not-measured"),
        (["files", "--data-file=gone"], 3, "no-data"),
    ],
    ids=str,
)
def test_questions_that_have_no_answer(project, monkeypatch, capfd, question, status, slug) -> None:
    """One line that says what to ask instead, and nothing on stdout."""
    monkeypatch.chdir(project)
    assert _query(*question) == status
    printed = capfd.readouterr()
    assert printed.out == ""
    assert printed.err.endswith(f"[{slug}]\n")
    assert printed.err.count("\n") == 1


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ("gone.py:3", "There is no file gone.py. Name it as it is from {root}, or by its whole path."),
        ("gone.py", "There is no file gone.py. Name it as it is from {root}, or by its whole path."),
        (".", "{root} is a directory. Ask about a file."),
        ("shop.py:20", "shop.py has 18 lines: there is no line 20."),
        ("shop.py:abc", "'abc' is no line of shop.py. Ask \"who tests FILE:LINE\""),
        ("shop.py:5-2", "The lines 5-2 end before they begin. Ask"),
        ("shop.py:0", "There is no line 0 in a file: lines count from 1. Ask"),
        ("shop.py:99999999999999999999999", "No file has a line 99999999999999999999999. Ask"),
        ("shop.py:" + "9" * 5000, "is no line of shop.py. Ask"),
    ],
    ids=lambda text: text[:30],
)
def test_a_place_that_is_none_is_called_that(project, monkeypatch, capfd, place: str, expected: str) -> None:
    """No file, or none that was measured; a line that no file or not this one has; or no line at all."""
    monkeypatch.chdir(project)
    assert _query("who", "tests", place) in (2, 3)
    assert expected.format(root=project) in capfd.readouterr().err


def test_a_project_that_was_copied_says_where_it_was_measured(project, tmp_path, monkeypatch, capfd) -> None:
    """An answer names the file at its old place and the next step, and `coverage/stale` warns; a new file has none."""
    for path in (*project.glob("*.py"), project / ".coverage"):
        shutil.copy(path, tmp_path)
    (tmp_path / "new.py").touch()
    monkeypatch.chdir(tmp_path)
    was = f"was measured as {project}/shop.py. Run the tests again here, or name both places in `[paths]` of the"
    for question in ("file shop.py", "who tests shop.py:2", "who tests shop.py"):
        assert _query(question) == 3
        assert f".coverage has no coverage of shop.py. It {was}" in capfd.readouterr().err
    assert _query("file new.py") == 3
    assert "No code of it ran" in capfd.readouterr().err
    assert _query("stale") == 0
    (warning,) = json.loads(capfd.readouterr().out)["warnings"]
    assert warning["slug"] == "measured-elsewhere"
    assert f"shop.py {was}" in warning["text"]


def test_paths_without_data_are_not_fresh(own) -> None:
    """Those that were asked for are told apart from files that are as measured, be they there or not."""
    root, client = own
    (root / "new.py").touch()
    found = client.result("coverage/stale", paths=["shop.py", "new.py", "gone.py"])
    assert found["not_measured"] == [str(root / "gone.py"), str(root / "new.py")]
    assert found["changed"] == found["gone"] == found["unknown"] == []


def test_serve_needs_its_transport(footfall) -> None:
    """There is one, and it is named, so that there can be others."""
    assert "[no-transport]" in footfall("serve").stderr
    assert "'./gone' does not exist" in footfall("serve", "--stdio", "--allow", "./gone").stderr


def test_serve_without_standard_output(project) -> None:
    """There is nowhere to answer: a message says so, as for every report."""
    done = subprocess.run(
        ["sh", "-c", '"$1" -m footfall serve --stdio >&-', "sh", sys.executable],
        cwd=project,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 3
    assert done.stderr.count("\n") == 1
    assert "[stdout-unwritable]" in done.stderr


@pytest.mark.parametrize("is_windows", [False, True])
def test_input_comes_in_pieces_and_ends(project, monkeypatch, is_windows: bool) -> None:
    """Requests that arrive in two parts are answered, also by the thread that reads on Windows; then the input ends."""
    monkeypatch.setattr("footfall.service.stdio.IS_WINDOWS", is_windows)
    monkeypatch.chdir(project)
    their_end, ours = os.pipe()
    answers, output = os.pipe()
    text = frame(
        json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"protocol_version": 1}}).encode()
    )
    serving = threading.Thread(target=serve_streams, args=(Server(Workspace()), their_end, output))
    serving.start()
    os.write(ours, text[:30])
    os.write(ours, text[30:] + text)
    got = b""
    while got.count(b"Content-Length") < 2:
        got += os.read(answers, 1 << 16)
    assert b'"result"' in got
    os.close(ours)
    serving.join()
    for descriptor in (their_end, answers, output):
        os.close(descriptor)


def test_answers_say_what_a_profile_lacks(client, project, monkeypatch, capfd) -> None:
    """A profile that can be read in part alone qualifies times; commands that rank by it say the same."""
    (project / "part.folded").write_text("main (shop.py) 3\nnot a stack\n", encoding="utf-8")
    what = {"slug": "profile-damaged", "text": "1 line could not be read and is left out."}
    for method, params in (
        ("coverage/gaps", {}),
        ("profile/hot", {}),
        ("profile/lines", {"path": "shop.py"}),
        ("profile/flame", {}),
    ):
        assert client.result(method, profile="part.folded", **params)["warnings"] == [what], method
        assert client.result(method, **params)["warnings"] == [], method
    monkeypatch.chdir(project)
    for command in (["gaps"], ["html", "-q", "-d", "site"], ["query", "hot"]):
        with pytest.raises(SystemExit, match="0"):
            main([*command, "--profile", "part.folded"])
        printed = capfd.readouterr()
        assert "profile-damaged" in (printed.out if command[0] == "query" else printed.err)


def test_gaps_by_a_profile_that_has_counts_alone(client, project, monkeypatch, capfd) -> None:
    """Its samples are of no known length: they are given as numbers, and there are no seconds."""
    (project / "counts.folded").write_text("busy (shop.py:18) 15\nrefund (shop.py:12) 30\n", encoding="utf-8")
    found = client.result("coverage/gaps", profile="counts.folded")
    assert (found["clock"], found["total_samples"], found["untested_samples"]) == ("samples", 45, 30)
    assert (found["total_seconds"], found["untested_seconds"]) == (None, None)
    first = found["gaps"][0]
    assert (first["function"], first["untested_samples"], first["own_samples"]) == ("refund", 30, 30)
    assert (first["untested_seconds"], first["own_seconds"]) == (None, None)
    monkeypatch.chdir(project)
    with pytest.raises(SystemExit, match="0"):
        main(["gaps", "--profile", "counts.folded"])
    assert "no test runs refund (66.7 % of production samples, 3 lines)" in capfd.readouterr().out


def test_hot_functions_of_a_profile_without_files(client, project) -> None:
    """Collapsed stacks may have names alone: these are given, without a place, by their own time."""
    (project / "names.folded").write_text("main;work;inner 30\nmain;other 10\nmain (shop.py) 5\n", encoding="utf-8")
    found = client.result("profile/hot", profile="names.folded", count=3)
    assert [(each["function"], each["own"]["samples"], each["total"]["samples"]) for each in found["functions"]] == [
        ("inner", 30, 30),
        ("other", 10, 10),
        ("main", 5, 5),
    ]
    places = [(each["path"], each["name"], each["line"], each["is_library"]) for each in found["functions"]]
    assert places[:2] == [("", "", 0, None)] * 2
    assert places[2][:2] == (str(project / "shop.py"), "shop.py")
    assert found["lines"] == []
