"""What is known about a file that a plugin of coverage.py measures: a template, or source in another language.

`load/traced_files.py` makes it from the plugin's answers; all reports use it like the analysis of a Python file.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from footfall.analyze.source.analysis import SourceAnalysis
from footfall.analyze.source.definitions import CodeRegion

__all__ = ["TracedAnalysis"]

Arc = tuple[int, int]


@dataclass(frozen=True, slots=True)
class TracedAnalysis(SourceAnalysis):
    """The file as the plugin sees it: its own translations of recorded lines and arcs, and its descriptions of arcs."""

    name: str
    """The path as reports show it."""
    read_text: Callable[[], str]
    """Returns the source's text. Raises FootfallError; lines are known without it."""
    kinds: tuple[tuple[str, str], ...]
    """Names for kinds of regions, in singular and plural."""
    regions: tuple[CodeRegion, ...]
    translated_lines: Callable[[Iterable[int]], set[int]]
    translated_arcs: Callable[[Iterable[Arc]], set[Arc]]
    describe_arc: Callable[[int, int], str]
    describe_missing_arc: Callable[[int, int], str]

    def translate_lines(self, lines: Iterable[int]) -> set[int]:
        """Map recorded lines to those that count."""
        return self.translated_lines(lines)

    def translate_arcs(self, arcs: Iterable[Arc]) -> set[Arc]:
        """Map recorded arcs to those that count."""
        return self.translated_arcs(arcs)

    def arc_description(self, start: int, end: int) -> str:
        """Say what the arc does, to follow "line 4 didn't"."""
        return self.describe_arc(start, end)

    def missing_arc_description(self, start: int, end: int) -> str:
        """Say in a sentence that the arc was not taken."""
        return self.describe_missing_arc(start, end)
