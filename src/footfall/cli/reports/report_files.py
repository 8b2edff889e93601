"""Writing a report to where the user wants it: a file, or stdout for "-"."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterable

from footfall.errors import FootfallError
from footfall.session.output import print_message, show, show_parts

__all__ = ["write_output", "write_parts"]


def write_output(output: str, text: str, what: str, *, is_quiet: bool = False, option: str = "-o") -> None:
    """Write a report to a file, making its directory, or to stdout for "-".

    Raises FootfallError (`output-unwritable`), which names the `option` for the place. Leaves no half-written file.
    """
    if output == "-":
        # write only the report's bytes; on a terminal, end the line too, so that the prompt starts on its own line
        if sys.stdout is not None and sys.stdout.isatty():
            show(text, end="" if text.endswith("\n") else "\n")
        else:
            show_parts([_encode(text)])
        return
    _write_file(output, [_encode(text)], what, is_quiet, option)


def _encode(text: str) -> bytes:
    """Encode as all reports of fixed formats are, whatever the encoding of stdout."""
    return text.encode("utf-8", "surrogateescape")


def write_parts(output: str, parts: Iterable[str] | Iterable[bytes], what: str, *, is_quiet: bool = False) -> None:
    """Like `write_output`, for a report that is made while it is written because it may be large. Text is UTF-8."""
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
                        os.unlink(os.path.realpath(output))  # keep a link itself: the user made it
                raise
    except OSError as error:
        raise FootfallError(
            "output-unwritable",
            f"Can't write the {what} to {output}: {error.strerror or error}.",
            f"Choose another place with {option}.",
        ) from error
    if not is_quiet:
        print_message(f"Wrote {what} to {output}")
