"""A small project with data of its tests, and a client of `footfall serve` over pipes."""

import json
import os
import pathlib
import select
import subprocess
import sys
import sysconfig
from typing import Any

from footfall.service.framing import BadFrame, FrameReader, frame

_COMMAND = os.path.join(sysconfig.get_path("scripts"), "footfall")

_SHOP = """\
def price(quantity, member):
    total = sum(
        each * 2
        for each in range(quantity)
    )
    if member and total > 10:
        total *= 0.9
    return total


def refund(total):
    if total < 0:
        raise ValueError(total)
    return -total


def busy():
    return sum(i * i for i in range(2_000_000))
"""

_TESTS = """\
import shop


def test_price():
    assert shop.price(10, False) == 90


def test_member():
    assert shop.price(2, True) == 2


def test_busy():
    assert shop.busy()
"""


BUSY_LINE = 17 if sys.implementation.name == "pypy" else 18
"""Where the time of `busy` is: PyPy's sampler knows functions alone, so there it is at the function's first line."""


def make_project(root: pathlib.Path) -> pathlib.Path:
    """Write `shop.py` and its tests to a directory, with the data of their run and a context for each test."""
    (root / "shop.py").write_text(_SHOP)
    (root / "test_shop.py").write_text(_TESTS)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("FOOTFALL_", "COVERAGE_"))}
    command = [sys.executable, "-m", "pytest", "-q", "--footfall", "--footfall-context=test", "-p", "no:cacheprovider"]
    done = subprocess.run(
        command, cwd=root, env={**environment, "PYTHONPATH": "."}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return root


class Client:
    """Speaks with a service that it started. Each answer is waited for."""

    def __init__(self, root: pathlib.Path, *options: str) -> None:
        self.process = subprocess.Popen(
            [_COMMAND, "serve", "--stdio", *options],
            cwd=root,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self._frames = FrameReader()
        self._arrived: list[Any] = []
        self._notifications: list[Any] = []
        self._last_id = 0

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        assert self.end() == ""

    def send(self, content: bytes) -> None:
        """Send bytes as they are."""
        assert self.process.stdin is not None
        self.process.stdin.write(content)
        self.process.stdin.flush()

    def receive(self, timeout_s: float = 60) -> Any:
        """Return the next message that was not returned yet: a notification that came before an answer first."""
        return self._notifications.pop(0) if self._notifications else self._next(timeout_s)

    def _next(self, timeout_s: float = 60) -> Any:
        assert self.process.stdout is not None
        while not self._arrived:
            is_ready, _, _ = select.select([self.process.stdout], [], [], timeout_s)
            piece = os.read(self.process.stdout.fileno(), 1 << 16) if is_ready else b""
            assert piece, "the service has gone, or does not answer"
            for message in self._frames.feed(piece):
                assert not isinstance(message, BadFrame), message
                self._arrived.append(json.loads(message))
        return self._arrived.pop(0)

    def ask(self, method: str, **params: object) -> Any:
        """Return the whole answer to a request."""
        self._last_id += 1
        request = {"jsonrpc": "2.0", "id": self._last_id, "method": method, "params": params}
        self.send(frame(json.dumps(request).encode()))
        while "id" not in (answer := self._next()):
            self._notifications.append(answer)
        assert answer["id"] == self._last_id, answer
        return answer

    def result(self, method: str, **params: object) -> Any:
        """Return the result of a request, which must have one."""
        answer = self.ask(method, **params)
        assert "result" in answer, answer
        return answer["result"]

    def end(self) -> str:
        """Close the input, and return what the service wrote to stderr."""
        _, errors = self.process.communicate(timeout=60)
        return errors.decode()
