"""A finished run's raw records to results: called once by the supervisor when the command has ended.

Events of the same code in many processes are merged first, so that each code object is worked out once
however many workers ran it.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from footfall.analyze.bytecode.arcs import arcs_of_code
from footfall.analyze.bytecode.branches import find_branches
from footfall.analyze.bytecode.opcodes import OPCODES_BY_VERSION
from footfall.analyze.conditions.branch_outcomes import OutcomeCollector
from footfall.analyze.profile.calltree import Profile, profile_of_logs
from footfall.analyze.resolved_run import FileData, RunData
from footfall.analyze.source.imported import infer_lines
from footfall.analyze.source.parse import PARSE_ERRORS
from footfall.analyze.source.source_file import has_source, read_source_file
from footfall.errors import FootfallError
from footfall.model import UNCOVERED_CONTEXT
from footfall.pythons import is_known, version_name, version_of
from footfall.record.data.coverage_tables import MAX_NUMBITS_BYTES
from footfall.record.run.phase_times import read_phase_times
from footfall.record.run.process_logs import read_sample_logs
from footfall.record.run.record_file import (
    ContextEvents,
    ProbedModule,
    Record,
    RecordedCode,
    TracedCode,
    gather_events,
    join_places,
    read_record,
    spread_events,
)
from footfall.record.run.sample_log import SampleLog
from footfall.record.run.segments import sentence_of_stop

if TYPE_CHECKING:
    from footfall.analyze.probes.arcs import MeaningsStore

__all__ = ["join_context", "resolve"]

_END_OF_LINES = 8 * MAX_NUMBITS_BYTES

_T = TypeVar("_T", RecordedCode, ProbedModule)
Progress = Callable[[int, int], None]


_Visits = dict[_T, dict[bytes, set[str]]]
"""By code object or module, without events and context: each set of events (`ContextEvents.places`), and the contexts
that recorded it. Tests that take the same path through a function have it resolved once."""


class _Merged:
    """The records of all processes. What ran in processes that never switched contexts is in `codes`, `modules`."""

    def __init__(self) -> None:
        self.codes: dict[RecordedCode, RecordedCode] = {}
        self.modules: dict[ProbedModule, ProbedModule] = {}
        self.code_visits: _Visits[RecordedCode] = {}
        self.module_visits: _Visits[ProbedModule] = {}
        self.traces: list[TracedCode] = []
        self.imported: dict[str, int] = {}
        self.tracers: dict[str, str] = {}
        self.messages: list[tuple[str, str]] = []
        self.has_branches = False
        self.processes: list[_Process] = []

    def cwd_by_pid(self) -> dict[int, str]:
        """Where each process started: relative file names are of there."""
        return {process.pid: process.cwd for process in self.processes}

    def contexts_of(self, log: SampleLog) -> dict[int, str]:
        """The labels of a sample log's context ids: those of the record that the process had open then."""
        found: dict[int, str] = {}
        latest = -1
        for process in self.processes:
            if process.pid == log.pid and latest < process.start_ns <= log.start_ns:
                latest, found = process.start_ns, process.contexts
        return found


class _Process(NamedTuple):
    """One record's process; after `exec` one process has several. `start_ns` is wall time since the epoch."""

    pid: int
    start_ns: int
    cwd: str
    contexts: dict[int, str]


