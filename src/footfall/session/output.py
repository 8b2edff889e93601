"""What commands print: reports on stdout and messages on stderr, even if these are closed, full or narrowly encoded.

A report that can't be printed is an error. A message that can't be printed is lost. That changes neither the exit
status, which `run` takes from its command, nor what is written to files.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Iterable, Iterator
from typing import Final, TextIO

from footfall.errors import FootfallError
from footfall.printable import printable, printable_lines

__all__ = [
    "flush_streams",
    "prepare_streams",
    "print_message",
    "show",
    "show_parts",
    "silence",
    "warn",
    "writing_messages",
    "writing_report",
]


def prepare_streams() -> None:
    """Make stdout and stderr accept any text, and keep our files off a closed stream's descriptor. Call this first.

    A character that the encoding lacks is shown as an escape, as Python itself does on stderr.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets this number; not inherited, so for a command it stays closed
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def show(text: str, *, end: str = "\n") -> None:
    """Print lines on stdout, escaped so that they can't control a terminal. Raises as `writing_report`."""
    with writing_report() as stream:
        stream.write(printable_lines(text) + end)


def show_parts(parts: Iterable[bytes]) -> None:
    """Write a report's bytes, and nothing else, to stdout. Raises as `writing_report`."""
    with writing_report() as stream:
        stream.flush()
        stream.buffer.writelines(parts)


def print_message(text: str) -> None:
    """Print a message on stderr, on one line whatever names it contains."""
    with writing_messages() as stream:
        stream.write(printable(text) + "\n")


# coverage.py's slugs that have another name here
_SLUGS_OF_COVERAGE: Final = {"couldnt-parse": "not-python"}


def warn(warnings: Iterable[tuple[str, str]], disabled: Iterable[str] = ()) -> None:
    """Print warnings, (slug, text) each, once each, on stderr. `disabled` slugs may be coverage.py's."""
    disabled = {_SLUGS_OF_COVERAGE.get(slug, slug) for slug in disabled}
    for slug, text in dict.fromkeys(warnings):
        if slug not in disabled:
            ending = "" if text.endswith(f"[{slug}]") else f" [{slug}]"
            print_message(f"footfall: {text}{ending}")


@contextlib.contextmanager
def writing_report() -> Iterator[TextIO]:
    """Yield stdout and flush it. Raises FootfallError (`stdout-unwritable`), or BrokenPipeError if the reader left."""
    stream: TextIO | None = sys.stdout
    if stream is None:  # closed when Python started
        raise _unwritable("it is closed")
    try:
        yield stream
        stream.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        silence(stream)
        raise _unwritable(error.strerror or str(error)) from error


@contextlib.contextmanager
def writing_messages() -> Iterator[TextIO]:
    """Yield stderr and flush it; what can't be written is lost."""
    stream: TextIO | None = sys.stderr
    if stream is None:
        yield io.StringIO()
        return
    try:
        yield stream
        stream.flush()
    except OSError:
        silence(stream)


def flush_streams() -> None:
    """Flush what the streams still buffer, such as a help page. Raises as `writing_report` unless stdout is closed."""
    with writing_messages():
        pass
    if sys.stdout is not None:
        with writing_report():
            pass


def _unwritable(reason: str) -> FootfallError:
    return FootfallError(
        "stdout-unwritable",
        f"Can't write to standard output: {reason}.",
        "Redirect it to a file that can grow, or to none.",
    )


def silence(stream: TextIO | None) -> None:
    """Discard what the interpreter flushes at exit, which would fail again and change the exit status."""
    if stream is None:
        return
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
