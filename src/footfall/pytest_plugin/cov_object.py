"""What pytest-cov's fixture `cov` returns if coverage.py is installed: an object of its class that measures nothing.

PYTEST_DONT_REWRITE
"""

from __future__ import annotations

import importlib.util
from typing import Any

from footfall.observe.contexts import switch

__all__ = ["make_cov_object"]


def make_cov_object(config_file: str) -> object | None:
    """Return an instance of a `coverage.Coverage` subclass for which footfall measures; None without coverage.py."""
    if importlib.util.find_spec("coverage") is None:
        return None
    import coverage

    base: Any = coverage.Coverage  # has no useful annotations if it is not installed

    class MeasuredByFootfall(base):  # type: ignore[misc]
        """Configuration and reports are coverage.py's; footfall keeps measuring, whatever is called."""

        def start(self) -> None: ...

        def stop(self) -> None: ...

        def save(self) -> None: ...

        def switch_context(self, new_context: str) -> None:
            switch(new_context)

    return MeasuredByFootfall(config_file=config_file)
