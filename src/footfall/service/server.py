"""The connection with one client: its messages in, the answers out. It does no input and output of its own.

`initialize` comes first and settles the version; then come requests in any order, each answered before the next. An
error of one request, whatever it is, is the answer to that request.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from typing import Any, Final

from footfall._version import VERSION
from footfall.errors import FootfallError, describe_error
from footfall.report.coverage.json import Json
from footfall.service.file_state import FileState, file_state
from footfall.service.framing import BadFrame
from footfall.service.jsonrpc import (
    INTERNAL_ERROR,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    NOT_INITIALIZED,
    PARSE_ERROR,
    Request,
    RpcError,
    error_message,
    notification_message,
    parse_request,
    result_message,
    rpc_error_from,
)
from footfall.service.methods.table import METHODS
from footfall.service.parameters import Parameters
from footfall.service.workspace import Workspace

__all__ = ["PROTOCOL_VERSION", "Server"]

PROTOCOL_VERSION: Final = 1
"""Within a version, methods and members are only added. docs/protocol.md says what counts as a change."""

_DATA_CHANGED: Final = "data/changed"


class Server:
    """Answers one client. `is_finished` once it has said `exit`."""

    def __init__(self, workspace: Workspace) -> None:
        self.is_finished = False
        self._workspace = workspace
        self._is_initialized = False
        self._is_shut_down = False
        self._data_file = ""
        self._state: FileState | None = None
        self._ahead_of: FileState | None = None

    def answer(self, message: bytes | BadFrame) -> bytes | None:
        """Return the answer to a message; None if it gets none."""
        if isinstance(message, BadFrame):
            return error_message(None, RpcError(PARSE_ERROR, f"Bad frame: {message}."))
        try:
            request = parse_request(message)
        except RpcError as error:
            return error_message(error.request_id, error)
        try:
            result = self._call(request)
        except RpcError as error:
            found = error
        except FootfallError as error:
            found = rpc_error_from(error)
        except (Exception, SystemExit) as error:  # a fault of ours, or a plugin of coverage.py, must not end it
            found = RpcError(INTERNAL_ERROR, f"footfall failed: {describe_error(error)}")
        else:
            return None if request.is_notification else result_message(request.request_id, result)
        return None if request.is_notification else error_message(request.request_id, found)

    def note_changes(self) -> bytes | None:
        """Return a notification if the data file changed since the last call, or is another. Costs four `stat`."""
        if not self._is_initialized or self._is_shut_down:
            return None
        data_file = os.path.join(self._workspace.root, self._workspace.latest_data_file())
        state = file_state(data_file)
        if (data_file, state) == (self._data_file, self._state):
            return None
        self._data_file, self._state = data_file, state
        return notification_message(_DATA_CHANGED, {"data_file": self._data_file, "exists": state is not None})

    def read_ahead(self) -> None:
        """Read of a new data file what questions will need, while there are none."""
        if self._is_initialized and not self._is_shut_down and self._state != self._ahead_of:
            self._ahead_of = self._state
            with contextlib.suppress(Exception, SystemExit):  # the answers will say so
                self._workspace.read_ahead()

    def _call(self, request: Request) -> object:
        if request.method == "exit":
            self.is_finished = True
            return None
        if request.method == "initialize":
            return self._initialize(Parameters(request.params))
        if not self._is_initialized:
            raise RpcError(NOT_INITIALIZED, "The first request is `initialize`.")
        if self._is_shut_down:
            raise RpcError(INVALID_REQUEST, "After `shutdown` comes `exit`.")
        if request.method == "shutdown":
            self._is_shut_down = True
            return None
        method = METHODS.get(request.method)
        if method is None:
            raise RpcError(METHOD_NOT_FOUND, f"There is no method {request.method[:100]!r}.")
        return method(self._workspace, Parameters(request.params))

    def _initialize(self, parameters: Parameters) -> Mapping[str, Any]:
        if self._is_initialized:
            raise RpcError(INVALID_REQUEST, "The connection is initialized already.")
        parameters.number("protocol_version", least=1)  # all versions that clients may know include this one
        config = self._workspace.config()
        self._data_file = self._workspace.data_path(config)
        self._state = file_state(self._data_file)
        self._is_initialized = True
        capabilities: Json = {"methods": sorted(METHODS), "notifications": [_DATA_CHANGED]}
        return {
            "protocol_version": PROTOCOL_VERSION,
            "server": {"name": "footfall", "version": VERSION},
            "root": self._workspace.root,
            "data_file": self._data_file,
            "has_data": self._state is not None,
            "capabilities": capabilities,
        }
