"""What besides its source decides where a module's probes go and what they mean: the bits of its header's mode.

The measured interpreter knows them, and `analyze.probe_arcs` reads them from the record: neither its interpreter nor
its optimization need be those that measured.
"""

import sys

__all__ = ["BRANCHES", "NO_ASSERTS", "RUNS_DOCSTRINGS", "STRAYS", "mode_here"]

BRANCHES = 1
"""There are probes for branches, not only for lines."""
STRAYS = 2
"""The compiler is CPython 3.11's, which reports lines that did not run (see probe_strays)."""
NO_ASSERTS = 4
"""`assert` statements are left out: `-O`."""
RUNS_DOCSTRINGS = 8
"""The docstring of a function with nothing else is a statement with a line: `-OO`, but not on CPython 3.13.0."""


def mode_here(with_branches: bool, optimize: int = -1, keeps_asserts: bool = False) -> int:
    """Return the mode of code that is compiled in this process, `optimize` being as for `compile`.

    `keeps_asserts`: they are made other statements before, as pytest does.
    """
    level = sys.flags.optimize if optimize < 0 else optimize
    mode = BRANCHES if with_branches else 0
    if sys.implementation.name == "cpython" and sys.version_info < (3, 12):
        mode |= STRAYS
    if level > 0 and not keeps_asserts:
        mode |= NO_ASSERTS
    if level > 1 and _runs_docstrings():
        mode |= RUNS_DOCSTRINGS
    return mode


def _runs_docstrings() -> bool:
    module = compile("def f():\n ''", "", "exec", dont_inherit=True, optimize=2)
    [function] = [constant for constant in module.co_consts if type(constant) is type(module)]
    return any(line == 2 for _, _, line in function.co_lines())
