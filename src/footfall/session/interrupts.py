"""Signals that arrive while results are made, when there is no longer a command to pass them on to."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType
from typing import Any, Final

__all__ = ["InterruptedBySignal", "raising_signals"]

_ENDING: Final = frozenset(signal.valid_signals()) & {
    getattr(signal, name, None) for name in ("SIGINT", "SIGTERM", "SIGHUP")
}


class InterruptedBySignal(BaseException):
    """A signal that ends a process arrived. `number` is its number."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@contextlib.contextmanager
def raising_signals() -> Iterator[None]:
    """Raise InterruptedBySignal if a signal would end the process; the next one does end it. For the main thread."""
    before: dict[signal.Signals, Any] = {}

    def interrupt(number: int, _frame: FrameType | None) -> None:
        put_back()
        raise InterruptedBySignal(number)

    def put_back() -> None:
        for number in list(before):
            signal.signal(number, before.pop(number))

    with contextlib.suppress(ValueError):  # raised in other threads, which receive no signals
        for number in _ENDING:
            handler = signal.getsignal(number)
            if handler in (signal.SIG_DFL, signal.default_int_handler):
                before[number] = handler
                signal.signal(number, interrupt)
    try:
        yield
    finally:
        put_back()
