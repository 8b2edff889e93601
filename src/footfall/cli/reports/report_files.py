"""Writing a report where its user wants it: to a file, or to stdout for "-"."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterable

from footfall.errors import FootfallError
from footfall.session.output import print_message, show, show_parts

__all__ = ["write_output", "write_parts"]


def write_output(output: str, text: str, what: str, *, is_quiet: bool = False, option: str = "-o") -> None:
    """Write a report to a file, whose directory is made, or for "-" to stdout.

    Raises FootfallError (`output-unwritable`), which names the `option` that says where; no half-written file is left.
    """
    if output == "-":
        # the bytes are the report's alone, but on a terminal to be read, and the prompt that follows has its own line
        if sys.stdout is not None and sys.stdout.isatty():
            show(text, end="" if text.endswith("\n") else "\n")
        else:
            show_parts([_encode(text)])
        return
    _write_file(output, [_encode(text)], what, is_quiet, option)


def _encode(text: str) -> bytes:
    """As all reports of fixed formats, whatever the encoding of stdout."""
    return text.encode("utf-8", "surrogateescape")


def write_parts(output: str, parts: Iterable[str] | Iterable[bytes], what: str, *, is_quiet: bool = False) -> None:
    """As `write_output`, for what is made while it is written, as it may be too large to be kept. Text is UTF-8."""
    encoded = (_encode(part) if isinstance(part, str) else part for part in parts)
    if output == "-":
        show_parts(encoded)
        return
    _write_file(output, encoded, what, is_quiet, "-o")


def _write_file(output: str, parts: Iterable[bytes], what: str, is_quiet: bool, option: str) -> None:
    try:
        os.makedirs(os.path.dirname(os.path.abspath(output)), exist_ok=True)
        with open(output, "wb") as file:
            try:
                file.writelines(parts)
                file.flush()
            except BaseException:
                if os.path.isfile(output):
                    with contextlib.suppress(OSError):
                        os.unlink(os.path.realpath(output))  # a link stays: the user made it
                raise
    except OSError as error:
        raise FootfallError(
            "output-unwritable",
            f"Can't write the {what} to {output}: {error.strerror or error}.",
            f"Choose another place with {option}.",
        ) from error
    if not is_quiet:
        print_message(f"Wrote {what} to {output}")
