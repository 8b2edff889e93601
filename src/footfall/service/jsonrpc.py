"""JSON-RPC 2.0: a message's text to a request, results and errors to a message's text. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from footfall.errors import FootfallError
from footfall.report.jsontext import readable_text, render_json

__all__ = [
    "INTERNAL_ERROR",
    "INVALID_PARAMS",
    "INVALID_REQUEST",
    "METHOD_NOT_FOUND",
    "NOT_INITIALIZED",
    "PARSE_ERROR",
    "REQUEST_FAILED",
    "Request",
    "RpcError",
    "error_message",
    "notification_message",
    "parse_request",
    "result_message",
    "rpc_error_from",
]

PARSE_ERROR: Final = -32700
INVALID_REQUEST: Final = -32600
METHOD_NOT_FOUND: Final = -32601
INVALID_PARAMS: Final = -32602
INTERNAL_ERROR: Final = -32603
NOT_INITIALIZED: Final = -32002
"""The number that language servers use for it."""
REQUEST_FAILED: Final = -32000
"""One of footfall's own errors: `data` has its slug and the next step."""

RequestId = int | str | None


class RpcError(Exception):
    """An error to answer with. `data`, if any, is for programs; `request_id` is None if it is not known."""

    def __init__(
        self, code: int, message: str, data: Mapping[str, str] | None = None, request_id: RequestId = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data
        self.request_id = request_id


@dataclass(frozen=True, slots=True)
class Request:
    """A call of a method. A notification gets no answer."""

    method: str
    params: Mapping[str, Any]
    request_id: RequestId
    is_notification: bool


def rpc_error_from(error: FootfallError) -> RpcError:
    """Return the answer to a request that ended with one of footfall's errors."""
    return RpcError(REQUEST_FAILED, error.message, {"slug": error.slug, "help": error.help})


def parse_request(message: bytes) -> Request:
    """Return the request in a message's text. Raises RpcError."""
    try:
        content = json.loads(message.decode("utf-8"), parse_constant=_refuse_constant)
    except RecursionError as error:
        raise RpcError(PARSE_ERROR, "The message is nested too deeply: footfall's requests have two levels.") from error
    except ValueError as error:  # a UnicodeDecodeError is one too
        raise RpcError(PARSE_ERROR, f"The message is not JSON: {readable_text(str(error))}") from error
    if not isinstance(content, dict):
        raise RpcError(INVALID_REQUEST, "A message is one request, a JSON object; batches are not supported.")
    request_id = content.get("id")
    if isinstance(request_id, bool) or not isinstance(request_id, int | str | None):
        raise RpcError(INVALID_REQUEST, "`id` is a whole number or a text.")
    method, params = content.get("method"), content.get("params", {})
    if content.get("jsonrpc") != "2.0" or not isinstance(method, str):
        text = 'A request has "jsonrpc": "2.0" and a `method`, which is a text.'
        raise RpcError(INVALID_REQUEST, text, request_id=request_id)
    if not isinstance(params, dict):
        raise RpcError(INVALID_PARAMS, "`params` is an object: parameters have names.", request_id=request_id)
    return Request(method, params, request_id, is_notification="id" not in content)


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is no JSON")


def result_message(request_id: RequestId, result: object) -> bytes:
    """Return the text of an answer."""
    return _text({"jsonrpc": "2.0", "id": request_id, "result": result})


def error_message(request_id: RequestId, error: RpcError) -> bytes:
    """Return the text of an answer that is an error."""
    about: dict[str, object] = {"code": error.code, "message": error.message}
    if error.data is not None:
        about["data"] = dict(error.data)
    return _text({"jsonrpc": "2.0", "id": request_id, "error": about})


def notification_message(method: str, params: Mapping[str, object]) -> bytes:
    """Return the text of a notification to the client."""
    return _text({"jsonrpc": "2.0", "method": method, "params": dict(params)})


def _text(message: object) -> bytes:
    return render_json(message, separators=(",", ":")).encode("ascii")
