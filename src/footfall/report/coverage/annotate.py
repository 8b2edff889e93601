"""Copies of sources with a margin that says what ran, as `coverage annotate` of coverage.py 7.17 writes them.

Pure: results in, text out.
"""

from __future__ import annotations

import hashlib
import ntpath
import os
import re
from bisect import bisect_left

from footfall.analyze.results import FileResult

__all__ = ["annotate", "flat_name", "is_annotated"]

_MARGINS = frozenset({b"> ", b"! ", b"- ", b"  "})
_HAS_NO_CODE = re.compile(r"\s*(#|$)")
_IS_LONE_ELSE = re.compile(r"\s*else\s*:\s*(#|$)")


def annotate(source: str, result: FileResult) -> str:
    r"""Return the source (line ends are "\n") with a margin: `> ` run, `! ` missing, `- ` excluded, blank for no code.

    Lines inside a statement are marked like its first; a lone `else:` is marked like the statement that follows it.
    """
    statements = sorted(result.statements)
    has_run = True
    found: list[str] = []
    for number, line in enumerate(source.split("\n")[:-1], 1):  # no other character ends a line in Python
        if number in result.statements:
            has_run = number not in result.missing
        if _HAS_NO_CODE.match(line):
            margin = "  "
        elif _IS_LONE_ELSE.match(line):
            following = statements[bisect_left(statements, number) :][:1]
            margin = "! " if result.missing.issuperset(following) and following else "> "
        elif number in result.excluded:
            margin = "- "
        else:
            margin = "> " if has_run else "! "
        found.append(f"{margin}{line}\n")
    return "".join(found)


def is_annotated(text: bytes) -> bool:
    """Return whether `annotate` may have made a text, from any source: each line has one of its margins."""
    return all(line[:2] in _MARGINS for line in text.split(b"\n")[:-1]) and (not text or text.endswith(b"\n"))


def flat_name(name: str) -> str:
    """Return the name of a copy when all go into one directory. It differs for files of different directories."""
    directory, base = ntpath.split(name)
    stem, extension = os.path.splitext(base)
    prefix = ""
    if directory:
        prefix = f"z_{hashlib.sha3_256(directory.encode('utf-8', 'surrogateescape')).hexdigest()[:16]}_"
    return f"{prefix}{stem.replace('.', '_')}{extension},cover"
