"""Large sources parsed piece by piece: a syntax tree takes a hundred times the memory of its text.

A piece is a run of a module's statements. It is cut off before a line that begins a statement at the left edge, and
parsed by itself; what is no module by itself (the line stands inside of a string, behind a decorator) is not cut there.
"""

from __future__ import annotations

import ast
import keyword
import re
from collections.abc import Iterator
from typing import Final

from footfall.analyze.source.parse import PARSE_ERRORS, parse_source

__all__ = ["parse_in_pieces"]

_PIECE_BYTES: Final = 400_000
# Not before what may be compiled to nothing, which control passes by.
_STATEMENT: Final = re.compile(rb"\n(?=@|([a-zA-Z_]\w*)(?: +\w| *[=.(\[]))")
# Not `from`: what comes from the future belongs to the first piece.
_FIRST_WORDS: Final = ("async", "class", "def", "import")


def parse_in_pieces(source: bytes) -> Iterator[tuple[ast.Module, bool]]:
    """Yield trees that together are the source's, in order, and whether each is the last one.

    All but the last end with a `pass` that stands where the next one begins. Lines are those of the source. Raises one
    of PARSE_ERRORS, perhaps after some pieces.
    """
    start = 0
    first_line = 1
    while True:
        blank = b"\n" * (first_line - 1)
        for cut in _find_cuts(source, start):
            try:
                tree = parse_source(blank + source[start:cut])
            except PARSE_ERRORS:
                continue
            break
        else:
            yield parse_source(blank + source[start:]), True
            return
        first_line += source.count(b"\n", start, cut)
        start = cut
        tree.body.append(ast.Pass(lineno=first_line, col_offset=0, end_lineno=first_line, end_col_offset=0))
        yield tree, False


def _find_cuts(source: bytes, start: int) -> Iterator[int]:
    """Where the piece that begins at `start` may end, each twice as far on, for each costs a try."""
    if not start and not _is_plain_text(source):
        return
    at = start + _PIECE_BYTES
    while at < len(source):
        found = _STATEMENT.search(source, at)
        if found is None:
            return
        word = (found[1] or b"").decode()
        goes_on = source[found.start() - 1 : found.start()] == b"\\"
        if goes_on or (keyword.iskeyword(word) and word not in _FIRST_WORDS):
            at = found.end()
            continue
        yield found.end()
        at = 2 * found.end() - start


def _is_plain_text(source: bytes) -> bool:
    """Whether each part of the source reads as in the whole: UTF-8 without a mark, with plain line ends."""
    if len(source) < 2 * _PIECE_BYTES or b"\r" in source or source.startswith(b"\xef\xbb\xbf"):
        return False
    return b"coding" not in b"".join(source.split(b"\n", 2)[:2])
