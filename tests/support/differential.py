"""Differential testing against coverage.py's C tracer: the same programs under both, compared by its own analysis.

Not a test module: the exactness tests use it, and the long command. `Collector` is a reference collector in pure Python
on sys.monitoring (CPython 3.14+); it records what the C engine records.

    python tests/support/differential.py programs 0 5000               random programs of tests/support/programs/generated.py
    python tests/support/differential.py command '*/lib/*' -m unittest test_textwrap
                                                               the files that match, while their tests run
"""

from __future__ import annotations

import contextlib
import dis
import fnmatch
import gc
import io
import marshal
import os
import re
import runpy
import subprocess
import sys
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import coverage
from coverage.python import PythonFileReporter
from coverage.results import analysis_from_file_reporter

from footfall.analyze.bytecode.arcs import arcs_of_code
from footfall.model import EVENT_ASYNC_STOP, EVENT_LEFT, EVENT_LINE, EVENT_RAISE, EVENT_RIGHT, EVENT_UNWIND
from footfall.record.run.record_file import RecordedCode

Arcs = set[tuple[int, int]]


class Collector:
    """Records every code object in the files that `is_measured` accepts, as the C engine does.

    `exits` adds the events of instructions that leave: JUMP and PY_RETURN, and for the whole process EXCEPTION_HANDLED
    and PY_UNWIND. Jumps out of handlers are watched everywhere, and from the start.
    """

    def __init__(self, is_measured: Callable[[str], bool], exits: bool = True, tool_id: int = 4) -> None:
        self._is_measured = is_measured
        self._exits = exits
        self._tool_id = tool_id
        self._codes: dict[int, tuple[Any, bytearray]] = {}
        self._star_ends: dict[int, list[int]] = {}
        self._cold_jumps: dict[int, list[int]] = {}
        self._last_lines: dict[Any, int] = {}

    def start(self) -> None:
        """Start recording. The tool id must be free."""
        monitoring = sys.monitoring
        events = monitoring.events
        monitoring.use_tool_id(self._tool_id, "footfall-reference")
        local = {
            events.LINE: self._on_line,
            events.BRANCH_LEFT: self._on_left,
            events.BRANCH_RIGHT: self._on_right,
        }
        everywhere = {events.PY_START: self._on_start}
        if self._exits:
            local |= {events.JUMP: self._on_left, events.PY_RETURN: self._on_left}
            local |= {events.INSTRUCTION: self._on_instruction}
            everywhere |= {
                events.EXCEPTION_HANDLED: self._on_handled,
                events.PY_UNWIND: self._on_unwind,
            }
        for event, callback in (local | everywhere).items():
            monitoring.register_callback(self._tool_id, event, callback)
        self._local_events = sum(local)
        monitoring.set_events(self._tool_id, sum(everywhere))
        monitoring.restart_events()

    def stop(self) -> list[RecordedCode]:
        """End recording and return what was seen."""
        sys.monitoring.set_events(self._tool_id, 0)
        sys.monitoring.free_tool_id(self._tool_id)
        return [_recorded(code, events) for code, events in self._codes.values()]

    def _on_start(self, code: Any, _offset: int) -> Any:
        if self._is_measured(code.co_filename) and id(code) not in self._codes:
            ends, jumps = _places_to_watch(code) if self._exits else ([], [])
            events = bytearray(len(code.co_code) // 2 * (1 + len(ends)))
            for unit in jumps:
                events[unit] = EVENT_RIGHT
            self._codes[id(code)] = (code, events)
            self._star_ends[id(code)] = ends
            self._cold_jumps[id(code)] = jumps
            sys.monitoring.set_local_events(self._tool_id, code, self._local_events)
        return sys.monitoring.DISABLE

    def _record(self, code: Any, offset: int, flag: int) -> Any:
        self._codes[id(code)][1][offset // 2] |= flag
        return sys.monitoring.DISABLE

    def _on_line(self, code: Any, _line: int) -> Any:
        frame = sys._getframe(1)
        disable = self._record(code, frame.f_lasti, EVENT_LINE)
        if not self._star_ends[id(code)]:
            return disable
        self._last_lines[frame] = frame.f_lasti // 2
        return None

    def _on_left(self, code: Any, offset: int, _to: object) -> Any:
        return self._record_branch(code, offset, EVENT_LEFT, sys._getframe(1))

    def _on_right(self, code: Any, offset: int, _to: object) -> Any:
        return self._record_branch(code, offset, EVENT_RIGHT, sys._getframe(1))

    def _record_branch(self, code: Any, offset: int, flag: int, frame: Any) -> Any:
        """Record a branch and, at the end of an `except*`, from which line it was reached."""
        disable = self._record(code, offset, flag)
        for number, end in enumerate(self._star_ends[id(code)], start=1):
            if offset // 2 in (end, end + 2):  # the branch or its NOT_TAKEN
                place = len(code.co_code) // 2 * number + self._last_lines[frame]
                self._codes[id(code)][1][place] |= flag
                return None
        return disable

    def _on_instruction(self, code: Any, offset: int) -> Any:
        if offset // 2 in self._cold_jumps[id(code)]:
            self._record(code, offset, EVENT_LEFT)
        return sys.monitoring.DISABLE

    def _on_handled(self, code: Any, _handler: int, error: BaseException) -> None:
        flag = EVENT_ASYNC_STOP if isinstance(error, StopAsyncIteration) else EVENT_RAISE
        self._record_origin(code, sys._getframe(1).f_lasti, flag)

    def _on_unwind(self, code: Any, _offset: int, _error: BaseException) -> None:
        self._record_origin(code, sys._getframe(1).f_lasti, EVENT_UNWIND)

    def _record_origin(self, code: Any, offset: int, flag: int) -> None:
        """Record an exception's origin, which the frame knows; the event's offset is the handler's or a RERAISE's."""
        known = self._codes.get(id(code))
        if known is not None:
            known[1][offset // 2] |= flag


def _places_to_watch(code: Any) -> tuple[list[int], list[int]]:
    """Return the units of the ends of `except*` statements, and of the jumps by which handlers continue."""
    ends, jumps = [], []
    before = ""
    for found in dis.get_instructions(code):
        if found.opname == "POP_JUMP_IF_NOT_NONE" and found.line_number is None:
            ends.append(found.offset // 2)
        if found.opname == "JUMP_BACKWARD_NO_INTERRUPT" and before != "RESUME":
            jumps.append(found.offset // 2)
        if found.opname != "EXTENDED_ARG":
            before = found.opname
    return ends, jumps


def _recorded(code: Any, events: bytearray) -> RecordedCode:
    return RecordedCode(
        code.co_filename,
        sys.hexversion,
        code.co_firstlineno,
        code.co_flags,
        code.co_qualname,
        code.co_linetable,
        code.co_code,
        code.co_exceptiontable,
        tuple(code.co_branches()),
        "",
        bytes(events),
        len(events),
    )


class Summary(NamedTuple):
    """What coverage.py's analysis says about one file; two engines agree when these are equal."""

    executed: frozenset[int]
    missing: frozenset[int]
    missing_branches: dict[int, list[int]]
    branch_stats: dict[int, tuple[int, int]]


def arcs_of_codes(codes: Iterable[RecordedCode], has_exits: bool) -> dict[str, Arcs]:
    """Return the arcs by file, with every executed line in at least one."""
    found: dict[str, Arcs] = {}
    for code in codes:
        lines, arcs = arcs_of_code(code, has_exits)
        seen = {line for arc in arcs for line in arc}
        found.setdefault(code.path, set()).update(arcs, {(line, line) for line in lines - seen})
    return found


def summarize(reporter: PythonFileReporter, arcs: Arcs) -> Summary:
    """Let coverage.py analyse the arcs."""
    data = coverage.CoverageData(no_disk=True)
    try:
        data.add_arcs({reporter.filename: arcs})
        found = analysis_from_file_reporter(data, 2, reporter, reporter.filename)
    finally:
        data.close(force=True)
    return Summary(
        frozenset(found.executed),
        frozenset(found.missing),
        {line: sorted(to) for line, to in found.missing_branch_arcs().items()},
        found.branch_stats(),
    )


@contextlib.contextmanager
def c_tracer(include: str) -> Iterator[dict[str, Arcs]]:
    """Measure the block with coverage.py's C tracer; the dict is filled at the end."""
    measured = coverage.Coverage(branch=True, data_file=None, config_file=False, include=[include])
    measured.set_option("run:core", "ctrace")
    found: dict[str, Arcs] = {}
    measured.start()
    try:
        yield found
    finally:
        measured.stop()
        data = measured.get_data()
        found.update({path: set(data.arcs(path) or ()) for path in data.measured_files()})
        data.close(force=True)


@contextlib.contextmanager
def reference(include: str, exits: bool = True) -> Iterator[dict[str, Arcs]]:
    """Measure the block with the reference collector; the dict is filled at the end."""
    own = os.path.dirname(coverage.__file__)
    matches = re.compile(fnmatch.translate(include)).match

    def is_measured(path: str) -> bool:
        return bool(matches(path)) and not path.startswith(own) and path != __file__

    collector = Collector(is_measured, exits)
    found: dict[str, Arcs] = {}
    collector.start()
    try:
        yield found
    finally:
        found.update(arcs_of_codes(collector.stop(), exits))


ENGINES = {"ctrace": c_tracer, "reference": reference}


def run_program(path: str, source: str) -> None:
    """Run a program as a fresh module; its output and exceptions are dropped."""
    code = compile(source, path, "exec", dont_inherit=True)
    with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(Exception):
        exec(code, {"__name__": "program", "__file__": path})


def compare_programs(
    sources: Iterable[str], directory: str, engine: str = "reference"
) -> Iterator[tuple[str, Summary, Summary]]:
    """Run each program under `engine` and under the C tracer; yield (path, ours, theirs) where they differ."""
    paths = {}
    for number, source in enumerate(sources):
        path = os.path.join(directory, f"program{number}.py")
        with open(path, "w") as file:
            file.write(source)
        paths[path] = source
    found = {}
    for name in (engine, "ctrace"):
        with ENGINES[name](os.path.join(directory, "*")) as found[name]:
            for path, source in paths.items():
                run_program(path, source)
            gc.collect()  # what only cycles keep alive ends under this engine too
    yield from compare_arcs(paths, found[engine], found["ctrace"])


def compare_arcs(
    paths: Iterable[str], ours: dict[str, Arcs], theirs: dict[str, Arcs]
) -> Iterator[tuple[str, Summary, Summary]]:
    """Let coverage.py analyse both; yield (path, ours, theirs) where they differ."""
    settings = coverage.Coverage(branch=True, data_file=None, config_file=False)
    for path in paths:
        if ours.get(path) == theirs.get(path):
            continue
        reporter = PythonFileReporter(path, settings)
        try:
            expected = summarize(reporter, theirs.get(path, set()))
        except AssertionError:
            continue  # coverage.py's own analysis gives up on some one-line `with` statements
        found = summarize(reporter, ours.get(path, set()))
        if found != expected:
            yield path, found, expected


def describe(ours: Summary, theirs: Summary) -> str:
    """Describe in one line what differs; plus is what only we have."""
    parts = []
    for what, mine, other in (
        ("lines", ours.executed, theirs.executed),
        ("missing", ours.missing, theirs.missing),
        ("missing branches", _pairs(ours), _pairs(theirs)),
    ):
        if mine != other:
            parts.append(f"{what}: +{sorted(mine - other)} -{sorted(other - mine)}")
    return "; ".join(parts) or f"branch stats: {ours.branch_stats} {theirs.branch_stats}"


def _pairs(summary: Summary) -> frozenset[tuple[int, int]]:
    return frozenset((line, to) for line, exits in summary.missing_branches.items() for to in exits)


def _measure_command(engine: str, include: str, output: str, arguments: list[str]) -> None:
    """Run `-m module arguments` or `script arguments` in this process and write the arcs."""
    with ENGINES[engine](include) as found, contextlib.suppress(SystemExit):
        if arguments[0] == "-m":
            sys.argv = arguments[1:]
            runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
        else:
            sys.argv = arguments
            runpy.run_path(arguments[0], run_name="__main__")
    with open(output, "wb") as file:
        marshal.dump(found, file)


def compare_command(include: str, arguments: list[str]) -> tuple[int, list[str]]:
    """Run a command in two fresh processes. Returns the number of files, and a line for each that differs."""
    found: dict[str, dict[str, Arcs]] = {}
    for engine in ("reference", "ctrace"):
        with tempfile.TemporaryDirectory() as directory:
            output = os.path.join(directory, "arcs")
            command = [sys.executable, __file__, "measure", engine, include, output, *arguments]
            subprocess.run(command, check=True)
            with open(output, "rb") as file:
                found[engine] = marshal.load(file)
    # Starting an engine runs code of its own, of coverage.py and (for the C tracer) of threading.
    own = (os.path.dirname(coverage.__file__), __file__, threading.__file__)
    measured = found["reference"] | found["ctrace"]
    paths = sorted(path for path in measured if os.path.exists(path) and not path.startswith(own))
    differences = compare_arcs(paths, found["reference"], found["ctrace"])
    return len(paths), [f"{path}: {describe(ours, theirs)}" for path, ours, theirs in differences]


def main(arguments: list[str]) -> int:
    """Run the command line; return 1 if something differs."""
    mode, *rest = arguments
    if mode == "measure":
        _measure_command(rest[0], rest[1], rest[2], rest[3:])
        return 0
    if mode == "command":
        tried, lines = compare_command(rest[0], rest[1:])
    else:
        from programs.generated import generate_program

        sys.unraisablehook = lambda _: None
        warnings.simplefilter("ignore")
        tried, lines = 0, []
        for first in range(int(rest[0]), int(rest[1]), 250):
            seeds = range(first, min(first + 250, int(rest[1])))
            tried += len(seeds)
            with tempfile.TemporaryDirectory() as directory:
                sources = [generate_program(seed) for seed in seeds]
                for path, ours, theirs in compare_programs(sources, directory):
                    seed = first + int(os.path.basename(path)[7:-3])
                    lines.append(f"program {seed}: {describe(ours, theirs)}")
    print(*lines, f"tried {tried}, differ {len(lines)}", sep="\n")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
