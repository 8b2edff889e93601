"""Probes in the modules that are loaded after a start in a running program, on CPython 3.12 and 3.13 and on PyPy.

The hooks on loading and compiling stay when a measurement has ended, and then do nothing. What can't have probes is
left to what sees all other code: a tool of `sys.monitoring` (late_probes.py), or on PyPy the trace function.
"""

import sys

from footfall.observe.engines import import_hooks
from footfall.observe.engines.probes import Probes
from footfall.observe.engines.traced_files import TracedFiles
from footfall.observe.interruptions import pass_on
from footfall.own_builtins import keep_builtins
from footfall.settings import Settings

keep_builtins(globals())

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from footfall.observe.engines.probes import Arm
    from footfall.observe.scope import Scope

__all__ = ["LateModules"]


class LateModules(Probes):
    """`hooks` are those of the interpreter. One per process, since hooks stay."""

    def __init__(self, arm: "Arm", hooks: "Any") -> None:
        # Always with branches, as settings are by default: a later measurement may want them.
        self.current_scope = _CurrentScope()
        settings = Settings("")
        scope: Any = self.current_scope
        super().__init__(settings, scope, arm, hooks.call_with_room, TracedFiles(True))
        if not _has_capture_hooks():  # else later modules have probes if they are in a scope of captures
            Probes.running = self
            hooks.hook_compile(self)
            import_hooks.hook_imports(self, settings.cache_dir, hooks.unseen, hooks.look_alike)

    def keep_text(self, text: "str | bytes") -> None:
        """Return None: code of a text that is not the file's is seen otherwise."""

    def failed(self, path: str, error: BaseException) -> None:
        """Handle a module that has no probes because of us: it is seen otherwise."""
        pass_on(error)

    def _trace(self, filename: str, path: str) -> None:
        """Do nothing: code that can't have probes is seen otherwise."""

    def _trace_for_room(self, filename: str, path: str) -> None:
        """As `_trace`."""

    def _report_code(self, path: str, what: str) -> None:
        """As `_trace`."""

    def _report_missing(self, path: str) -> None:
        """As `_trace`."""


class _CurrentScope:
    """The scope of the measurement that runs; nothing is in it when there is none."""

    def __init__(self) -> None:
        self.scope: Scope | None = None

    def decide(self, filename: str, module_name: str | None = None, namespace: "Any" = None) -> str | None:
        """As `Scope.decide`."""
        return None if self.scope is None else self.scope.decide(filename, module_name, namespace)

    def decide_before_run(self, filename: str) -> "tuple[str | None, bool]":
        """As `Scope.decide_before_run`."""
        return (None, True) if self.scope is None else self.scope.decide_before_run(filename)


def _has_capture_hooks() -> bool:
    probing = sys.modules.get("footfall.observe.capture.probing")
    return probing is not None and probing.ProbeSeries._probes is not None
