"""What decides, besides the source, where a module's probes go and what they mean: the bits of the mode in its header.

The measured interpreter knows them, and `analyze/probes/arcs.py` reads them from the record, because it may run on
another interpreter or at another optimization level.
"""

import sys

from footfall.own_builtins import keep_builtins
from footfall.pythons import HAS_LINES_OF_NOTHING, HAS_PHANTOM_LINES

keep_builtins(globals())

__all__ = [
    "BRANCHES",
    "LINES_OF_NOTHING",
    "NO_ASSERTS",
    "RUNS_DOCSTRINGS",
    "PHANTOM_LINES",
    "PHANTOMS_BEHIND_CASES",
    "PHANTOMS_BEHIND_EXCEPT_STAR",
    "mode_here",
    "extra_lines_here",
]

BRANCHES = 1
"""There are probes for branches, not only for lines."""
PHANTOM_LINES = 2
"""The compiler is CPython 3.11's, which reports lines that did not run (see phantom_lines.py)."""
NO_ASSERTS = 4
"""`assert` statements are dropped: `-O`."""
RUNS_DOCSTRINGS = 8
"""The docstring of a function with nothing else is a statement with a line: `-OO`, but not on CPython 3.13.0."""
PHANTOMS_BEHIND_CASES = 16
"""With PHANTOM_LINES: leaving a `case` reports the line of the last statement in it, as in CPython 3.11.2."""
PHANTOMS_BEHIND_EXCEPT_STAR = 32
"""With PHANTOM_LINES: leaving an `except*` clause that ends a function reports its last line, as in CPython 3.11.2."""
LINES_OF_NOTHING = 64
"""A statement without instructions has a line if it ends a `case` or a `finally` clause, as in PyPy."""


def mode_here(
    with_branches: bool, optimize: int = -1, keeps_asserts: bool = False, extra_lines: int | None = None
) -> int:
    """Return the mode of code that is compiled in this process; `optimize` is as for `compile`.

    `keeps_asserts`: asserts are rewritten as other statements beforehand, as pytest does. `extra_lines` is the result
    of `extra_lines_here`.
    """
    level = sys.flags.optimize if optimize < 0 else optimize
    mode = (extra_lines_here() if extra_lines is None else extra_lines) | (BRANCHES if with_branches else 0)
    if level > 0 and not keeps_asserts:
        mode |= NO_ASSERTS
    if level > 1 and _runs_docstrings():
        mode |= RUNS_DOCSTRINGS
    return mode


def extra_lines_here() -> int:
    """Return the bits for lines that only this compiler has: CPython 3.11's phantom lines, PyPy's lines of nothing.

    Patch releases of 3.11 differ. On 3.11 it compiles two small texts, so do not call it before code is compiled, nor
    for each file.
    """
    if HAS_LINES_OF_NOTHING:
        return LINES_OF_NOTHING
    if not HAS_PHANTOM_LINES:
        return 0
    case = compile("match 0:\n case 0:\n  global a", "", "exec", dont_inherit=True)
    star = compile("try:0\nexcept*0:\n 0", "", "exec", dont_inherit=True)
    found = PHANTOM_LINES
    if any(line == 3 for _, _, line in case.co_lines()):
        found |= PHANTOMS_BEHIND_CASES
    if [line for _, _, line in star.co_lines() if line is not None][-1] == 3:
        found |= PHANTOMS_BEHIND_EXCEPT_STAR
    return found


def _runs_docstrings() -> bool:
    module = compile("def f():\n ''", "", "exec", dont_inherit=True, optimize=2)
    [function] = [constant for constant in module.co_consts if type(constant) is type(module)]
    return any(line == 2 for _, _, line in function.co_lines())
