"""How a source is identified and cut into lines: by its bytes, alike when measured and when resolved."""

from _md5 import md5

__all__ = ["digest_source", "split_lines"]


def digest_source(source: bytes) -> bytes:
    """Return the 16 bytes that stand for a source file's content. Not for security."""
    return md5(source, usedforsecurity=False).digest()


def split_lines(source: bytes) -> list[bytes]:
    """Split source at its line ends as the compiler does; the last line may lack one."""
    if b"\r" in source:
        source = source.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return source.split(b"\n")
