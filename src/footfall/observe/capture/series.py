"""A series of blocks where `sys.monitoring` has no branch events: seen by the trace function alone, or by probes.

Called by footfall.api.capture, which admits one thread at a time.
"""

from footfall.observe.capture.blocks import CaptureSeries
from footfall.observe.capture.findings import Findings
from footfall.observe.capture.tracing import Tracing
from footfall.own_builtins import keep_builtins

keep_builtins(globals())

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType, FrameType
    from typing import Any, Protocol

    from footfall.observe.capture.findings import Found
    from footfall.observe.scope import Scope

    Arc = tuple[int, int]

    class Meanings(Protocol):
        """What the program's sources tell: footfall.api.capture_meanings."""

        def of_arc(self, path: str, start: int, end: int) -> tuple[frozenset[int], frozenset[Arc]]:
            """Return the lines and branches of a step from line to line; `start` may be `tracing.NO_LINE`."""

        def of_probe(
            self, path: str, mode: int, digest: bytes, text: bytes | None, number: int
        ) -> tuple[frozenset[int], frozenset[Arc]]:
            """Return those of one probe of a text; None means the text of the file."""

        def of_event(self, path: str, *what: Any) -> Found | None:
            """Return those of a place of `monitoring.Series`: a line, or a branch's code, offset and destination."""


__all__ = ["TracedSeries"]


class TracedSeries:
    """Everything that runs in the thread of an open block, seen by the trace function."""

    def __init__(self, scope: "Scope", meanings: "Meanings", is_full: bool) -> None:
        self._scope = scope
        self._meanings = meanings
        self.findings = Findings(self._translate, is_full)
        self._tracing = Tracing(scope, self.findings.places, self._is_seen_otherwise)
        self.blocks = CaptureSeries(self.findings.places, -1)
        self.is_working = True
        """True until it is stopped."""

    def prepare(self, frame: "FrameType", thread: int) -> bool:
        """Let a block of the running thread (its identity is `thread`) begin behind `frame`. Return whether it is
        traced.

        Called if the series is not simple. Raises RuntimeError if another tool has the trace function.
        """
        if self.findings.is_full:
            self._forget()
        traces = self._must_trace()
        if traces:
            self._tracing.open(frame, thread)
        return traces

    def stop_tracing(self, thread: int) -> None:
        """End what `prepare` began, in the thread that a block was opened in."""
        self._tracing.close(thread)

    def stop(self) -> None:
        """Stop seeing anything."""
        self.is_working = False
        self.blocks.is_simple = False
        self._tracing.stop()

    def _must_trace(self) -> bool:
        return True

    def _is_seen_otherwise(self, code: "CodeType") -> bool:
        return False

    def _forget(self) -> None:
        """Let everything be found again."""
        self._tracing.forget()
        if not self.blocks.n_open:
            self.findings.places.clear()

    def _translate(self, place: "tuple[Any, ...]") -> "Found | None":
        path, (start, end) = place
        lines, branches = self._meanings.of_arc(path, start, end)
        return path, lines, branches
