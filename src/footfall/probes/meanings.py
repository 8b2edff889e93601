"""What it means that a probe was executed: reported by the plan that numbers probes, read by `analyze`.

A meaning is a pair of a kind and a node; the kind may contain the reason why a `finally` clause was entered.
"""

from _ast import AST

from footfall.own_builtins import keep_builtins

keep_builtins(globals())

__all__ = [
    "BREAK",
    "CASE_FAILED",
    "CONTINUE",
    "DEFINED",
    "ENDED",
    "ENTERED",
    "EXCEPTION",
    "EXITED",
    "HEADER_LINE",
    "JUMPED",
    "LEFT",
    "LINE",
    "NORMAL",
    "RAISED",
    "RETURN",
    "PHANTOM",
    "AFTER_OUTER_PHANTOM",
    "AFTER_PHANTOM",
    "add_reason",
    "after_phantom",
    "split_reason",
]

# Kinds
LINE = 0
"""The node's first line was reached."""
ENTERED = 1
"""Control went from the line of the node (if, loop, case) into its body."""
LEFT = 2
"""Control went from the line of the node to its `else`, or to what follows it: false, exhausted, not matched."""
ENDED = 3
"""The body on the line of the node (if, case) completed."""
JUMPED = 4
"""The node (return, break, continue, raise) was reached; it may share its line with other ways out."""
RAISED = 5
"""An exception left the node."""
CASE_FAILED = 6
"""The case that is the node was not matched, so the next one was tried."""
EXITED = 7
"""The function or class that is the node, all on one line, was run."""
DEFINED = 8
"""The definition that is the node, all on one line, was executed."""
HEADER_LINE = 9
"""The line of the node itself (a decorated definition's `def` or `class`) was reached."""
PHANTOM = 10
"""The line that CPython 3.11 reports behind the node (`try`, `async with`) was reached."""

# Reasons
NORMAL, EXCEPTION, RETURN, BREAK, CONTINUE, AFTER_PHANTOM, AFTER_OUTER_PHANTOM = range(7)
"""AFTER_PHANTOM is an EXCEPTION for which a phantom line is reported before it continues; it is reported, never kept.

AFTER_OUTER_PHANTOM is the same if that line belongs to a clause around the innermost clause that has one; its level
counts only clauses that have one.
"""
_SHIFT = 8
_LEVEL_SHIFT = 11
"""Above the three bits of a reason: how many levels out the `finally` clause is that the reason belongs to."""


def add_reason(meanings: "list[tuple[int, AST]]", reason: int, level: int = 0) -> "list[tuple[int, AST]]":
    """Return the meanings as valid for one reason only: that of the clause that ends, or of one `level` around it."""
    return [(kind | reason << _SHIFT | level << _LEVEL_SHIFT, node) for kind, node in meanings]


def after_phantom(meanings: "list[tuple[int, AST]]", level: int) -> "list[tuple[int, AST]]":
    """Return the meanings as valid for an exception that meets a phantom line first.

    The line is that of the innermost clause that has one, or of the one `level` around it.
    """
    return add_reason(meanings, AFTER_OUTER_PHANTOM if level else AFTER_PHANTOM, level)


def split_reason(kind: int) -> tuple[int, int, int]:
    """Return a meaning's kind, reason and level."""
    return kind & (1 << _SHIFT) - 1, kind >> _SHIFT & (1 << _LEVEL_SHIFT - _SHIFT) - 1, kind >> _LEVEL_SHIFT
