"""A finished run's raw records to results: called once by the supervisor after the command has ended.

Events of the same code in many processes are merged first (`merged_records.py`), so that each code object is resolved
once however many workers ran it.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from footfall.analyze.bytecode.arcs import arcs_of_code
from footfall.analyze.bytecode.branches import find_branches
from footfall.analyze.bytecode.opcodes import OPCODES_BY_VERSION
from footfall.analyze.conditions.branch_outcomes import OutcomeCollector
from footfall.analyze.merged_records import MergedRecords, ReadRecord, merge_records, unknown_python
from footfall.analyze.native.unwinding import Unwinder
from footfall.analyze.profile.calltree import Profile, profile_of_logs
from footfall.analyze.resolved_run import FileData, RunData
from footfall.analyze.source.parse import PARSE_ERRORS
from footfall.analyze.source.source_file import has_source, read_source_file
from footfall.errors import FootfallError
from footfall.model import UNCOVERED_CONTEXT
from footfall.pythons import is_known, version_of
from footfall.record.data.coverage_tables import MAX_NUMBITS_BYTES
from footfall.record.run.event_places import spread_events
from footfall.record.run.phase_times import read_phase_times
from footfall.record.run.process_logs import read_sample_logs
from footfall.record.run.record_file import ProbedModule, RecordedCode, TracedCode, read_record
from footfall.record.run.sample_log import SampleLog

if TYPE_CHECKING:
    from footfall.analyze.probes.arcs import MeaningsStore, ProbeMeaning

__all__ = ["join_context", "resolve", "resolve_lines"]

_END_OF_LINES = 8 * MAX_NUMBITS_BYTES
_FEW_INCOMPLETE = 0.01  # shares of a profile are hardly more exact

Progress = Callable[[int, int], None]


def resolve(
    run_directory: str | Path,
    context: str = "",
    progress: Progress | None = None,
    store: MeaningsStore | None = None,
) -> RunData:
    """Compute the lines, arcs and profile of the run in `run_directory`.

    `context` is the static context of everything; a dynamic one follows it after a "|". `store` keeps what a source's
    probes mean between runs. `progress(done, total)` is called for each code object and module. A damaged record is
    left out, with a message.
    """
    directory = str(run_directory)
    merged, coverage = _resolve_coverage(directory, context, progress, store, read_record)
    files, messages = coverage.files, coverage.messages
    cwd_by_pid = merged.cwd_by_pid()

    def contexts_of(log: SampleLog) -> dict[int, str]:
        labels = {0: context}
        labels.update((key, join_context(context, label)) for key, label in merged.contexts_of(log).items())
        return labels

    paths = _PathFinder(cwd_by_pid)
    logs = list(_known_logs(read_sample_logs(directory, messages), messages))
    return RunData(
        files=files,
        has_arcs=merged.has_branches,
        messages=messages,
        profile=_profile_of_whole(logs, paths.find, contexts_of, messages),
        n_processes=len(cwd_by_pid),
        conditions={path: codes for path, codes in coverage.outcomes.conditions().items() if path in files},
        test_times={
            join_context(context, label): time for label, time in read_phase_times(directory, messages).items()
        },
    )


def resolve_lines(
    run_directory: str, context: str, read: ReadRecord = read_record
) -> tuple[dict[str, FileData], list[tuple[str, str]]]:
    """Compute only what ran, in a run without profile: by path, and messages.

    Called for each read of a program that measures itself. `read` is for a run that is resolved again and again while
    it goes on.
    """
    _, coverage = _resolve_coverage(run_directory, context, None, None, read, with_outcomes=False)
    return coverage.files, coverage.messages


def _resolve_coverage(
    directory: str,
    context: str,
    progress: Progress | None,
    store: MeaningsStore | None,
    read: ReadRecord,
    *,
    with_outcomes: bool = True,
) -> tuple[MergedRecords, _CoverageResolver]:
    records = (f"{directory}/{name}" for name in sorted(os.listdir(directory)) if name.endswith(".rec"))
    merged = merge_records(records, read)
    coverage = _CoverageResolver(directory, context, store)
    coverage.resolve(merged, progress, with_outcomes=with_outcomes)
    files, messages = coverage.files, coverage.messages
    for path, tracer in merged.tracers.items():
        if tracer:
            files.setdefault(path, FileData()).tracer = tracer
        else:
            files.pop(path, None)  # its plugin has failed, so what was recorded of it is incomplete
    _add_inferred(files, merged.imported, context, messages)
    _leave_out_names_without_file(files, messages)
    return merged, coverage


class _CoverageResolver:
    """Turns merged records into the lines and arcs of each file, and the outcomes of its conditions.

    Damaged parts are left out with a message; the rest is not affected.
    """

    def __init__(self, run_directory: str, context: str, store: MeaningsStore | None) -> None:
        self.files: dict[str, FileData] = {}
        self.messages: list[tuple[str, str]] = []
        self.outcomes = OutcomeCollector()
        self._run_directory = run_directory
        self._context = context
        self._store = store

    def resolve(self, merged: MergedRecords, progress: Progress | None, *, with_outcomes: bool) -> None:
        """Add everything in the records, outcomes of conditions only if they are wanted. Called once."""
        self.messages += merged.messages
        total = len(merged.codes) + len(merged.modules) + len(merged.code_visits) + len(merged.module_visits)
        for done, _ in enumerate(self._each(merged, with_outcomes and merged.has_branches), 1):
            if progress is not None:
                progress(done, total)
        for trace in merged.traces:
            self._add_trace(trace)

    def _each(self, merged: MergedRecords, has_outcomes: bool) -> Iterator[None]:
        """Resolve one code object or module at each step."""
        for code in merged.codes.values():
            self._try(self._add_code, code, has_outcomes)
            yield
        for module in merged.modules.values():
            self._try(self._add_module, module)
            yield
        for code, code_visits in merged.code_visits.items():
            self._try(self._add_code_visits, code, code_visits, has_outcomes)
            yield
        for module, module_visits in merged.module_visits.items():
            self._try(self._add_module_visits, module, module_visits)
            yield

    def _try(self, add: Callable[..., None], measured: RecordedCode | ProbedModule, *arguments: object) -> None:
        """Add what was measured; if it is damaged in any way, leave it out with a message."""
        try:
            add(measured, *arguments)
        except FootfallError as error:
            path = measured.path
            self.messages.append((error.slug, str(error) if path in error.message else f"{path}: {error}"))
        except Exception as error:  # damage can cause any error
            name = f"{measured.qualname} of " if isinstance(measured, RecordedCode) else ""
            self.messages.append(("record-corrupt", f"Left out {name}{measured.path}: {error!r}."))

    def _add_code(self, code: RecordedCode, has_outcomes: bool) -> None:
        lines, arcs = arcs_of_code(_with_branches(code), has_exits=True)
        _add(self.files, code.path, self._context, lines, arcs)
        if has_outcomes:
            self.outcomes.add(code, [self._context])

    def _add_module(self, module: ProbedModule) -> None:
        from footfall.analyze.probes.arcs import arcs_of_events  # slow to import, needed only for modules with probes

        try:
            lines, arcs = arcs_of_events(self._meanings(module), module.events)
        except FootfallError:
            _add(self.files, module.path, self._context, set(), set())  # to show that it was measured
            raise
        _add(self.files, module.path, self._context, lines, arcs)

    def _add_code_visits(self, code: RecordedCode, visits: dict[bytes, set[str]], has_outcomes: bool) -> None:
        code = _with_branches(code)
        self.files.setdefault(code.path, FileData())
        for places, labels in visits.items():
            code = code._replace(events=spread_events(places, code.n_places))
            lines, arcs = arcs_of_code(code, has_exits=True, is_partial=True)
            joined = [join_context(self._context, label) for label in labels]
            for label in joined:
                self._add_visited(code.path, label, lines, arcs)
            if has_outcomes:
                self.outcomes.add(code, joined)

    def _add_module_visits(self, module: ProbedModule, visits: dict[bytes, set[str]]) -> None:
        from footfall.analyze.probes.arcs import arcs_of_events

        self.files.setdefault(module.path, FileData())
        meanings = self._meanings(module)
        for places, labels in visits.items():
            lines, arcs = arcs_of_events(meanings, spread_events(places, len(meanings)))
            for label in labels:
                self._add_visited(module.path, join_context(self._context, label), lines, arcs)

    def _add_trace(self, trace: TracedCode) -> None:
        """Add what the settrace engine recorded, which is already lines and arcs."""
        if trace.context == UNCOVERED_CONTEXT:
            return
        self.files.setdefault(trace.path, FileData())
        try:
            self._add_visited(trace.path, join_context(self._context, trace.context), trace.lines, trace.arcs)
        except ValueError as error:
            self.messages.append(("record-corrupt", f"Left out a trace of {trace.path}: {error!r}."))

    def _add_visited(self, path: str, label: str, lines: set[int], arcs: set[tuple[int, int]]) -> None:
        """Add what a context recorded of a file, unless it recorded nothing of it."""
        if lines or arcs:
            _add(self.files, path, label, lines, arcs)

    def _meanings(self, module: ProbedModule) -> tuple[ProbeMeaning, ...]:
        from footfall.analyze.probes.arcs import meanings_of_module

        return meanings_of_module(module, self._store, self._run_directory)


def _profile_of_whole(
    logs: list[SampleLog],
    find_path: Callable[[SampleLog, str], str],
    contexts_of: Callable[[SampleLog], dict[int, str]],
    messages: list[tuple[str, str]],
) -> Profile | None:
    """Merge the logs into one profile, without those with damage that reading them does not detect."""
    with contextlib.suppress(Exception):  # whatever damage causes
        unwinder = Unwinder()
        profile = profile_of_logs(logs, find_path, contexts_of, unwinder)
        messages += _native_messages(unwinder)
        return profile
    whole: list[SampleLog] = []
    for log in logs:
        try:
            profile_of_logs([log], find_path, contexts_of)
        except Exception as error:  # as above
            messages.append(("record-corrupt", f"Left out the profile of process {log.pid}: {error!r}."))
        else:
            whole.append(log)
    return profile_of_logs(whole, find_path, contexts_of)


def _native_messages(unwinder: Unwinder) -> Iterator[tuple[str, str]]:
    """Yield what C functions in the profile lack, as (slug, sentence)."""
    if unwinder.files.changed:
        names = ", ".join(sorted(unwinder.files.changed))
        yield (
            "native-changed",
            f"C functions in these files have no names, as they changed or went during the run: {names}.",
        )
    if unwinder.n_incomplete > _FEW_INCOMPLETE * unwinder.n_stacks:
        what = f"Of {unwinder.n_stacks} C stacks, {unwinder.n_incomplete} could be read only in part:"
        yield "native-incomplete", f"{what} the functions further out count for the Python lines that called them."


def join_context(static: str, dynamic: str) -> str:
    """Return the label of a dynamic context under a static one, as coverage.py joins them; either may be ""."""
    return f"{static}|{dynamic}" if static and dynamic else static or dynamic


class _PathFinder:
    """Gives sampled code the path that coverage has for its file: absolute, with links resolved."""

    def __init__(self, cwd_by_pid: dict[int, str]) -> None:
        self._cwd_by_pid = cwd_by_pid
        self._found: dict[str, str] = {}
        self._of_name: dict[tuple[int, str], str] = {}
        """By process and the name in its code: there are many code objects of a file."""

    def find(self, log: SampleLog, filename: str) -> str:
        """Return the path of a name in a log's code."""
        found = self._of_name.get((log.pid, filename))
        if found is None:
            found = self._of_name[log.pid, filename] = self._find(log, filename)
        return found

    def _find(self, log: SampleLog, filename: str) -> str:
        if not filename or filename.startswith("<"):
            return filename
        path = os.path.join(self._cwd_by_pid.get(log.pid, ""), filename)
        if not os.path.isabs(path):
            return filename
        if "\0" in path:
            return filename.replace("\0", "\\x00")  # no file can have such a name
        if path not in self._found:
            self._found[path] = os.path.realpath(path)
        return self._found[path]


