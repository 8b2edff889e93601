"""The built-in functions as they were when measuring began, whatever the program puts in their place later.

Tests replace `builtins.open`, `len` or `__import__` by something that fails, counts calls or is not a function at all.
Each module that runs inside the program calls `keep_builtins` before it defines functions: CPython takes a function's
built-in names from its module's globals. PyPy looks only at `builtins`.
"""

import builtins

__all__ = ["keep_builtins", "kept_builtins"]

_KEPT = dict(vars(builtins))


def keep_builtins(namespace: dict[str, object]) -> None:
    """Make functions that a module with these globals defines from now on use the built-ins kept here."""
    namespace["__builtins__"] = _KEPT


def kept_builtins(**others: object) -> dict[str, object]:
    """Return a copy of the kept built-ins, with other functions under some names."""
    return {**_KEPT, **others}
