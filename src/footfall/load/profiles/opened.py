"""The bytes of a profile that another tool wrote: from a file or stdin, gzipped or not, read once from start to end.

Formats of lines or records are streamed; those that must be read whole have a size limit. Called by the readers here.
"""

from __future__ import annotations

import contextlib
import io
import os
import stat
import sys
import zlib
from collections.abc import Iterator
from typing import BinaryIO, Final, Protocol

from footfall.errors import FootfallError

__all__ = ["OpenedProfile", "open_profile"]

_HEAD_BYTES: Final = 1 << 16
_MAX_LINE_BYTES: Final = 1 << 24
"""A stack of about 200,000 frames; a longer line is left out."""
_MAX_WHOLE_BYTES: Final = 1 << 29
"""The limit for formats that can't be read in parts: JSON of this size takes some GB of memory."""
_PIECE_BYTES: Final = 1 << 20
_GZIP_MAGIC: Final = b"\x1f\x8b"
_GZIP: Final = 31  # zlib's wbits for a gzip header and the largest window


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


class _Gunzipped:
    """The contents of a gzipped stream. Unlike GzipFile's, its `read` returns everything before it raises EOFError."""

    def __init__(self, packed: _Readable) -> None:
        self._packed = packed
        self._unpacker = zlib.decompressobj(wbits=_GZIP)
        self._pending = b""

    def read(self, size: int, /) -> bytes:
        """Return some bytes, or none at the end. Raises EOFError if there should be more, or zlib.error."""
        while True:
            packed = self._pending or self._packed.read(_HEAD_BYTES)
            if self._unpacker.eof:
                if not packed.strip(b"\0"):
                    return b""
                self._unpacker = zlib.decompressobj(wbits=_GZIP)
            if not packed:
                raise EOFError
            found = self._unpacker.decompress(packed, size)
            self._pending = self._unpacker.unconsumed_tail or self._unpacker.unused_data
            if found:
                return found


class OpenedProfile(io.RawIOBase):
    """The unpacked content. `head` is its beginning; reading starts there too."""

    def __init__(self, name: str, stream: _Readable) -> None:
        self.name = name
        self.error = ""
        """Why reading ended early; "" if it did not."""
        self.n_long_lines = 0
        self._stream = stream
        self._pending = b""
        self.head = self._pending = self._read_head()
        self._buffered = io.BufferedReader(self, _HEAD_BYTES)

    def _read_head(self) -> bytes:
        parts = []
        missing = _HEAD_BYTES
        while missing and (part := self._read_stream(missing)):
            parts.append(part)
            missing -= len(part)
        return b"".join(parts)

    def _read_stream(self, size: int) -> bytes:
        if self.error:
            return b""
        try:
            return self._stream.read(size)
        except EOFError:
            self.error = "its compressed data end early"
        except (OSError, zlib.error) as error:
            self.error = f"it can't be read to its end ({error})"
        return b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        if self._pending:
            part, self._pending = self._pending[: len(buffer)], self._pending[len(buffer) :]
        else:
            part = self._read_stream(len(buffer))
        buffer[: len(part)] = part
        return len(part)

    def lines(self) -> Iterator[bytes]:
        """Yield lines without their line ends. Lines too long for any stack are left out and counted."""
        readline = self._buffered.readline
        while line := readline(_MAX_LINE_BYTES):
            if len(line) == _MAX_LINE_BYTES and not line.endswith(b"\n"):
                self.n_long_lines += 1
                while line and not line.endswith(b"\n"):
                    line = readline(_MAX_LINE_BYTES)
                continue
            yield line.rstrip(b"\r\n")

    def stream(self) -> BinaryIO:
        """Return the content as a buffered file."""
        return self._buffered

    def read_whole(self) -> bytes:
        """Return the whole content. Raises FootfallError (`profile-too-large`)."""
        parts = []
        size = 0
        # in pieces, as asking for the maximum at once would allocate it
        while size <= _MAX_WHOLE_BYTES and (part := self._buffered.read(_PIECE_BYTES)):
            parts.append(part)
            size += len(part)
        if size > _MAX_WHOLE_BYTES:
            raise FootfallError(
                "profile-too-large",
                f"{self.name} has more than {_MAX_WHOLE_BYTES >> 20} MB, unpacked, and is no format to read in parts.",
                "Record for a shorter time, or export collapsed stacks with the tool that wrote it.",
            )
        return b"".join(parts)


@contextlib.contextmanager
def open_profile(path: str) -> Iterator[OpenedProfile]:
    """Open a file, or stdin for `-`. Raises FootfallError (`profile-unreadable`)."""
    try:
        with contextlib.ExitStack() as stack:
            file: BinaryIO = sys.stdin.buffer if path == "-" else stack.enter_context(_open_file(path))
            opened = OpenedProfile(path, file)
            if opened.head.startswith(_GZIP_MAGIC):
                opened = OpenedProfile(path, _Gunzipped(opened.stream()))
            yield opened
    except OSError as error:
        raise FootfallError(
            "profile-unreadable",
            f"Can't read the profile {path}: {error.strerror or error}.",
            "Check its name and permissions.",
        ) from error


def _open_file(path: str) -> BinaryIO:
    if stat.S_ISDIR(os.stat(path).st_mode):
        raise IsADirectoryError(None, "it is a directory")
    return open(path, "rb")
