"""Styled text, and progress on stderr. rich is imported only if stderr is a terminal that shows colours."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Final, TextIO

from footfall.printable import printable
from footfall.report.summary import Line, plain_text
from footfall.session.output import writing_messages, writing_report

__all__ = ["print_lines", "progress_bar"]

_STYLES: Final = {"bold": "bold", "dim": "dim", "good": "bold green", "fair": "bold yellow", "bad": "bold red"}
_QUIET_SECONDS: Final = 0.7  # a bar that disappears at once only flickers


def _is_terminal(stream: TextIO) -> bool:
    return stream.isatty() and os.environ.get("TERM", "") != "dumb"


def print_lines(lines: Iterable[Line], *, is_report: bool = False) -> None:
    """Print styled lines: a report on stdout, anything else on stderr.

    In colour on a terminal unless NO_COLOR is set, plain elsewhere. Raises as `writing_report` for a report.
    """
    with writing_report() if is_report else writing_messages() as stream:
        _print_lines(list(lines), stream)


def _print_lines(lines: list[Line], stream: TextIO) -> None:
    if not _is_terminal(stream) or os.environ.get("NO_COLOR"):
        stream.write(plain_text(lines))
        return
    from rich.console import Console
    from rich.text import Text

    console = Console(file=stream, highlight=False)
    for line in lines:
        text = Text()
        for piece, style in line:
            text.append(printable(piece), _STYLES.get(style, ""))
        console.print(text, soft_wrap=True)


@contextlib.contextmanager
def progress_bar(title: str, *, is_quiet: bool) -> Iterator[Callable[[int, int], None] | None]:
    """Yield a function of (done, total) that draws a bar if the work takes long; None if no bar is wanted."""
    if is_quiet or sys.stderr is None or not _is_terminal(sys.stderr):
        yield None
        return
    bar = _LateBar(title)
    try:
        yield bar.update
    finally:
        bar.close()


class _LateBar:
    """A progress bar that appears after a while; drawn a few times a second, however often it is updated."""

    _INTERVAL_SECONDS = 0.1

    def __init__(self, title: str) -> None:
        self._title = title
        self._next = time.monotonic() + _QUIET_SECONDS
        self._close: Callable[[], None] | None = None
        self._draw: Callable[[int, int], None] | None = None

    def update(self, done: int, total: int) -> None:
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + self._INTERVAL_SECONDS
        if self._draw is None:
            self._open()
        if self._draw is not None:
            self._draw(done, total)

    def _open(self) -> None:
        from rich.console import Console
        from rich.progress import Progress

        progress = Progress(console=Console(stderr=True), transient=True)
        task = progress.add_task(self._title, total=None)
        progress.start()
        self._draw = lambda done, total: progress.update(task, completed=done, total=total)
        self._close = progress.stop

    def close(self) -> None:
        if self._close is not None:
            self._close()
