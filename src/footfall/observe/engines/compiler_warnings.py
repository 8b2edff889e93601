"""Suppresses the compiler's warnings if the program has had them already. Used by the probes engine."""

import sys

from footfall.own_builtins import keep_builtins

keep_builtins(globals())

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["Silence"]


class Silence:
    """Suppress the compiler's warnings, in C or through the warnings module."""

    def __enter__(self) -> None:
        import _warnings

        self._filters = getattr(sys.modules.get("warnings"), "filters", _warnings.filters)
        self._filter = ("ignore", None, Warning, None, 0)
        self._filters.insert(0, self._filter)
        _refresh_filters(_warnings)

    def __exit__(self, *error: object) -> None:
        import _warnings

        self._filters.remove(self._filter)
        _refresh_filters(_warnings)


def _refresh_filters(warnings: "Any") -> None:
    warnings._filters_mutated()
