"""Large sources parsed piece by piece: a syntax tree takes a hundred times the memory of its text.

A piece is a run of a module's statements. It ends before a line that begins a statement at the left edge, and is parsed
by itself. If the piece is not a valid module by itself (the line is inside a string, or behind a decorator), the cut is
not made there.
"""

from _ast import Pass

from footfall.own_builtins import keep_builtins

keep_builtins(globals())

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _ast import Module
    from collections.abc import Callable, Iterator

__all__ = ["can_be_cut", "parse_in_pieces"]

_PIECE_BYTES = 400_000
# No cut before what may be compiled to nothing, which control skips; nor before `from`: `__future__` imports belong to
# the first piece.
_NOT_FIRST_WORDS = frozenset(
    b"False None True and as assert await break continue del elif else except finally for from global if in is lambda "
    b"nonlocal not or pass raise return try while with yield".split()
)
_ERRORS = (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError)


def can_be_cut(source: bytes) -> bool:
    """Return whether the source is large, and parts of it read as in the whole: UTF-8, no BOM, plain line ends."""
    if len(source) < 2 * _PIECE_BYTES or b"\r" in source or source.startswith(b"\xef\xbb\xbf"):
        return False
    return b"coding" not in b"".join(source.split(b"\n", 2)[:2])


def parse_in_pieces(source: bytes, parse: "Callable[[bytes], Module]") -> "Iterator[tuple[Module, bool]]":
    """Yield trees that together are the source's, in order, and whether each is the last one.

    All but the last end with a `pass` where the next one begins. Lines are those of the source. Raises what `parse`
    raises, perhaps after some pieces.
    """
    start = 0
    first_line = 1
    while True:
        blank = b"\n" * (first_line - 1)
        for cut in _find_cuts(source, start):
            try:
                tree = parse(blank + source[start:cut])
            except _ERRORS:
                continue
            break
        else:
            yield parse(blank + source[start:]), True
            return
        first_line += source.count(b"\n", start, cut)
        start = cut
        tree.body.append(Pass(lineno=first_line, col_offset=0, end_lineno=first_line, end_col_offset=0))
        yield tree, False
        del tree  # before the next one is made


def _find_cuts(source: bytes, start: int) -> "Iterator[int]":
    """Yield where the piece that begins at `start` may end, each twice as far on, because each costs a parse."""
    if not start and not can_be_cut(source):
        return
    cut = _find_statement(source, start + _PIECE_BYTES)
    while cut:
        if _is_outside_strings(source, start, cut):
            yield cut
        cut = _find_statement(source, 2 * cut - start)


def _find_statement(source: bytes, at: int) -> int:
    """Return where the next line begins that looks like a statement, after the end of the line at `at`; 0 if none."""
    while True:
        at = source.find(b"\n", at) + 1
        if not at or at == len(source):
            return 0
        if _begins_statement(source, at) and source[at - 2 : at - 1] != b"\\":
            return at


def _begins_statement(source: bytes, at: int) -> bool:
    """Return whether there is a decorator, or a word that may begin a statement which has code."""
    first = source[at : at + 1]
    if first == b"@":
        return True
    if not _is_word(first) or first.isdigit():
        return False
    end = at + 1
    while _is_word(source[end : end + 1]):
        end += 1
    if source[at:end] in _NOT_FIRST_WORDS:
        return False
    behind = end
    while source[behind : behind + 1] == b" ":
        behind += 1
    following = source[behind : behind + 1]
    return following != b"" and (following in b"=.([" or (behind > end and _is_word(following)))


def _is_word(character: bytes) -> bool:
    return character.isalnum() or character == b"_"


def _is_outside_strings(source: bytes, start: int, cut: int) -> bool:
    """Return whether no multi-line string seems to extend over the cut: a failed parse repeats compiler warnings."""
    return not any(source.count(quotes, start, cut) % 2 for quotes in (b'"""', b"'''"))
