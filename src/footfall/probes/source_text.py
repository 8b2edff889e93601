"""How a source is identified and split into lines: by its bytes, the same way when measured and when resolved."""

from _md5 import md5  # type: ignore[import-not-found]

from footfall.files import is_file, read_file, write_file
from footfall.own_builtins import keep_builtins

keep_builtins(globals())

__all__ = ["digest_source", "keep_text", "read_kept_text", "read_source", "split_lines"]


def digest_source(source: bytes) -> bytes:
    """Return the 16 bytes that identify a source file's content. Not for security."""
    digest: bytes = md5(source, usedforsecurity=False).digest()
    return digest


def read_source(path: str) -> bytes:
    """Return the bytes of a source file, which may be inside a zip file. Raises OSError."""
    try:
        return read_file(path)
    except NotADirectoryError:
        archive = path.rpartition("/")[0]
        while archive and not is_file(archive):
            archive = archive.rpartition("/")[0]
        from zipimport import ZipImportError, zipimporter

        try:
            return zipimporter(archive).get_data(path)
        except ZipImportError as error:
            raise OSError(str(error)) from error


def keep_text(directory: str, text: "str | bytes") -> bytes | None:
    """Keep a text that ran under a file's name but is not the file's, in the run directory; return its digest.

    Returns None if it can't be kept, or its bytes would be read differently: a str with a comment that names an
    encoding.
    """
    source = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
    if isinstance(text, str) and b"coding" in b"".join(source.split(b"\n", 2)[:2]):
        return None
    digest = digest_source(source)
    try:
        write_file(_path_of_text(directory, digest), source)
    except OSError:
        return None
    return digest


def read_kept_text(directory: str, digest: bytes) -> bytes | None:
    """Return a text that was kept in the run directory, None if it is not there."""
    path = _path_of_text(directory, digest)
    if not is_file(path):
        return None
    try:
        source = read_file(path)
    except OSError:
        return None
    return source if digest_source(source) == digest else None


def _path_of_text(directory: str, digest: bytes) -> str:
    return f"{directory}/{digest.hex()}.text"


def split_lines(source: bytes) -> list[bytes]:
    """Split source at its line ends as the compiler does; the last line may lack one."""
    if b"\r" in source:
        source = source.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return source.split(b"\n")
