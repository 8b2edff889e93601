"""The service on the standard streams: waits for the client and for changes of the data file, in one thread."""

from __future__ import annotations

import os
import select
from typing import Final

from footfall.service.framing import FrameReader, frame
from footfall.service.server import Server

__all__ = ["serve_streams"]

_PIECE_BYTES: Final = 1 << 16
_LOOK_SECONDS: Final = 0.5
"""How often to look for a new data file; this costs one `stat`."""


def serve_streams(server: Server, input_fd: int, output_fd: int) -> None:
    """Answer until the client says `exit` or closes the input. Raises BrokenPipeError if it no longer reads."""
    frames = FrameReader()
    while not server.is_finished:
        is_ready, _, _ = select.select([input_fd], [], [], _LOOK_SECONDS)
        if is_ready:
            piece = os.read(input_fd, _PIECE_BYTES)
            if not piece:
                return
            for message in frames.feed(piece):
                _send(output_fd, server.answer(message))
                if server.is_finished:
                    return
        _send(output_fd, server.note_changes())


def _send(output_fd: int, message: bytes | None) -> None:
    rest = memoryview(frame(message)) if message is not None else memoryview(b"")
    while rest:
        rest = rest[os.write(output_fd, rest) :]
