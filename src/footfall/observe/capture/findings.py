"""What the blocks of one series found, by probes or the trace function: places in order, and what each of them adds.

Places are appended as the program reaches them; they are translated to lines and branches on request.
"""

from _thread import RLock

from footfall.own_builtins import keep_builtins

keep_builtins(globals())

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Arc = tuple[int, int]
    Places = list[tuple[Any, ...]]
    """(path, arc) from the trace function; (object for a module's probes, number of one); or those of
    monitoring.Series.
    """
    Found = tuple[str, frozenset[int], frozenset[Arc]]
    """A path, lines and branches: first lines of statements, and pairs of them."""
    Translate = Callable[[tuple[Any, ...]], Found | None]

__all__ = ["Findings"]


class Findings:
    """The places of one series. `translate` returns what a place means, None if that is not in the scope."""

    def __init__(self, translate: "Translate", is_full: bool, places: "Places | None" = None) -> None:
        self.places: Places = [] if places is None else places
        self.is_full = is_full
        self._translate = translate
        self._lock = RLock()
        self._is_looking = False
        self._news: list[Found] = []  # what each of the first places adds, as far as they were looked at
        self._lines: dict[str, set[int]] = {}
        self._branches: dict[str, set[Arc]] = {}

    def found(self, start: int, end: int, kept: "Places | None") -> "list[Found]":
        """Return what a block found, in order; lines and branches may be empty.

        `end` is negative while it is open; `kept` are its places, if the series forgets them.
        """
        if self.is_full:
            places = self.places[start:] if kept is None else kept
            return [found for found in map(self._translate, places) if found is not None]
        return self._news_of(start, len(self.places) if end < 0 else end)

    def _news_of(self, start: int, end: int) -> "list[Found]":
        """Return what the places from `start` up to `end` (exclusive) add to those before each of them."""
        with self._lock:  # of threads that ask at once, each place is looked at by one
            if self._is_looking:  # a finalizer or a signal handler asks while its thread is at it: by itself
                return Findings(self._translate, False, self.places)._news_of(start, end)
            try:
                self._is_looking = True
                while (at := len(self._news)) < end:
                    found = self._translate(self.places[at])
                    self._news.append(_NOTHING if found is None else self._subtract(found))
                return self._news[start:end]
            finally:
                self._is_looking = False

    def _subtract(self, found: "Found") -> "Found":
        path, lines, branches = found
        seen_lines = self._lines.setdefault(path, set())
        seen_branches = self._branches.setdefault(path, set())
        found = path, lines - seen_lines, branches - seen_branches
        seen_lines |= lines
        seen_branches |= branches
        return found


_NOTHING: "Found" = ("", frozenset(), frozenset())
