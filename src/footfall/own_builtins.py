"""The built-in functions as they were when measuring began, whatever the program puts in their place afterwards.

Tests replace `builtins.open`, `len` or `__import__` by what fails, counts calls or is no function at all. Each module
that runs inside the program calls `keep_builtins` before it defines functions: CPython finds the built-in names of a
function where its module's globals say. PyPy looks at `builtins` alone.
"""

import builtins

__all__ = ["keep_builtins", "kept_builtins"]

_KEPT = dict(vars(builtins))


def keep_builtins(namespace: dict[str, object]) -> None:
    """Let functions that a module with these globals defines from now on find the built-in names that are kept here."""
    namespace["__builtins__"] = _KEPT


def kept_builtins(**others: object) -> dict[str, object]:
    """Return a copy of what is kept, with other functions under some names."""
    return {**_KEPT, **others}
