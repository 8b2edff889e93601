"""Makes names that others chose (files, functions, threads, tests) safe to print in messages, tables and on screens.

A name may contain any character. A line break would split a table row or forge a message, an escape sequence would
control the terminal, and some characters make text look like other text (U+202E reverses the rest of a line). Measured
processes import this too.
"""

from footfall.own_builtins import keep_builtins

keep_builtins(globals())

__all__ = ["printable", "printable_lines", "question_marked"]


def printable(text: str) -> str:
    """Return a text as one line: unprintable characters become escapes, as in Python's `repr`."""
    return text if text.isprintable() else "".join([char if char.isprintable() else repr(char)[1:-1] for char in text])


def printable_lines(text: str) -> str:
    """Do the same for each line of a text."""
    return "\n".join([printable(line) for line in text.split("\n")])


def question_marked(text: str) -> str:
    """Return a text as one line, as in coverage.py's reports: unprintable characters become question marks."""
    return text if text.isprintable() else "".join([char if char.isprintable() else "?" for char in text])
