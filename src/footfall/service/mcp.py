"""The service as an MCP server (Model Context Protocol, revision 2025-06-18): its methods as tools for agents.

Messages are JSON-RPC, one on each line. The tools only read, and their results are those of docs/protocol.md, as text.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from footfall._version import VERSION
from footfall.analyze.profile.time_views import VIEWS
from footfall.errors import FootfallError, describe_error
from footfall.report.coverage.json import Json
from footfall.report.jsontext import render_json
from footfall.service.framing import BadFrame
from footfall.service.jsonrpc import (
    INVALID_PARAMS,
    METHOD_NOT_FOUND,
    PARSE_ERROR,
    Request,
    RpcError,
    error_message,
    parse_request,
    result_message,
)
from footfall.service.methods.table import METHODS
from footfall.service.parameters import Parameters
from footfall.service.workspace import Workspace

__all__ = ["MCP_VERSIONS", "McpServer"]

MCP_VERSIONS: Final = ("2025-06-18", "2024-11-05")
"""The revisions that are spoken, the latest first. That between them has batches."""

_MAX_TEXT: Final = 200_000
"""Characters of an answer: more would fill an agent's context."""

_WHOLE: Final[Json] = {"type": "integer", "minimum": 0}
_PARAMETERS: Final[dict[str, Json]] = {
    "path": {"type": "string", "description": "A source file, relative to the project or absolute."},
    "line": {"type": "integer", "minimum": 1, "description": "A line of the file as it is now."},
    "last_line": {"type": "integer", "minimum": 1, "description": "With `line`: all lines up to this one."},
    "test": {"type": "string", "description": "A test's name, which is pytest's node id."},
    "match": {"type": "string", "description": "Only tests whose names contain this."},
    "by": {"type": "string", "enum": [*VIEWS], "description": "What the rows are."},
    "before": {"type": "string", "description": "The data file or profile of the earlier run."},
    "profile": {"type": "string", "description": "Another data file or profile, in place of the project's data."},
    "count": {**_WHOLE, "description": "The most rows, tests or files to return; 0 is all."},
    "first": {**_WHOLE, "description": "The number of the first test or file to return."},
    "paths": {"type": "array", "items": {"type": "string"}, "description": "Only these source files."},
}
_NARROWING: Final = frozenset({"count", "match", "path", "paths", "test"})  # where a tool can do without them


class _Tool(NamedTuple):
    """`required` and `others` are names of parameters. `fixed` are those that an agent need not give."""

    method: str
    text: str
    required: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    fixed: Mapping[str, object] = {}


_TOOLS: Final = {
    tool.method.replace("/", "_"): tool
    for tool in (
        _Tool(
            "coverage/files",
            "Coverage and share of time of each file of the project, and in total.",
            (),
            ("first", "count"),
        ),
        _Tool(
            "coverage/file",
            "What ran in a source file: lines run and missing, branches not taken, outcomes that conditions never had.",
            ("path",),
            ("test",),
            {"only_lines": True},
        ),
        _Tool(
            "coverage/gaps", "Functions with code that no test runs, by the time it takes.", (), ("count", "profile")
        ),
        _Tool(
            "coverage/stale", "The files that changed since they were measured: run their tests again.", (), ("paths",)
        ),
        _Tool("coverage/difference", "What became covered, and what no longer is, since an earlier run.", ("before",)),
        _Tool(
            "tests/of_line",
            "The tests that ran a line, or any of some lines.",
            ("path", "line"),
            ("last_line", "count"),
        ),
        _Tool("tests/of_file", "The tests that ran any line of a file.", ("path",), ("first", "count")),
        _Tool("tests/ran", "The files and lines that a test ran.", ("test",), ("count",)),
        _Tool("tests/list", "The tests, with the time that each takes.", (), ("match", "first", "count")),
        _Tool(
            "profile/hot", "The lines and functions that take the most time.", (), ("count", "path", "test", "profile")
        ),
        _Tool("profile/lines", "The time of each line of a file.", ("path",), ("test", "profile")),
        _Tool("profile/by", "The time in rows of one kind.", ("by",), ("count", "path", "test", "profile")),
        _Tool(
            "profile/difference",
            "The functions that take more or less time than in an earlier run, by more than chance.",
            ("before",),
            ("count", "test", "profile"),
        ),
    )
}
_INSTRUCTIONS: Final = (
    "Coverage and profile of this Python project as its last measured run left them. `footfall run COMMAND` measures"
    " again; `pytest --footfall --footfall-context=test` also records which test ran which line."
)