def resolve(
    run_directory: str | Path,
    context: str = "",
    progress: Progress | None = None,
    store: MeaningsStore | None = None,
) -> RunData:
    """Work out lines, arcs and profile of the run in `run_directory`.

    `context` names the static context of everything, which a dynamic one follows after a "|". `store` spares work that
    an earlier run of the same sources did.
    `progress(done, total)` is called as code objects and modules are worked out. A damaged record is skipped and
    named in the messages.
    """
    directory = Path(run_directory)
    merged = _merge_records(sorted(directory.glob("*.rec")))
    files: dict[str, FileData] = {}
    total = len(merged.codes) + len(merged.modules) + len(merged.code_visits) + len(merged.module_visits)
    done = 0
    messages = list(merged.messages)
    outcomes = OutcomeCollector()
    for code in merged.codes.values():
        try:
            lines, arcs = arcs_of_code(_with_branches(code), has_exits=True)
            _add(files, code.path, context, lines, arcs)
        except Exception as error:  # whatever damage leads to: the other code is whole
            messages.append(("record-corrupt", f"Left out {code.qualname} of {code.path}: {error!r}."))
            continue
        if merged.has_branches:
            outcomes.add(code, [context])
        done += 1
        if progress is not None:
            progress(done, total)
    if merged.modules:  # else not worth its time
        from footfall.analyze.probes.arcs import arcs_of_events, meanings_of_module
    for module in merged.modules.values():
        try:
            lines, arcs = arcs_of_events(meanings_of_module(module, store, str(directory)), module.events)
        except FootfallError as error:
            messages.append((error.slug, _about(module.path, error)))
            lines, arcs = set(), set()
        except Exception as error:  # as above
            messages.append(("record-corrupt", f"Left out {module.path}: {error!r}."))
            continue
        _add(files, module.path, context, lines, arcs)
        done += 1
        if progress is not None:
            progress(done, total)
    for code, code_visits in merged.code_visits.items():
        try:
            _add_code_visits(files, code, code_visits, context, outcomes if merged.has_branches else None)
        except Exception as error:  # as above
            messages.append(("record-corrupt", f"Left out {code.qualname} of {code.path}: {error!r}."))
        done += 1
        if progress is not None:
            progress(done, total)
    for module, module_visits in merged.module_visits.items():
        try:
            _add_module_visits(files, module, module_visits, context, store, str(directory))
        except FootfallError as error:
            messages.append((error.slug, _about(module.path, error)))
        except Exception as error:  # as above
            messages.append(("record-corrupt", f"Left out {module.path}: {error!r}."))
        done += 1
        if progress is not None:
            progress(done, total)
    for trace in merged.traces:  # worked out by the engine already
        if trace.context != UNCOVERED_CONTEXT:
            files.setdefault(trace.path, FileData())
            try:
                _add_visited(files, trace.path, join_context(context, trace.context), trace.lines, trace.arcs)
            except ValueError as error:  # as above
                messages.append(("record-corrupt", f"Left out a trace of {trace.path}: {error!r}."))
    for path, tracer in merged.tracers.items():
        files.setdefault(path, FileData()).tracer = tracer
    _add_inferred(files, merged.imported, context, messages)
    _leave_out_names_without_file(files, messages)
    cwd_by_pid = merged.cwd_by_pid()

    def contexts_of(log: SampleLog) -> dict[int, str]:
        labels = {0: context}
        labels.update((key, join_context(context, label)) for key, label in merged.contexts_of(log).items())
        return labels

    paths = _PathFinder(cwd_by_pid)
    logs = list(_known_logs(read_sample_logs(str(directory), messages), messages))
    return RunData(
        files=files,
        has_arcs=merged.has_branches,
        messages=messages,
        profile=_profile_of_whole(logs, paths.find, contexts_of, messages),
        n_processes=len(cwd_by_pid),
        conditions={path: codes for path, codes in outcomes.conditions().items() if path in files},
        test_times={
            join_context(context, label): time for label, time in read_phase_times(str(directory), messages).items()
        },
    )


def _about(path: str, error: FootfallError) -> str:
    return str(error) if path in error.message else f"{path}: {error}"


def _profile_of_whole(
    logs: list[SampleLog],
    find_path: Callable[[SampleLog, str], str],
    contexts_of: Callable[[SampleLog], dict[int, str]],
    messages: list[tuple[str, str]],
) -> Profile | None:
    """Merge the logs into one profile, without those that are damaged in a way that reading them does not tell."""
    with contextlib.suppress(Exception):  # whatever damage leads to
        return profile_of_logs(logs, find_path, contexts_of)
    whole: list[SampleLog] = []
    for log in logs:
        try:
            profile_of_logs([log], find_path, contexts_of)
        except Exception as error:  # as above
            messages.append(("record-corrupt", f"Left out the profile of process {log.pid}: {error!r}."))
        else:
            whole.append(log)
    return profile_of_logs(whole, find_path, contexts_of)


def join_context(static: str, dynamic: str) -> str:
    """Return the label of a dynamic context under a static one, as coverage.py joins them; either may be ""."""
    return f"{static}|{dynamic}" if static and dynamic else static or dynamic


