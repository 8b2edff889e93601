"""What each thread did in sequence: the order in time that a profile's sums leave out.

A thread's time is cut into spans, one for each change of stack or context. A long run would have endlessly many, so
their number is limited: if there are too many, the step of the time grid is doubled, and each cell shows the stack at
the cell's start. That is sampling at a lower rate: shares of time stay right, and CPU time, GIL time and sample counts
are added up, never lost. Steps are powers of two, so the order in which spans arrive does not matter.
`analyze/profile/calltree.py` fills it, `profile_tables.py` stores it, `merging/profiles.py` joins those of many runs.
"""

from __future__ import annotations

import sys
import zlib
from array import array
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

__all__ = ["MAX_SPANS", "Span", "ThreadTimeline", "Timelines", "TreeNode", "pack_column", "unpack_column"]

MAX_SPANS: Final = 1 << 16
"""The limit for all threads of a data file: a whole minute of one busy thread at 1 kHz, or an hour at 64 ms."""
_FIRST_STEP_NS: Final = 1 << 20
_LAST_STEP_NS: Final = 1 << 62
_MAX_NS: Final = 1 << 62


class TreeNode(NamedTuple):
    """Frame number `frame`, called from node number `parent`. Node 0 is the root, (-1, -1); parents come first."""

    parent: int
    frame: int


class Span(NamedTuple):
    """A time without change: stack and context by number, the time spent, and the number of samples."""

    node: int
    """The node of the innermost frame; 0 if no Python code ran, or if nothing is known (then without samples)."""
    context: int
    samples: int
    wall_ns: int
    cpu_ns: int
    gil_ns: int