class McpServer:
    """Answers one client. `is_finished` is never true: the client closes the input."""

    is_finished = False

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def answer(self, message: bytes | BadFrame) -> bytes | None:
        """Return the answer to a message; None if it gets none."""
        if isinstance(message, BadFrame):
            return error_message(None, RpcError(PARSE_ERROR, f"Bad message: {message}."))
        try:
            request = parse_request(message)
        except RpcError as error:
            return error_message(error.request_id, error)
        if request.is_notification:
            return None
        try:
            return result_message(request.request_id, self._call(request))
        except RpcError as error:
            return error_message(request.request_id, error)

    def note_changes(self) -> bytes | None:
        """Return None: agents ask when they need something."""
        return None

    def _call(self, request: Request) -> Json:
        if request.method == "initialize":
            wanted = request.params.get("protocolVersion")
            return {
                "protocolVersion": wanted if wanted in MCP_VERSIONS else MCP_VERSIONS[0],
                "capabilities": {"tools": {}},
                "serverInfo": {"name": "footfall", "version": VERSION},
                "instructions": _INSTRUCTIONS,
            }
        if request.method == "ping":
            return {}
        if request.method == "tools/list":
            return {"tools": [_described(name, tool) for name, tool in _TOOLS.items()]}
        if request.method == "tools/call":
            return self._call_tool(request.params)
        raise RpcError(METHOD_NOT_FOUND, f"There is no method {request.method[:100]!r}.")

    def _call_tool(self, params: Mapping[str, Any]) -> Json:
        """Return a tool's result. Errors of its arguments or the data are results too, for the agent to read."""
        tool, given = _TOOLS.get(str(params.get("name"))), params.get("arguments")
        if tool is None:
            raise RpcError(INVALID_PARAMS, f"There is no tool {params.get('name')!r:.100}: `tools/list` has them.")
        given = {} if given is None else given
        if not isinstance(given, dict):
            raise RpcError(INVALID_PARAMS, "`arguments` is an object: arguments have names.")
        unknown = [name for name in given if name not in (*tool.required, *tool.others)]
        if unknown:
            return _result(f"There is no argument {unknown[0]!r:.100}.", is_error=True)
        try:
            text = render_json(METHODS[tool.method](self._workspace, Parameters({**given, **tool.fixed})))
        except RpcError as error:
            return _result(error.message, is_error=True)
        except FootfallError as error:
            return _result(str(error), is_error=True)
        except (Exception, SystemExit) as error:  # a fault of ours, or a plugin of coverage.py, must not end it
            return _result(f"footfall failed: {describe_error(error)}", is_error=True)
        if len(text) > _MAX_TEXT:
            return _result(_too_long(tool, len(text)), is_error=True)
        return _result(text)


def _described(name: str, tool: _Tool) -> Json:
    properties = {each: _PARAMETERS[each] for each in (*tool.required, *tool.others)}
    schema: Json = {"type": "object", "properties": properties, "required": [*tool.required]}
    return {"name": name, "description": tool.text, "inputSchema": schema, "annotations": {"readOnlyHint": True}}


def _too_long(tool: _Tool, length: int) -> str:
    """Return what is said of an answer that would fill an agent's context: how this tool can be asked for less."""
    narrowing = [f"`{name}`" for name in tool.others if name in _NARROWING]
    less = f"Ask for less, with {' or '.join(narrowing)}; or let" if narrowing else "Let"
    what = f"The answer has {length} characters, more than {_MAX_TEXT}."
    return f"{what} {less} `footfall query` write it to a file, and read parts of that."


def _result(text: str, *, is_error: bool = False) -> Json:
    return {"content": [{"type": "text", "text": text}], "isError": is_error}
