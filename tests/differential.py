"""Differential testing against coverage.py's C tracer: the same programs under both, compared by its own analysis.

Not a test module: the exactness tests and the long command use it. `Collector` is a reference collector
in pure Python on sys.monitoring (CPython 3.14+); it records what the C engine records.

    python tests/differential.py [--seeds A B] [--file F ...]    prints programs tried and programs that differ
"""

from __future__ import annotations

import contextlib
import gc
import io
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import coverage
from coverage.python import PythonFileReporter
from coverage.results import analysis_from_file_reporter

from footfall.analyze.bytecode_arcs import HIT_ASYNC_STOP, HIT_RAISE, HIT_UNWIND, arcs_of_code
from footfall.model import HIT_LEFT, HIT_LINE, HIT_RIGHT
from footfall.record.recordfile import RecordedCode

Arcs = set[tuple[int, int]]


class Collector:
    """Records every code object of the files that `is_measured` accepts, as the C engine does.

    `exits` adds the events of instructions that leave: JUMP and PY_RETURN, and for the whole process
    EXCEPTION_HANDLED and PY_UNWIND.
    """

    def __init__(self, is_measured: Callable[[str], bool], exits: bool = True, tool_id: int = 4) -> None:
        self._is_measured = is_measured
        self._exits = exits
        self._tool_id = tool_id
        self._codes: dict[int, tuple[Any, bytearray]] = {}

    def start(self) -> None:
        """Begin to record. The tool id must be free."""
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
        return [_recorded(code, hits) for code, hits in self._codes.values()]

    def _on_start(self, code: Any, _offset: int) -> Any:
        if self._is_measured(code.co_filename) and id(code) not in self._codes:
            self._codes[id(code)] = (code, bytearray(len(code.co_code) // 2))
            sys.monitoring.set_local_events(self._tool_id, code, self._local_events)
        return sys.monitoring.DISABLE

    def _hit(self, code: Any, offset: int, flag: int) -> Any:
        self._codes[id(code)][1][offset // 2] |= flag
        return sys.monitoring.DISABLE

    def _on_line(self, code: Any, _line: int) -> Any:
        return self._hit(code, sys._getframe(1).f_lasti, HIT_LINE)

    def _on_left(self, code: Any, offset: int, _to: object) -> Any:
        return self._hit(code, offset, HIT_LEFT)

    def _on_right(self, code: Any, offset: int, _to: object) -> Any:
        return self._hit(code, offset, HIT_RIGHT)

    def _on_handled(self, code: Any, _handler: int, error: BaseException) -> None:
        flag = HIT_ASYNC_STOP if isinstance(error, StopAsyncIteration) else HIT_RAISE
        self._hit_origin(code, sys._getframe(1).f_lasti, flag)

    def _on_unwind(self, code: Any, _offset: int, _error: BaseException) -> None:
        self._hit_origin(code, sys._getframe(1).f_lasti, HIT_UNWIND)

    def _hit_origin(self, code: Any, offset: int, flag: int) -> None:
        """The frame says where the exception came from; the event's offset is the handler's or a RERAISE's."""
        known = self._codes.get(id(code))
        if known is not None:
            known[1][offset // 2] |= flag


def _recorded(code: Any, hits: bytearray) -> RecordedCode:
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
        bytes(hits),
    )


class Summary(NamedTuple):
    """What coverage.py's analysis says about one file; two engines agree when these are equal."""

    executed: frozenset[int]
    missing: frozenset[int]
    missing_branches: dict[int, list[int]]
    branch_stats: dict[int, tuple[int, int]]


def arcs_of_codes(codes: Iterable[RecordedCode], has_exits: bool) -> dict[str, Arcs]:
    """Arcs by file, with every executed line in at least one."""
    found: dict[str, Arcs] = {}
    for code in codes:
        lines, arcs = arcs_of_code(code, has_exits)
        seen = {line for arc in arcs for line in arc}
        found.setdefault(code.path, set()).update(arcs, {(line, line) for line in lines - seen})
    return found


def summarize(path: str, arcs: Arcs) -> Summary:
    """Let coverage.py analyse the arcs."""
    reporter_of = coverage.Coverage(branch=True, data_file=None, config_file=False)
    data = coverage.CoverageData(no_disk=True)
    data.add_arcs({path: arcs})
    found = analysis_from_file_reporter(data, 2, PythonFileReporter(path, reporter_of), path)
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


def run_program(path: str, source: str) -> None:
    """Run a program as a fresh module; what it prints and raises is dropped."""
    code = compile(source, path, "exec", dont_inherit=True)
    with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(Exception):
        exec(code, {"__name__": "program", "__file__": path})


def compare_programs(
    sources: Iterable[str], directory: str, exits: bool = True
) -> Iterator[tuple[str, Summary, Summary]]:
    """Run each program under both and yield (path, ours, theirs) where they differ."""
    paths = {}
    for number, source in enumerate(sources):
        path = os.path.join(directory, f"program{number}.py")
        with open(path, "w") as file:
            file.write(source)
        paths[path] = source
    collector = Collector(paths.__contains__, exits)
    collector.start()
    for path, source in paths.items():
        run_program(path, source)
    gc.collect()  # what cycles keep alive ends under this engine too
    ours = arcs_of_codes(collector.stop(), exits)
    with c_tracer(os.path.join(directory, "*")) as theirs:
        for path, source in paths.items():
            run_program(path, source)
        gc.collect()
    for path in paths:
        try:
            expected = summarize(path, theirs.get(path, set()))
        except AssertionError:
            continue  # coverage.py's own analysis gives up on some one-line `with` statements
        found = summarize(path, ours.get(path, set()))
        if found != expected:
            yield path, found, expected
