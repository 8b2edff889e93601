"""The bytes of measured source files, also of those inside zip files. Called by the reports."""

from __future__ import annotations

import os

from footfall.analyze.source import decode_source
from footfall.errors import FootfallError

__all__ = ["looks_like_python", "read_source", "read_source_bytes"]


def read_source_bytes(path: str) -> bytes:
    """Return a source file's content. Raises FootfallError (`no-source`)."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except (OSError, ValueError) as error:  # ValueError: a null byte in the name
        in_zip = _read_from_zip(path)
        if in_zip is not None:
            return in_zip
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise FootfallError(
            "no-source",
            f"Can't read the source {path}: {reason or error}.",
            "Leave it out with --omit, map its directory in [paths], or use --ignore-errors.",
        ) from error


def read_source(path: str) -> str:
    """Return the text of a source file. Raises FootfallError (`no-source`), SourceError (`not-python`)."""
    return decode_source(read_source_bytes(path))


def _read_from_zip(path: str) -> bytes | None:
    for extension in (".zip", ".whl", ".egg", ".pex", ".par"):
        base, separator, inner = path.partition(extension + "/")
        if separator and os.path.exists(base + extension):
            import zipimport  # of use here only

            try:
                return zipimport.zipimporter(base + extension).get_data(inner)
            except (OSError, zipimport.ZipImportError):
                return None
    return None


def looks_like_python(path: str) -> bool:
    """Tell whether a file's name is one of Python source; a template may be measured under its own name."""
    extension = os.path.splitext(path)[1]
    return not extension or extension.startswith(".py")