def _add_code_visits(
    files: dict[str, FileData],
    code: RecordedCode,
    visits: dict[bytes, set[str]],
    context: str,
    outcomes: OutcomeCollector | None,
) -> None:
    code = _with_branches(code)
    files.setdefault(code.path, FileData())
    for places, labels in visits.items():
        code = code._replace(events=spread_events(places, code.n_places))
        lines, arcs = arcs_of_code(code, has_exits=True, is_partial=True)
        joined = [join_context(context, label) for label in labels]
        for label in joined:
            _add_visited(files, code.path, label, lines, arcs)
        if outcomes is not None:
            outcomes.add(code, joined)


def _add_module_visits(
    files: dict[str, FileData],
    module: ProbedModule,
    visits: dict[bytes, set[str]],
    context: str,
    store: MeaningsStore | None,
    run_directory: str,
) -> None:
    from footfall.analyze.probes.arcs import arcs_of_events, meanings_of_module

    files.setdefault(module.path, FileData())
    meanings = meanings_of_module(module, store, run_directory)
    for places, labels in visits.items():
        lines, arcs = arcs_of_events(meanings, spread_events(places, len(meanings)))
        for label in labels:
            _add_visited(files, module.path, join_context(context, label), lines, arcs)


def _add_visited(
    files: dict[str, FileData], path: str, label: str, lines: set[int], arcs: set[tuple[int, int]]
) -> None:
    """Add what a context saw of a file, and no context that saw nothing of it."""
    if lines or arcs:
        _add(files, path, label, lines, arcs)


class _PathFinder:
    """Gives sampled code the path that coverage has for its file: absolute, links resolved."""

    def __init__(self, cwd_by_pid: dict[int, str]) -> None:
        self._cwd_by_pid = cwd_by_pid
        self._found: dict[str, str] = {}

    def find(self, log: SampleLog, filename: str) -> str:
        if not filename or filename.startswith("<"):
            return filename
        path = os.path.join(self._cwd_by_pid.get(log.pid, ""), filename)
        if not os.path.isabs(path):
            return filename
        if "\0" in path:
            return filename.replace("\0", "\\x00")  # no file can be called so
        if path not in self._found:
            self._found[path] = os.path.realpath(path)
        return self._found[path]


def _with_branches(code: RecordedCode) -> RecordedCode:
    ops = OPCODES_BY_VERSION.get(version_of(code.version))
    if ops is None or code.branches:
        return code
    return code._replace(branches=find_branches(code.code, ops))


def _leave_out_names_without_file(files: dict[str, FileData], messages: list[tuple[str, str]]) -> None:
    """Take out what no report could show: names that a program made up for what it compiled, files that are gone."""
    without = sorted(path for path, data in files.items() if not data.tracer and not has_source(path))
    if without:
        others = f" and {len(without) - 1} more" if len(without) > 1 else ""
        messages.append(("source-missing", f"Left out, as there is no such file: {without[0]}{others}."))
    for path in without:
        del files[path]


def _add_inferred(
    files: dict[str, FileData], imported: dict[str, int], context: str, messages: list[tuple[str, str]]
) -> None:
    """Add what must have run of modules that were imported before measuring began, and say so.

    `imported` has with each path the optimization level that its module was compiled with.
    """
    n_lines = 0
    for path, optimize in sorted(imported.items()):
        try:
            inferred = infer_lines(read_source_file(path), optimize)
        except (OSError, *PARSE_ERRORS):
            continue  # the report says that the source can't be read
        data = files.setdefault(path, FileData())
        seen = set().union(*data.lines.values(), *(arc for arcs in data.arcs.values() for arc in arcs))
        data.inferred = inferred - seen
        n_lines += len(data.inferred)
        _add(files, path, context, inferred, set())
    if n_lines:
        what = f"Inferred, not seen: {n_lines} lines of files imported before measuring began ({len(imported)})."
        messages.append(("lines-inferred", what))


def _add(files: dict[str, FileData], path: str, context: str, lines: set[int], arcs: set[tuple[int, int]]) -> None:
    """Add lines and arcs. Raises ValueError for lines that no file has."""
    if max(lines, default=0) >= _END_OF_LINES:
        raise ValueError(f"line {max(lines)}, which no file has")
    data = files.setdefault(path, FileData())
    data.lines.setdefault(context, set()).update(lines)
    data.arcs.setdefault(context, set()).update(arcs)