def _with_branches(code: RecordedCode) -> RecordedCode:
    ops = OPCODES_BY_VERSION.get(version_of(code.version))
    if ops is None or code.branches:
        return code
    branches = find_branches(code.code, ops)
    return code._replace(branches=branches) if branches else code


def _leave_out_names_without_file(files: dict[str, FileData], messages: list[tuple[str, str]]) -> None:
    """Remove what no report could show: names that a program made up for code it compiled, files that are gone."""
    without = sorted(path for path, data in files.items() if not data.tracer and not has_source(path))
    if without:
        others = f" and {len(without) - 1} more" if len(without) > 1 else ""
        messages.append(("source-missing", f"Left out, as there is no such file: {without[0]}{others}."))
    for path in without:
        del files[path]


def _add_inferred(
    files: dict[str, FileData], imported: dict[str, int], context: str, messages: list[tuple[str, str]]
) -> None:
    """Add what must have run of modules that were imported before measuring started, and a message that says so.

    `imported` has for each path the optimization level with which its module was compiled.
    """
    if not imported:
        return
    from footfall.analyze.source.imported import infer_lines  # slow to import, needed only after a late start

    n_lines = 0
    for path, optimize in sorted(imported.items()):
        try:
            inferred = infer_lines(read_source_file(path), optimize)
        except (OSError, *PARSE_ERRORS):
            continue  # the report will say that the source can't be read
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


def _known_logs(logs: Iterable[SampleLog], messages: list[tuple[str, str]]) -> Iterator[SampleLog]:
    for log in logs:
        if log.version == 0 and not log.units_are_lines:
            continue  # the process had no room to start it, and reported that
        if log.units_are_lines or is_known(log.version):  # lines, as in PyPy's logs, need no facts about the version
            yield log
        else:
            messages.append(unknown_python("The profile", log.pid, log.version))
