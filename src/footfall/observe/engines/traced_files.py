"""Single files measured by `settrace` beside the probes engine: those whose code can't have probes.

While there is one, the interpreter calls the trace function for all code, which is slow; so tracing starts with the
first such file.
"""

import sys

from footfall.observe.own_modules import load_own
from footfall.own_builtins import keep_builtins

keep_builtins(globals())

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from footfall.observe.engines.probes import Where

__all__ = ["TracedFiles"]

_TRACE_FUNCTION = "footfall_trace"


class TracedFiles:
    """The files by `co_filename`, and what the trace function asks about them."""

    def __init__(self, with_branches: bool) -> None:
        self._with_branches = with_branches
        self._paths: dict[str, Where] = {}

    def __contains__(self, filename: str) -> bool:
        return filename in self._paths

    def add(self, filename: str, path: "Where") -> bool:
        """Trace code of the file that begins from now on; its path may be a function that returns it when that runs.

        Return False if another tool is tracing; it is left in place.
        """
        load_own("thread_starts")  # the next module imports it
        settrace: Any = load_own("engines.settrace")  # few programs need it

        function = sys.gettrace()
        is_ours = getattr(function, "__name__", "") == _TRACE_FUNCTION
        if self._paths:
            if not is_ours:
                return False  # the program has set another, or none
            self._paths[filename] = path
            settrace.ask_again(filename)  # its code with probes may have run
            return True
        if function is not None and not is_ours:  # ours: that of plugins' frames
            return False
        self._paths[filename] = path
        settrace.start_with_probes(self.decide, self._with_branches)
        return True

    def decide(self, filename: str) -> str | None:
        """Return the absolute path of a file if it is traced."""
        path = self._paths.get(filename)
        return path(filename) if callable(path) else path
