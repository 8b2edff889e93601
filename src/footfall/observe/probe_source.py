"""How a source is identified and cut into lines: by its bytes, alike when measured and when resolved."""

import os
from _md5 import md5  # type: ignore[import-not-found]

__all__ = ["digest_source", "read_source", "split_lines"]


def digest_source(source: bytes) -> bytes:
    """Return the 16 bytes that stand for a source file's content. Not for security."""
    digest: bytes = md5(source, usedforsecurity=False).digest()
    return digest


def read_source(path: str) -> bytes:
    """Return the bytes of a source file, also of one inside a zip file. Raises OSError."""
    try:
        with open(path, "rb", buffering=0) as file:
            return file.read()
    except NotADirectoryError:
        archive = os.path.dirname(path)
        while archive and not os.path.isfile(archive):
            archive = os.path.dirname(archive)
        from zipimport import ZipImportError, zipimporter

        try:
            return zipimporter(archive).get_data(path)
        except ZipImportError as error:
            raise OSError(str(error)) from error


def split_lines(source: bytes) -> list[bytes]:
    """Split source at its line ends as the compiler does; the last line may lack one."""
    if b"\r" in source:
        source = source.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return source.split(b"\n")