def _merge_records(paths: Iterable[Path]) -> _Merged:
    merged = _Merged()
    for path in paths:
        damage: list[str] = []
        try:
            record = read_record(str(path), damage)
        except FootfallError as error:
            merged.messages.append((error.slug, str(error)))
            continue
        except OSError as error:
            merged.messages.append(("record-unreadable", f"Can't read {path}: {error.strerror}."))
            continue
        merged.messages += [("record-damaged", sentence) for sentence in damage]
        header = record.header
        merged.processes.append(_Process(header.pid, header.start_ns, header.cwd, record.contexts))
        merged.has_branches = merged.has_branches or header.has_branches
        merged.messages += record.messages
        merged.traces += record.traces
        for traced, tracer in record.tracers.items():
            merged.tracers[traced] = tracer or merged.tracers.get(traced, "")
        for imported in record.imported:
            merged.imported[imported] = min(header.optimize, merged.imported.get(imported, header.optimize))
        if header.stopped_errno:
            what = f"Coverage recording of process {header.pid}, or of one that it forked, stopped"
            merged.messages.append(("record-full", sentence_of_stop(what, header.stopped_errno)))
        if record.codes and not _can_read_codes(record):
            merged.messages.append(_unknown("Coverage", header.pid, header.version))
            continue
        if record.has_switched:
            _merge_visits(merged, record)
            continue
        for code in record.codes:
            _merge(merged.codes, code._replace(events=b""), code)
        for module in record.modules:
            _merge(merged.modules, module._replace(events=b""), module)
    return merged


def _can_read_codes(record: Record) -> bool:
    header = record.header
    return is_known(header.version) and (not header.has_branches or version_of(header.version) in OPCODES_BY_VERSION)


def _known_logs(logs: Iterable[SampleLog], messages: list[tuple[str, str]]) -> Iterator[SampleLog]:
    for log in logs:
        if log.version == 0 and not log.units_are_lines:
            continue  # the process had no room to begin it, and said so
        if log.units_are_lines or is_known(log.version):  # lines, as in PyPy's logs, need no knowledge
            yield log
        else:
            messages.append(_unknown("The profile", log.pid, log.version))


def _unknown(what: str, pid: int, version: int) -> tuple[str, str]:
    name = version_name(version_of(version))
    text = f"{what} of process {pid} is left out: it ran Python {name}, which this footfall does not know."
    return "python-unknown", text + " Update footfall."


def _merge_visits(merged: _Merged, record: Record) -> None:
    by_code = [merged.code_visits.setdefault(code._replace(events=b"", context=""), {}) for code in record.codes]
    by_module = [
        merged.module_visits.setdefault(module._replace(events=bytes(len(module.events)), context=""), {})
        for module in record.modules
    ]
    last_code_events = [
        ContextEvents(at, code.context, gather_events(code.events)) for at, code in enumerate(record.codes)
    ]
    last_module_events = [
        ContextEvents(at, module.context, gather_events(module.events)) for at, module in enumerate(record.modules)
    ]
    for events in _join_visits([*record.code_events, *last_code_events]):
        by_code[events.number].setdefault(events.places, set()).add(events.context)
    for events in _join_visits([*record.module_events, *last_module_events]):
        by_module[events.number].setdefault(events.places, set()).add(events.context)


def _join_visits(found: list[ContextEvents]) -> Iterator[ContextEvents]:
    """Yield one for each thing and context: a context may come back, and a thread of it may run on after it."""
    by_key: dict[tuple[int, str], list[bytes]] = {}
    for events in found:
        if events.places and events.context != UNCOVERED_CONTEXT:
            by_key.setdefault((events.number, events.context), []).append(events.places)
    for (number, context), all_places in by_key.items():
        places = all_places[0] if len(all_places) == 1 else join_places(all_places)
        yield ContextEvents(number, context, places)


def _merge(known: dict[_T, _T], key: _T, found: _T) -> None:
    if key in known:
        found = found._replace(events=_either(known[key].events, found.events))
    known[key] = found


def _either(a: bytes, b: bytes) -> bytes:
    """Bitwise or of two event fields of one length."""
    return (int.from_bytes(a, "little") | int.from_bytes(b, "little")).to_bytes(max(len(a), len(b)), "little")
