"""The service on the standard streams: waits for the client and for changes of the data file, in one thread."""

from __future__ import annotations

import os
import select
from typing import Final

from footfall.service.framing import FrameReader, LineReader, frame, line
from footfall.service.mcp import McpServer
from footfall.service.server import Server

__all__ = ["serve_streams"]

_PIECE_BYTES: Final = 1 << 16
_LOOK_SECONDS: Final = 0.5
"""How often to look for a new data file; this costs a few `stat`."""


def serve_streams(server: Server | McpServer, input_fd: int, output_fd: int) -> None:
    """Answer until the client says `exit` or closes the input. Raises BrokenPipeError if it no longer reads."""
    has_lines = isinstance(server, McpServer)
    reader = LineReader() if has_lines else FrameReader()

    def send(message: bytes | None) -> None:
        if message is not None:
            _write(output_fd, line(message) if has_lines else frame(message))

    while not server.is_finished:
        is_ready, _, _ = select.select([input_fd], [], [], _LOOK_SECONDS)
        if is_ready:
            piece = os.read(input_fd, _PIECE_BYTES)
            if not piece:
                return
            for message in reader.feed(piece):
                send(server.note_changes())  # before an answer that is about new data
                send(server.answer(message))
                if server.is_finished:
                    return
        send(server.note_changes())
        if not is_ready and isinstance(server, Server):
            server.read_ahead()


def _write(output_fd: int, text: bytes) -> None:
    rest = memoryview(text)
    while rest:
        rest = rest[os.write(output_fd, rest) :]
