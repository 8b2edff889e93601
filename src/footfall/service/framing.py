"""Messages in a stream of bytes, framed as language servers frame them: a header with `Content-Length`, then the text;
or as MCP has them, one on each line.

The client may send anything. A frame that is wrong or too large becomes a BadFrame, and reading goes on
where the next frame begins. Pure: bytes in, messages out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

__all__ = ["MAX_MESSAGE_BYTES", "BadFrame", "FrameReader", "LineReader", "frame", "line"]

MAX_MESSAGE_BYTES: Final = 1 << 20
"""A request has some paths and numbers, so this is ample."""

_MAX_HEADER_BYTES: Final = 1 << 12
_LENGTH: Final = re.compile(rb"content-length[ \t]*:[ \t]*([0-9]{1,18})[ \t]*", re.IGNORECASE)
_START: Final = re.compile(rb"content-length[ \t]*:", re.IGNORECASE)
_NO_HEADER: Final = re.compile(rb"[^A-Za-z]|.*?(?<!\r)\n", re.DOTALL)
"""What no header begins with: not a field's name, or a line that ends otherwise."""
_LONGEST_START: Final = 64
"""Bytes to keep while looking for the next frame, in which its first word may have begun."""


class BadFrame(Exception):
    """What is wrong with a frame, in words for the client."""


def frame(message: bytes) -> bytes:
    """Return a message with its header."""
    return b"Content-Length: %d\r\n\r\n" % len(message) + message


class FrameReader:
    """Takes the stream piece by piece. It holds at most one message of MAX_MESSAGE_BYTES, and the last piece."""

    def __init__(self) -> None:
        self._pending = b""
        self._is_lost = False
        """Whether the last frame was wrong, so that the next one must be searched for."""

    def feed(self, piece: bytes) -> Iterator[bytes | BadFrame]:
        """Yield the messages that are complete with this piece, in order, and an error for each wrong frame."""
        self._pending += piece
        while not self._is_lost or self._find_start():
            found = self._next()
            if found is None:
                return
            yield found

    def _find_start(self) -> bool:
        """Drop what precedes the next frame; return whether its beginning is there."""
        start = _START.search(self._pending)
        self._pending = self._pending[start.start() if start else -_LONGEST_START :]
        self._is_lost = start is None
        return start is not None

    def _next(self) -> bytes | BadFrame | None:
        """Take the next message or error; None if there is no whole one yet."""
        head, end, rest = self._pending.partition(b"\r\n\r\n")
        if len(head) > _MAX_HEADER_BYTES:
            return self._lose(f"a header has more than {_MAX_HEADER_BYTES} bytes")
        if not end and not _NO_HEADER.match(head):
            return None
        lengths = [match for line in head.split(b"\r\n") if (match := _LENGTH.fullmatch(line))]
        if len(lengths) != 1 or not end:
            return self._lose("a message begins with Content-Length: NUMBER and an empty line, which end with CR LF")
        size = int(lengths[0][1])
        if size > MAX_MESSAGE_BYTES:
            return self._lose(f"a message has {size} bytes, and the limit is {MAX_MESSAGE_BYTES}")
        if len(rest) < size:
            return None
        self._pending = rest[size:]
        return rest[:size]

    def _lose(self, what: str) -> BadFrame:
        """Drop this frame's beginning, so that the search finds the next one."""
        self._pending = self._pending[1:]
        self._is_lost = True
        return BadFrame(what)


def line(message: bytes) -> bytes:
    """Return a message, which has no line ends, as a line."""
    return message + b"\n"


class LineReader:
    """Takes the stream piece by piece, like a FrameReader, for messages that are a line each; empty ones are none."""

    def __init__(self) -> None:
        self._pending = b""
        self._is_too_long = False

    def feed(self, piece: bytes) -> Iterator[bytes | BadFrame]:
        """Yield the messages that are complete with this piece, in order, and an error for each that is too long."""
        *ended, rest = piece.split(b"\n")
        for text in ended:
            message = (self._pending + text).strip()
            was_too_long = self._is_too_long
            self._pending, self._is_too_long = b"", False
            if was_too_long or len(message) > MAX_MESSAGE_BYTES:
                yield BadFrame(f"it has more than {MAX_MESSAGE_BYTES} bytes")
            elif message:
                yield message
        self._pending += rest
        if len(self._pending) > MAX_MESSAGE_BYTES:
            self._pending, self._is_too_long = b"", True
