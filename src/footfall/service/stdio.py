"""The service on the standard streams: waits for the client and for changes of the data file, in one thread.

On Windows `select` can't wait for a pipe: there another thread reads.
"""

from __future__ import annotations

import os
import select
from collections.abc import Callable
from typing import Final

from footfall.files import IS_WINDOWS
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

    next_piece = _pieces_of_thread(input_fd) if IS_WINDOWS else _pieces(input_fd)
    while not server.is_finished:
        piece = next_piece()
        if piece is not None:
            if not piece:
                return
            for message in reader.feed(piece):
                send(server.note_changes())  # before an answer that is about new data
                send(server.answer(message))
                if server.is_finished:
                    return
        send(server.note_changes())
        if piece is None and isinstance(server, Server):
            server.read_ahead()


def _pieces(input_fd: int) -> Callable[[], bytes | None]:
    """Return a function that waits for input: b"" is its end, and None that nothing came until it is time to look."""

    def next_piece() -> bytes | None:
        is_ready, _, _ = select.select([input_fd], [], [], _LOOK_SECONDS)
        return os.read(input_fd, _PIECE_BYTES) if is_ready else None

    return next_piece


def _pieces_of_thread(input_fd: int) -> Callable[[], bytes | None]:
    """Return the same for a system that can't wait for any file."""
    import queue
    import threading

    pieces: queue.Queue[bytes] = queue.Queue(1)  # the client waits, as it does for a full pipe

    def read() -> None:
        piece = None
        while piece != b"":
            piece = os.read(input_fd, _PIECE_BYTES)
            pieces.put(piece)

    def next_piece() -> bytes | None:
        try:
            return pieces.get(timeout=_LOOK_SECONDS)
        except queue.Empty:
            return None

    threading.Thread(target=read, daemon=True).start()
    return next_piece


def _write(output_fd: int, text: bytes) -> None:
    rest = memoryview(text)
    while rest:
        rest = rest[os.write(output_fd, rest) :]
