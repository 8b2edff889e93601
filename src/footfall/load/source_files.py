"""The bytes of measured source files, including those inside zip files. Called by the reports."""

from __future__ import annotations

import os

from footfall.analyze.source.analysis import decode_source
from footfall.analyze.source.source_file import read_source_file
from footfall.errors import FootfallError

__all__ = ["looks_like_python", "read_source", "read_source_bytes"]


def read_source_bytes(path: str) -> bytes:
    """Return a source file's content. Raises FootfallError (`no-source`)."""
    try:
        return read_source_file(path)
    except OSError as error:
        raise FootfallError(
            "no-source",
            f"No source for code: {path!r}. {error.strerror or error}.",
            "Leave it out with --omit, map its directory in [paths], or use --ignore-errors.",
        ) from error


def read_source(path: str) -> str:
    """Return the text of a source file. Raises FootfallError (`no-source`), SourceError (`not-python`)."""
    return decode_source(read_source_bytes(path))


def looks_like_python(path: str) -> bool:
    """Return whether a file has the name of a Python source; a template may be measured under its own name."""
    extension = os.path.splitext(path)[1]
    return not extension or (extension.startswith(".py") and extension != ".pyx")