class ThreadTimeline:
    """One thread's spans in columns, without gaps from `start_ns` on."""

    __slots__ = ("contexts", "cpu_ns", "end_ns", "gil_ns", "nodes", "samples", "start_ns", "wall_ns")

    def __init__(self, start_ns: int) -> None:
        self.start_ns = start_ns
        self.end_ns = start_ns
        self.nodes = array("I")
        self.contexts = array("I")
        self.samples = array("Q")
        self.wall_ns = array("Q")
        self.cpu_ns = array("Q")
        self.gil_ns = array("Q")

    @classmethod
    def of_columns(cls, start_ns: int, *columns: array[int]) -> ThreadTimeline:
        """Return the timeline of six columns of equal length, in the order of Span. Raises ValueError if invalid."""
        found = cls(start_ns)
        found.nodes, found.contexts, found.samples, found.wall_ns, found.cpu_ns, found.gil_ns = columns
        found.end_ns = start_ns + sum(found.wall_ns)
        if not 0 <= start_ns < found.end_ns < _MAX_NS or min(found.wall_ns) < 1:
            raise ValueError("a thread's time is out of range")
        if max(sum(found.samples), sum(found.cpu_ns), sum(found.gil_ns)) >= _MAX_NS:
            raise ValueError("what a thread spent is out of range")
        return found

    def columns(self) -> tuple[array[int], ...]:
        """The columns in the order of Span."""
        return self.nodes, self.contexts, self.samples, self.wall_ns, self.cpu_ns, self.gil_ns

    def __len__(self) -> int:
        return len(self.nodes)

    def __iter__(self) -> Iterator[Span]:
        return map(Span._make, zip(*self.columns(), strict=True))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ThreadTimeline):
            return NotImplemented
        return self.start_ns == other.start_ns and list(self) == list(other)

    def __repr__(self) -> str:
        return f"ThreadTimeline({self.start_ns}, {list(self)})"

    def append(self, node: int, context: int, samples: int, wall_ns: int, cpu_ns: int, gil_ns: int) -> bool:
        """Add what came next. Returns whether it is a new span: if nothing changed, the last one gets longer."""
        nodes = self.nodes
        if nodes and (not wall_ns or (nodes[-1] == node and self.contexts[-1] == context)):
            self.samples[-1] += samples
            self.wall_ns[-1] += wall_ns
            self.cpu_ns[-1] += cpu_ns
            self.gil_ns[-1] += gil_ns
            self.end_ns += wall_ns
            return False
        wall_ns = wall_ns or 1
        nodes.append(node)
        self.contexts.append(context)
        self.samples.append(samples)
        self.wall_ns.append(wall_ns)
        self.cpu_ns.append(cpu_ns)
        self.gil_ns.append(gil_ns)
        self.end_ns += wall_ns
        return True

    def renumbered(self, nodes: Mapping[int, int], contexts: Mapping[int, int]) -> ThreadTimeline:
        """Return the spans with other numbers for nodes and contexts; neighbours that become equal are joined."""
        found = ThreadTimeline(self.start_ns)
        found.end_ns = self.end_ns
        found.nodes = array("I", map(nodes.__getitem__, self.nodes))
        found.contexts = array("I", map(contexts.__getitem__, self.contexts))
        _, _, found.samples, found.wall_ns, found.cpu_ns, found.gil_ns = self.columns()
        if len({*nodes.values()}) == len(nodes) and len({*contexts.values()}) == len(contexts):
            return found
        joined = ThreadTimeline(self.start_ns)
        for span in found:
            joined.append(*span)
        return joined

    def rounded(self, step_ns: int, from_ns: int = 0) -> ThreadTimeline:
        """Return the spans on a grid: each covers the cells that begin in it, and gets what others spent there.

        They are already on a grid of `from_ns` (0: none). The step is doubled repeatedly, since spans that become
        neighbours are joined; so it makes no difference when and in how many calls this is done.
        """
        found = self
        step = 2 * from_ns or _FIRST_STEP_NS
        while step < step_ns:
            found = found._rounded_once(step)
            step *= 2
        return found._rounded_once(step_ns)

    def _rounded_once(self, step_ns: int) -> ThreadTimeline:
        found = ThreadTimeline(self.start_ns - self.start_ns % step_ns)
        at = self.start_ns
        for node, context, samples, wall_ns, cpu_ns, gil_ns in zip(*self.columns(), strict=True):
            at += wall_ns
            found.append(node, context, samples, -(-at // step_ns) * step_ns - found.end_ns, cpu_ns, gil_ns)
        return found


@dataclass(slots=True)
class Timelines:
    """The timelines of a profile's threads, by number.

    Recorded and stored times count from the epoch; after `count_from_start`, from each run's start.
    """

    threads: dict[int, ThreadTimeline] = field(default_factory=dict)
    labels: list[str] = field(default_factory=list)
    """Contexts that spans refer to by number."""
    step_ns: int = 0
    """The grid's step; 0 if every sampled change is included."""
    max_spans: int = MAX_SPANS
    _n_spans: int = field(default=0, compare=False)
    _numbers: dict[str, int] = field(default_factory=dict, compare=False)

    def context(self, label: str) -> int:
        """Return a context's number."""
        number = self._numbers.setdefault(label, len(self.labels))
        if number == len(self.labels):
            self.labels.append(label)
        return number

    def add(self, thread: int, end_ns: int, span: Span) -> None:
        """Add what a thread did until `end_ns`. Spans of a thread come in order; overlaps are cut off."""
        _, _, _, wall_ns, _, _ = span
        timeline = self.threads.get(thread)
        if not 0 <= end_ns < _MAX_NS or wall_ns >= _MAX_NS:
            return  # from a damaged log
        if timeline is None:
            timeline = self.threads[thread] = ThreadTimeline(max(end_ns - wall_ns, 0))
        missing = end_ns - wall_ns - timeline.end_ns
        if missing > 0:
            self._n_spans += timeline.append(0, span.context, 0, missing, 0, 0)
        elif missing < 0:
            wall_ns = max(wall_ns + missing, 0)
        self._n_spans += timeline.append(span.node, span.context, span.samples, wall_ns, span.cpu_ns, span.gil_ns)
        if self._n_spans > 2 * self.max_spans:
            self.bound()

    def take(self, thread: int, timeline: ThreadTimeline, step_ns: int = 0) -> None:
        """Add a thread with all of its spans, on a grid of `step_ns` (0: none) that is this one or a finer one."""
        found = timeline.rounded(self.step_ns, step_ns) if self.step_ns > step_ns else timeline
        self.threads[thread] = found
        self._n_spans += len(found)
        if self._n_spans > 2 * self.max_spans:
            self.bound()

    def coarsen(self, step_ns: int) -> None:
        """Change to a grid of at least this step."""
        if step_ns > self.step_ns:
            before, self.step_ns = self.step_ns, step_ns
            self.threads = {thread: timeline.rounded(step_ns, before) for thread, timeline in self.threads.items()}
            self._n_spans = sum(map(len, self.threads.values()))

    def bound(self) -> None:
        """Coarsen until there are no more spans than allowed; each thread keeps at least one."""
        self._n_spans = sum(map(len, self.threads.values()))
        while self._n_spans > max(self.max_spans, len(self.threads)) and self.step_ns < _LAST_STEP_NS:
            self.coarsen(2 * self.step_ns or _FIRST_STEP_NS)

    def count_from_start(self, first_threads: Iterable[int]) -> None:
        """Count times from the start of each thread's run; `first_threads` are the first threads of the runs."""
        bounds = sorted({0, *first_threads})
        origins: dict[int, int] = {}
        run_of = {}
        at = 0
        for thread in sorted(self.threads):
            while at + 1 < len(bounds) and bounds[at + 1] <= thread:
                at += 1
            run_of[thread] = at
            origins[at] = min(origins.get(at, _MAX_NS), self.threads[thread].start_ns)
        for thread, timeline in self.threads.items():
            timeline.start_ns -= origins[run_of[thread]]
            timeline.end_ns -= origins[run_of[thread]]

    def replace_nodes(self, number_of: dict[int, int]) -> Timelines:
        """Return the timelines with other nodes where `number_of` has one."""
        found = Timelines({}, self.labels, self.step_ns, self.max_spans)
        for thread, timeline in self.threads.items():
            copy = found.threads[thread] = ThreadTimeline(timeline.start_ns)
            for span in timeline:
                copy.append(number_of.get(span.node, span.node), *span[1:])
        return found

    def keep_nodes(self, number_of: Mapping[int, int]) -> Timelines:
        """Return the timelines with other nodes; for those that `number_of` lacks, the time stays as unknown."""
        found = Timelines({}, self.labels, self.step_ns, self.max_spans)
        for thread, timeline in self.threads.items():
            copy = found.threads[thread] = ThreadTimeline(timeline.start_ns)
            for span in timeline:
                node = number_of.get(span.node)
                copy.append(*((0, span.context, 0, span.wall_ns, 0, 0) if node is None else (node, *span[1:])))
        return found

    def leave_contexts(self, kept: Iterable[int], thread: int | None = None) -> None:
        """Forget what was done in contexts other than these, by all threads or one; the time stays as unknown."""
        wanted = set(kept)
        for number in self.threads if thread is None else (thread,):
            timeline = self.threads[number]
            copy = self.threads[number] = ThreadTimeline(timeline.start_ns)
            for span in timeline:
                copy.append(*(span if span.context in wanted else (0, span.context, 0, span.wall_ns, 0, 0)))


def pack_column(column: array[int]) -> bytes:
    """Return a column's numbers as compressed little-endian bytes."""
    if sys.byteorder == "big":
        column = array(column.typecode, column)
        column.byteswap()
    return zlib.compress(column.tobytes(), 1)


def unpack_column(packed: object, typecode: str, count: int) -> array[int]:
    """Return a column of `count` numbers. Raises ValueError for anything else, without using more memory than that."""
    column = array(typecode)
    if not isinstance(packed, bytes):
        raise ValueError("a column is no bytes")
    try:
        content = zlib.decompressobj().decompress(packed, count * column.itemsize + 1)
    except zlib.error as error:
        raise ValueError(f"a column is damaged ({error})") from error
    if len(content) != count * column.itemsize:
        raise ValueError("a column is too short or too long")
    column.frombytes(content)
    if sys.byteorder == "big":
        column.byteswap()
    return column
