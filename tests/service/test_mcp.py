"""`footfall serve --mcp`, as an agent's client speaks with it: a message on each line."""

import json
import pathlib
import re
import subprocess
import sys

import pytest

from footfall.service import mcp
from footfall.service.framing import MAX_MESSAGE_BYTES, BadFrame, LineReader
from footfall.service.mcp import MCP_VERSIONS, McpServer
from footfall.service.workspace import Workspace
from service_client import make_project

pytestmark = pytest.mark.any_python


def _converse(root: pathlib.Path, *lines: object) -> list[dict]:
    """Return the answers to the lines; those that are no text are written as JSON."""
    text = "".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines)
    done = subprocess.run(
        [sys.executable, "-m", "footfall", "serve", "--mcp"],
        cwd=root,
        input=text.encode(),
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    return [json.loads(line) for line in done.stdout.splitlines()]


def _request(number: int, method: str, **params: object) -> dict:
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": params}


def test_tools_answer_as_the_service_does(tmp_path) -> None:
    """A client introduces itself, asks what tools there are and calls them; wrong calls are results or errors."""
    root = make_project(tmp_path)
    calls = [
        ("tests_of_line", {"path": "shop.py", "line": 4}, '"test_shop.py::test_member", "test_shop.py::test_price"'),
        ("coverage_file", {"path": "shop.py"}, '"missing_lines": [7, 12, 13, 14]'),
        ("profile_hot", {"count": 1}, '"functions": [{'),
        ("coverage_difference", {"before": ".coverage"}, '"files": {}, "not_compared": {}'),
        ("tests_ran", {"test": "test_shop.py::test_price"}, '"name": "shop.py", "lines": [2, '),
    ]
    wrong = [
        ("coverage_file", {"path": "/etc/passwd"}, "[outside-project]"),
        ("coverage_file", {}, "`path` is a path"),
        ("coverage_file", {"path": "shop.py", "colour": 1}, "There is no argument 'colour'."),
        ("tests_of_line", {"path": "shop.py", "line": "4"}, "`line` is a whole number"),
    ]
    answers = _converse(
        root,
        _request(
            0, "initialize", protocolVersion="2025-06-18", capabilities={}, clientInfo={"name": "a", "version": "1"}
        ),
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        _request(1, "tools/list"),
        _request(2, "ping"),
        *(_request(10 + at, "tools/call", name=name, arguments=given) for at, (name, given, _) in enumerate(calls)),
        *(_request(20 + at, "tools/call", name=name, arguments=given) for at, (name, given, _) in enumerate(wrong)),
        "",
        _request(30, "tools/call", name="nothing"),
        _request(31, "tools/call", name="coverage_files", arguments=[1]),
        _request(32, "resources/list"),
        "{",
        "[]",
        "[" * 100_000,
        _request(33, "initialize", protocolVersion="1999-01-01"),
    )
    by_id = {each["id"]: each for each in answers if each["id"] is not None}
    assert by_id[0]["result"]["protocolVersion"] == "2025-06-18"
    assert by_id[0]["result"]["capabilities"] == {"tools": {}}
    assert by_id[33]["result"]["protocolVersion"] == MCP_VERSIONS[0]
    tools = {tool["name"]: tool["inputSchema"] for tool in by_id[1]["result"]["tools"]}
    assert tools["tests_of_line"]["required"] == ["path", "line"]
    assert by_id[2]["result"] == {}
    for first, is_error, each in ((10, False, calls), (20, True, wrong)):
        for at, (name, given, expected) in enumerate(each, first):
            result = by_id[at]["result"]
            (content,) = result["content"]
            assert (result["isError"], content["type"]) == (is_error, "text"), name
            assert expected in content["text"], (name, given, content)
            assert set(given) - {"colour"} <= set(tools[name]["properties"])
            assert is_error or json.loads(content["text"])
    assert '"functions"' not in by_id[11]["result"]["content"][0]["text"]
    codes = [by_id[number]["error"]["code"] for number in (30, 31, 32)]
    assert codes == [-32602, -32602, -32601]
    assert "There is no tool 'nothing'" in by_id[30]["error"]["message"]
    assert by_id[31]["error"]["message"] == "`arguments` is an object: arguments have names."
    assert [each["error"]["code"] for each in answers if each["id"] is None] == [-32700, -32600, -32700]


def test_an_answer_that_is_too_long_says_how_to_ask_for_less(tmp_path, monkeypatch) -> None:
    """With parameters that this tool has, and with which its answer is shorter."""
    monkeypatch.chdir(make_project(tmp_path))
    monkeypatch.setattr(mcp, "_MAX_TEXT", 100)
    server = McpServer(Workspace())

    def ask(method: str, **params: object) -> dict:
        return json.loads(server.answer(json.dumps(_request(1, method, **params)).encode()) or b"")["result"]

    given = {"path": "shop.py", "line": 4, "test": "test_shop.py::test_price", "by": "line", "before": ".coverage"}
    advised: set[str] = set()
    for tool in ask("tools/list")["tools"]:
        arguments = {name: given[name] for name in tool["inputSchema"]["required"]}
        result = ask("tools/call", name=tool["name"], arguments=arguments)
        if result["isError"]:  # of this small project an answer can be short
            text = result["content"][0]["text"]
            assert "more than 100" in text, (tool["name"], text)
            names = set(re.findall(r"`([^`]*)`", text)) - {"footfall query"}
            assert names <= set(tool["inputSchema"]["properties"]) - set(arguments), tool["name"]
            advised |= names
    assert advised == {"count", "match", "path", "test"}
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    for name, arguments, kind in (("coverage_files", {"count": 1}, "files"), ("coverage_stale", {"paths": []}, "gone")):
        found = json.loads(ask("tools/call", name=name, arguments=arguments)["content"][0]["text"])
        assert len(found[kind]) == (kind == "files")


def test_lines_come_back_however_they_are_cut() -> None:
    """Empty lines are none; one that is too long is an error, and the next is read."""
    stream = b'\n {"a": 1}\r\n\n' + b"x" * (MAX_MESSAGE_BYTES + 1) + b"\nlast\n"
    for size in (1 << 16, 1 << 20, len(stream)):
        reader = LineReader()
        found = [each for at in range(0, len(stream), size) for each in reader.feed(stream[at : at + size])]
        assert [None if isinstance(each, BadFrame) else each for each in found] == [b'{"a": 1}', None, b"last"]
