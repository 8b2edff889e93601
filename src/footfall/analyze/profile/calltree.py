"""Samples to a call tree, and the tree to time per line, function and thread.

`profile_of_logs` merges the logs of all processes of a run into one tree; the other functions read it. The
tree keeps exact source positions; reports take what they show: lines, functions, or collapsed stacks.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, TypeVar

from footfall.analyze.bytecode.linetable import Position, position, positions
from footfall.analyze.native.join import native_functions_by_caller
from footfall.analyze.native.unwinding import Unwinder
from footfall.analyze.profile.cpu_times import CpuTimes
from footfall.analyze.profile.tree_sums import TreeSums, pack_cost, unpack_cost
from footfall.formats import COLLECTOR_PATH, LEFT_OUT_PATH, NOT_READ_PATH, TASKS_PATH
from footfall.record.data.timelines import Span, Timelines, TreeNode
from footfall.record.run.node_table import number_nodes
from footfall.record.run.sample_log import CStack, SampledCode, SampleLog

__all__ = [
    "IMPORT_PATH",
    "NATIVE",
    "UNKNOWN_PATH",
    "Cost",
    "Frame",
    "Function",
    "Origin",
    "Profile",
    "ProfileBuilder",
    "ProfiledThread",
    "Times",
    "has_source",
    "profile_of_logs",
    "times_by",
    "times_of_files",
    "times_of_functions",
    "times_of_lines",
    "times_of_threads",
    "tree_sums",
]


IMPORT_PATH: Final = "<import>"
"""The path of frames that represent the import machinery (analyze/profile/import_frames.py); they have no lines."""

NATIVE: Final = "<native> "
"""The beginning of the names of C functions (analyze/profile/native_frames.py)."""

UNKNOWN_PATH: Final = "<unknown>"
"""The path of frames for which another tool's profile has only the name (load/profiles)."""

_FEW_POSITIONS: Final = 16
_MAX_PLACE: Final = (1 << 31) - 1  # what record/data/profile_tables.py accepts as a line or a column

_WITHOUT_SOURCE: Final = frozenset(
    {COLLECTOR_PATH, IMPORT_PATH, LEFT_OUT_PATH, NOT_READ_PATH, TASKS_PATH, UNKNOWN_PATH}
)


def has_source(path: str) -> bool:
    """Return whether a frame's path is one of code, not a name for the collector, imports, a task or unread frames."""
    return path not in _WITHOUT_SOURCE


class Function(NamedTuple):
    """A function, or the body of a module or class, by where it is defined."""

    path: str
    qualname: str
    first_line: int


class Frame(NamedTuple):
    """A function at one place in its source. Columns are UTF-8 byte offsets, None if not known."""

    function: Function
    line: int
    end_line: int
    column: int | None
    end_column: int | None


class ProfiledThread(NamedTuple):
    """One thread of one process."""

    pid: int
    native_id: int
    name: str


@dataclass(slots=True)
class Squares:
    """Sums of squares, by clock, of the time that single samples of a thread represent (square nanoseconds).

    Samples that came late represent more than others; this says how many fewer equal samples are worth the same.
    Samples that saw no Python code are left out.
    """

    wall: float = 0.0
    cpu: float = 0.0
    gil: float = 0.0


@dataclass(slots=True)
class Cost:
    """Nanoseconds and samples.

    Parts of `wall_ns`: in `gil_ns` the thread held the GIL, in `gil_wait_ns` it waited for it, and of `gil_untold_ns`
    it is not known whether it did.
    """

    wall_ns: int = 0
    cpu_ns: int = 0
    gil_ns: int = 0
    samples: int = 0
    gil_wait_ns: int = 0
    gil_untold_ns: int = 0

    def add(self, other: Cost) -> None:
        self.wall_ns += other.wall_ns
        self.cpu_ns += other.cpu_ns
        self.gil_ns += other.gil_ns
        self.samples += other.samples
        self.gil_wait_ns += other.gil_wait_ns
        self.gil_untold_ns += other.gil_untold_ns


@dataclass(slots=True)
class Times:
    """The self and cumulative cost of a line or function (recursion counted once)."""

    own: Cost = field(default_factory=Cost)
    total: Cost = field(default_factory=Cost)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where another tool's profile comes from, and what is known about it."""

    format: str
    """A name to show, such as "collapsed stacks"."""
    clocks: frozenset[str]
    """The names of the clocks (analyze/profile/clocks.py) that it has."""
    is_measured: bool = False
    """Whether times were measured by clocks at each call, not sampled."""
    notes: tuple[tuple[str, str], ...] = ()
    """Messages that qualify its numbers, as slug and text."""


