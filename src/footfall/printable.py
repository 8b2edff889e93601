"""What may be printed of names that others made, of files, functions, threads, tests: in messages, tables, on screens.

A name may hold any character: an end of line would break a table or forge a message, an escape sequence would have the
terminal do things, and some only look like others (U+202E turns the rest of a line round). Measured processes import
this too.
"""

from footfall.own_builtins import keep_builtins

keep_builtins(globals())

__all__ = ["printable", "printable_lines", "question_marked"]


def printable(text: str) -> str:
    """Return a text as one line: what can't be seen becomes an escape, as in Python's `repr`."""
    return text if text.isprintable() else "".join([char if char.isprintable() else repr(char)[1:-1] for char in text])


def printable_lines(text: str) -> str:
    """The same of each line of a text that has several."""
    return "\n".join([printable(line) for line in text.split("\n")])


def question_marked(text: str) -> str:
    """Return a text as one line the way coverage.py's reports have it: what can't be seen is a question mark."""
    return text if text.isprintable() else "".join([char if char.isprintable() else "?" for char in text])
