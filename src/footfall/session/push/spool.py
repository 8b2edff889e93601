"""A bounded queue of requests in a directory, for a server that does not answer. The oldest is sent, or dropped, first.

Each request is a file: a line of JSON with the URL and the headers, without credentials, then the body. It appears as a
whole, under a name that sorts by its time. Only one process at a time sends what is there.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
import uuid
from collections.abc import Iterator
from typing import Final

from footfall.errors import FootfallError
from footfall.session.push.sending import Request

try:
    import fcntl
except ImportError:  # Windows
    import msvcrt

__all__ = ["Spool"]

_ENDING: Final = ".push"
_LOCK: Final = "lock"


class Spool:
    """The queue in `directory`, which is made if it is not there. Raises FootfallError (`spool-unwritable`)."""

    def __init__(self, directory: str, max_bytes: int) -> None:
        self._directory = directory
        self._max_bytes = max_bytes
        with self._reporting():
            os.makedirs(directory, mode=0o700, exist_ok=True)

    def add(self, request: Request) -> int:
        """Add a request and drop the oldest ones beyond the bound; return how many were dropped."""
        head = json.dumps({"url": request.url, "headers": dict(request.headers)}).encode()
        name = os.path.join(self._directory, f"{time.time_ns():020d}-{uuid.uuid4().hex}")
        with self._reporting():
            with open(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(head + b"\n" + request.body)
            os.replace(name, name + _ENDING)
            return self._drop_oldest()

    def __len__(self) -> int:
        return len(self._names())

    @contextlib.contextmanager
    def sending(self) -> Iterator[bool]:
        """Give whether this process may send what is there; no other may until the end of the block."""
        with self._reporting():
            lock = os.open(os.path.join(self._directory, _LOCK), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            try:
                _lock(lock)
            except (BlockingIOError, PermissionError):
                yield False
            else:
                yield True
        finally:
            os.close(lock)

    def requests(self) -> Iterator[tuple[str, Request | None]]:
        """Yield the name and the request of each file, oldest first; None for a damaged one."""
        for name in self._names():
            try:
                with open(os.path.join(self._directory, name), "rb") as file:
                    head, body = json.loads(file.readline()), file.read()
            except FileNotFoundError:
                continue  # dropped by another process
            except ValueError:
                yield name, None
                continue
            except OSError as error:
                raise self._unusable(error) from error
            is_whole = isinstance(head, dict) and isinstance(head.get("url"), str)
            is_whole = is_whole and isinstance(head.get("headers"), dict)
            yield name, Request(head["url"], head["headers"], body) if is_whole else None

    def remove(self, name: str) -> None:
        """Remove a file that was sent, or can't be."""
        with contextlib.suppress(FileNotFoundError), self._reporting():
            os.remove(os.path.join(self._directory, name))

    def _names(self) -> list[str]:
        with self._reporting():
            return sorted(name for name in os.listdir(self._directory) if name.endswith(_ENDING))

    def _drop_oldest(self) -> int:
        names = self._names()
        sizes = {}
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                sizes[name] = os.stat(os.path.join(self._directory, name)).st_size
        total = sum(sizes.values())
        n_dropped = 0
        for name, size in sizes.items():
            if total <= self._max_bytes:
                break
            self.remove(name)
            total -= size
            n_dropped += 1
        return n_dropped

    @contextlib.contextmanager
    def _reporting(self) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            raise
        except OSError as error:
            raise self._unusable(error) from error

    def _unusable(self, error: OSError) -> FootfallError:
        return FootfallError(
            "spool-unwritable",
            f"Can't use {self._directory} as a queue: {error.strerror}.",
            "Name a directory for --spool that you can write to.",
        )


def _lock(descriptor: int) -> None:
    """Lock a file until it is closed. Raises BlockingIOError, or PermissionError on Windows, if another process has."""
    if "fcntl" in globals():
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    else:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