_K = TypeVar("_K", bound=Hashable)

CostKey = tuple[int, int, str]
"""(node, thread, context)"""


@dataclass(slots=True)
class Profile:
    """All processes' samples as one tree. Node 0 is the root and means that no Python code was running.

    A node's parent always has a lower index. `costs` are the self costs of nodes.
    """

    frames: list[Frame] = field(default_factory=list)
    nodes: list[TreeNode] = field(default_factory=lambda: [TreeNode(-1, -1)])
    threads: list[ProfiledThread] = field(default_factory=list)
    costs: dict[CostKey, Cost] = field(default_factory=dict)
    n_processes: int = 0
    n_samples: int = 0
    n_dropped: int = 0
    n_late: int = 0
    interval_ns: int = 0
    timelines: Timelines = field(default_factory=Timelines)
    squares: list[Squares] = field(default_factory=list)
    """For each thread; empty if not known."""
    native_calls: set[int] = field(default_factory=set)
    """Frames that are certainly at a call of a C function: the self costs of their nodes were spent in it."""
    origin: Origin | None = None
    """None if footfall recorded it."""

    def total(self) -> Cost:
        """The cost of all samples together."""
        found = Cost()
        for cost in self.costs.values():
            found.add(cost)
        return found


class ProfileBuilder:
    """Merges logs into `profile`, numbering equal frames and equal nodes once.

    `find_path(log, co_filename)` returns the path to use; without it paths stay as they are. `unwinder` finds the C
    functions, if the log has C stacks.
    """

    def __init__(
        self, find_path: Callable[[SampleLog, str], str] | None = None, unwinder: Unwinder | None = None
    ) -> None:
        self.profile = Profile()
        self._unwinder = unwinder or Unwinder()
        self._sampled_ns = 0
        self._n_ticks = 0
        self._find_path = find_path
        self._frame_ids: dict[Frame, int] = {}
        self._node_ids: dict[int, int] = {}
        """By `parent << 32 | frame`."""
        self._thread_ids: dict[ProfiledThread, int] = {}

    def add(self, log: SampleLog, contexts: Mapping[int, str], *, is_continued: bool = False) -> None:
        """Add a log, with the labels of its context ids.

        With `is_continued` it continues where a log of the same process ended, with the same threads.
        """
        profile = self.profile
        profile.n_processes += not is_continued
        profile.n_dropped += log.n_dropped
        profile.n_late += log.n_late
        thread_ids = {}
        for index, thread in log.threads.items():
            found = ProfiledThread(log.pid, thread.native_id, thread.name)
            known = self._thread_ids.get(found) if is_continued else None
            if known is None:
                known = self._thread_ids[found] = len(profile.threads)
                profile.threads.append(found)
                profile.squares.append(Squares())
            thread_ids[index] = known
        node_ids = self._add_nodes(log)
        timelines = profile.timelines
        sampled_ns = 0
        native = _NativeNodes(self, log, node_ids, self._unwinder)
        cpu_times: CpuTimes[CostKey] = CpuTimes()
        for sample in log.samples:
            sampled_ns = sample.time_ns
            if sample.c_stack is not None:
                node = native.find(sample.node, sample.c_stack, thread_ids[sample.thread])
            else:
                node = node_ids[sample.node]
            thread_id, label = thread_ids[sample.thread], contexts.get(sample.context, "")
            key = (node, thread_id, label)
            cost = profile.costs.get(key)
            if cost is None:
                cost = profile.costs[key] = Cost()
            gil_ns = sample.wall_ns if sample.holds_gil else 0
            cpu_ns = 0
            if sample.cpu_ns or not sample.is_asleep:
                self._add_left(cpu_times.left(thread_id, label))
                cpu_ns = cpu_times.spent(thread_id, label, key, sample.cpu_ns, is_asleep=sample.is_asleep)
            cost.wall_ns += sample.wall_ns
            cost.cpu_ns += cpu_ns
            cost.gil_ns += gil_ns
            cost.samples += sample.repeat
            if sample.waits_for_gil:
                cost.gil_wait_ns += sample.wall_ns
            elif sample.waits_for_gil is None and not sample.holds_gil:
                cost.gil_untold_ns += sample.wall_ns
            if node:
                squares, n_samples = profile.squares[thread_id], sample.repeat or 1
                squares.wall += sample.wall_ns**2 / n_samples
                squares.cpu += cpu_ns**2 / n_samples
                squares.gil += gil_ns**2 / n_samples
            profile.n_samples += sample.repeat
            context = timelines.context(label)
            span = Span(node, context, sample.repeat, sample.wall_ns, cpu_ns, gil_ns)
            timelines.add(thread_id, log.start_ns + sample.time_ns, span)
        for thread_id in cpu_times.threads():
            self._add_left(cpu_times.left(thread_id, None))
        self._sampled_ns += sampled_ns
        self._n_ticks += log.n_ticks
        # The mean, as the sampler samples less often than requested if sampling costs too much.
        profile.interval_ns = max(log.interval_ns, self._sampled_ns // self._n_ticks if self._n_ticks else 0)

    def _add_left(self, left: Iterable[tuple[CostKey, int]]) -> None:
        """Add CPU times to what has been counted before."""
        timelines = self.profile.timelines
        for key, cpu_ns in left:
            node, thread_id, label = key
            self.profile.costs[key].cpu_ns += cpu_ns
            if node:
                self.profile.squares[thread_id].cpu += cpu_ns**2
            if thread_id in timelines.threads:
                span = Span(node, timelines.context(label), 0, 0, cpu_ns, 0)
                timelines.add(thread_id, timelines.threads[thread_id].end_ns, span)

    def _add_nodes(self, log: SampleLog) -> dict[int, int]:
        """Return the number in the profile of each of the log's nodes."""
        decoders = {code_id: _CodePlaces(log, code, self._find_path) for code_id, code in log.codes.items()}

        def frame_of(code: int, unit: int) -> int:
            frame_id = self._number(self._frame_ids, self.profile.frames, decoders[code].frame(unit))
            if (code, unit) in log.native_calls:
                self.profile.native_calls.add(frame_id)
            return frame_id

        return number_nodes(log.nodes.packed, frame_of, self._node_ids, self.profile.nodes, TreeNode)

    def add_node(self, parent: int, frame: int) -> int:
        """Return the number of the node with this caller and frame."""
        number = self._node_ids.setdefault(parent << 32 | frame, len(self.profile.nodes))
        if number == len(self.profile.nodes):
            self.profile.nodes.append(TreeNode(parent, frame))
        return number

    def add_native_frame(self, caller: int, name: str, library: str) -> int:
        """Return the number of the frame of a C function that the Python frame `caller` called."""
        frame = self.profile.frames[caller]
        shown = f"{NATIVE}{name} ({library})" if name else f"{NATIVE}({library})"
        native = Frame(Function(frame.function.path, shown, frame.line), frame.line, frame.end_line, None, None)
        return self._number(self._frame_ids, self.profile.frames, native)

    @staticmethod
    def _number(ids: dict[_K, int], items: list[_K], item: _K) -> int:
        number = ids.get(item)
        if number is None:
            number = ids[item] = len(items)
            items.append(item)
        return number


class _NativeNodes:
    """The nodes of one log's samples that have C stacks."""

    def __init__(self, builder: ProfileBuilder, log: SampleLog, node_ids: dict[int, int], unwinder: Unwinder) -> None:
        self._builder = builder
        self._log = log
        self._node_ids = node_ids
        self._unwinder = unwinder
        self._known: dict[tuple[int, tuple[tuple[int, tuple[tuple[str, str], ...]], ...]], int] = {}

    def find(self, leaf: int, stack: CStack, thread: int) -> int:
        """Return the node for Python frames down to the log's node `leaf`, and the C functions on the stack."""
        called = tuple(native_functions_by_caller(leaf, stack, self._unwinder.unwind(stack, thread)))
        if not called:
            return self._node_ids[leaf]
        number = self._known.get((leaf, called))
        if number is None:
            number = self._known[leaf, called] = self._add(leaf, called)
        return number

    def _add(self, leaf: int, called: Iterable[tuple[int, tuple[tuple[str, str], ...]]]) -> int:
        functions: dict[int, list[tuple[str, str]]] = {}
        for caller, names in called:
            functions.setdefault(caller, []).extend(names)
        path = []
        while leaf:
            path.append(leaf)
            leaf = self._log.nodes[leaf].parent
        builder = self._builder
        number = 0
        for node in reversed(path):
            frame = builder.profile.nodes[self._node_ids[node]].frame
            number = builder.add_node(number, frame)
            for name, library in functions.get(node, ()):
                number = builder.add_node(number, builder.add_native_frame(frame, name, library))
        return number


class _CodePlaces:
    """The frames of one code object, by code unit; the location table is decoded where it is needed."""

    def __init__(self, log: SampleLog, code: SampledCode, find_path: Callable[[SampleLog, str], str] | None) -> None:
        path = find_path(log, code.path) if find_path is not None else code.path
        self._function = Function(path, code.qualname, code.first_line)
        self._code = code
        self._units_are_lines = log.units_are_lines
        self._positions: list[Position] | None = None
        self._n_asked = 0

    def frame(self, unit: int) -> Frame:
        if self._units_are_lines:
            return self._frame(unit, unit, None, None)
        found = self._position(unit)
        if found is None:
            return self._at_first_line()
        line, end_line, column, end_column = found
        if line:  # a module's first instruction has line 0, before its text
            return self._frame(line, end_line or line, column, end_column)
        # Instructions that the compiler added have no line: they belong to what comes before them.
        for line, _, _, _ in reversed(positions(self._code.line_table, self._code.first_line)[:unit]):
            if line:
                return self._frame(line, line, None, None)
        return self._at_first_line()

    def _position(self, unit: int) -> Position | None:
        """Return a unit's position. Most code has few that were seen; all are decoded once where it has more."""
        self._n_asked += 1
        if self._n_asked <= _FEW_POSITIONS:
            return position(self._code.line_table, self._code.first_line, unit)
        if self._positions is None:
            self._positions = positions(self._code.line_table, self._code.first_line)
        return self._positions[unit] if unit < len(self._positions) else None

    def _frame(self, line: int, end_line: int, column: int | None, end_column: int | None) -> Frame:
        places = (line, end_line, column or 0, end_column or 0)
        if min(places) < 0 or max(places) > _MAX_PLACE:
            return self._at_first_line()  # the location table is damaged
        return Frame(self._function, line, end_line, column, end_column)

    def _at_first_line(self) -> Frame:
        line = self._function.first_line
        return Frame(self._function, line, line, None, None)


def profile_of_logs(
    logs: Iterable[SampleLog],
    find_path: Callable[[SampleLog, str], str] | None = None,
    contexts: Callable[[SampleLog], Mapping[int, str]] | None = None,
    unwinder: Unwinder | None = None,
) -> Profile | None:
    """Merge the logs into one profile; None without logs.

    `find_path(log, co_filename)` returns the path to use, `contexts(log)` the labels of its context ids;
    without them, paths stay as they are and all contexts are "". `unwinder` finds C functions, and counts.
    """
    builder = ProfileBuilder(find_path, unwinder)
    for log in logs:
        builder.add(log, contexts(log) if contexts is not None else {})
    return builder.profile if builder.profile.n_processes else None


def times_of_lines(profile: Profile, sums: TreeSums | None = None) -> dict[tuple[str, int], Times]:
    """Return the times by (path, line), in no particular order. `sums` are the profile's, if the caller has them.

    For the lines of files. Many texts may share a name that is not a file: line_places.py tells them apart.
    """
    places = ((frame.function.path, frame.line) for frame in profile.frames)
    return times_by(profile, sums, [place if has_source(place[0]) else None for place in places])


def times_of_functions(profile: Profile, sums: TreeSums | None = None) -> dict[Function, Times]:
    """Return the times by function, in no particular order. `sums` are the profile's, if the caller has them.

    Each import, the collector and each task count as functions here.
    """
    return times_by(profile, sums, [frame.function for frame in profile.frames])


def times_of_files(profile: Profile) -> dict[str, Times]:
    """Return the times by path, in no particular order."""
    paths = (frame.function.path for frame in profile.frames)
    return times_by(profile, None, [path if has_source(path) else None for path in paths])


def times_of_threads(profile: Profile) -> list[Cost]:
    """Return each thread's cost, in the order of `profile.threads`, including time without Python code."""
    found = [Cost() for _ in profile.threads]
    for (_, thread, _), cost in profile.costs.items():
        found[thread].add(cost)
    return found


def tree_sums(profile: Profile) -> TreeSums:
    """Return the profile's tree with its costs, for the functions that sum it: make it once if several are called."""
    own = [0] * len(profile.nodes)
    for (node, _, _), cost in profile.costs.items():
        own[node] += pack_cost(
            cost.wall_ns, cost.cpu_ns, cost.gil_ns, cost.samples, cost.gil_wait_ns, cost.gil_untold_ns
        )
    return TreeSums([node.parent for node in profile.nodes], own)


def times_by(profile: Profile, sums: TreeSums | None, keys: Sequence[_K | None]) -> dict[_K, Times]:
    """Sum the tree by a key of each frame, in no particular order. Frames without a key have no row."""
    numbers: dict[_K | None, int] = {}
    of_frame = [numbers.setdefault(key, len(numbers)) for key in keys]
    of_node = [0, *(of_frame[node.frame] for node in profile.nodes[1:])]
    own, total = (sums or tree_sums(profile)).by_key(of_node, max(len(numbers), 1))
    seen = set(of_node[1:])
    return {
        key: Times(Cost(*unpack_cost(own[number])), Cost(*unpack_cost(total[number])))
        for key, number in numbers.items()
        if key is not None and number in seen
    }
