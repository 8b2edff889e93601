"""A finished run's raw records to results: called once by the supervisor when the command has ended.

Hits of the same code in many processes are merged first, so that each code object is worked out once
however many workers ran it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple, TypeVar

from footfall.analyze.branch_outcomes import OutcomeCollector
from footfall.analyze.branches import find_branches
from footfall.analyze.bytecode_arcs import arcs_of_code
from footfall.analyze.calltree import profile_of_logs
from footfall.analyze.imported import infer_lines
from footfall.analyze.opcodes import OPCODES_BY_VERSION
from footfall.analyze.probe_arcs import arcs_of_module
from footfall.analyze.rundata import FileData, RunData
from footfall.errors import FootfallError
from footfall.record.recordfile import ProbedModule, RecordedCode, TracedCode, read_record
from footfall.record.samplelog import SampleLog, read_sample_logs

__all__ = ["resolve"]

_T = TypeVar("_T", RecordedCode, ProbedModule)
Progress = Callable[[int, int], None]


class _Merged(NamedTuple):
    codes: list[RecordedCode]
    modules: list[ProbedModule]
    traces: list[TracedCode]
    imported: set[str]
    messages: list[tuple[str, str]]
    has_branches: bool
    cwd_by_pid: dict[int, str]
    """Where each process started: relative file names are of there."""


def resolve(run_directory: str | Path, context: str = "", progress: Progress | None = None) -> RunData:
    """Work out lines, arcs and profile of the run in `run_directory`.

    `context` names the static context of everything that has none. `progress(done, total)` is called
    as code objects and modules are worked out. A damaged record is skipped and named in the messages.
    """
    directory = Path(run_directory)
    merged = _merge_records(sorted(directory.glob("*.rec")))
    files: dict[str, FileData] = {}
    total = len(merged.codes) + len(merged.modules)
    done = 0
    messages = list(merged.messages)
    outcomes = OutcomeCollector()
    for code in merged.codes:
        try:
            lines, arcs = arcs_of_code(_with_branches(code), has_exits=True)
        except ValueError as error:
            messages.append(("record-corrupt", f"Left out {code.qualname} of {code.path}: {error}."))
            continue
        _add(files, code.path, code.context or context, lines, arcs)
        if merged.has_branches:
            outcomes.add(code, code.context or context)
        done += 1
        if progress is not None:
            progress(done, total)
    for module in merged.modules:
        try:
            lines, arcs = arcs_of_module(module)
        except FootfallError as error:
            messages.append((error.slug, str(error)))
            lines, arcs = set(), set()
        _add(files, module.path, module.context or context, lines, arcs)
        done += 1
        if progress is not None:
            progress(done, total)
    for trace in merged.traces:  # worked out by the engine already
        _add(files, trace.path, trace.context or context, trace.lines, trace.arcs)
    _add_inferred(files, sorted(merged.imported), context, messages)
    paths = _PathFinder(merged.cwd_by_pid)
    profile = profile_of_logs(read_sample_logs(str(directory), messages), paths.find, lambda _log: {0: context})
    return RunData(
        files=files,
        has_arcs=merged.has_branches,
        messages=messages,
        profile=profile,
        n_processes=len(merged.cwd_by_pid),
        conditions=outcomes.conditions(),
    )


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
        if path not in self._found:
            self._found[path] = os.path.realpath(path)
        return self._found[path]


def _with_branches(code: RecordedCode) -> RecordedCode:
    ops = OPCODES_BY_VERSION.get((code.version >> 24, code.version >> 16 & 255))
    if ops is None or code.branches:
        return code
    return code._replace(branches=find_branches(code.code, ops))


def _add_inferred(
    files: dict[str, FileData], imported: list[str], context: str, messages: list[tuple[str, str]]
) -> None:
    """Add what must have run of modules that were imported before measuring began, and say so."""
    n_lines = 0
    for path in imported:
        try:
            inferred = infer_lines(Path(path).read_bytes())
        except (OSError, SyntaxError, ValueError):
            continue  # the report says that the source can't be read
        known = files[path].lines.get(context, set()) if path in files else set()
        n_lines += len(inferred - known)
        _add(files, path, context, inferred, set())
    if n_lines:
        what = f"Inferred, not seen: {n_lines} lines of files imported before measuring began ({len(imported)})."
        messages.append(("lines-inferred", what))


def _add(
    files: dict[str, FileData], path: str, context: str, lines: set[int], arcs: set[tuple[int, int]]
) -> None:
    data = files.setdefault(path, FileData())
    data.lines.setdefault(context, set()).update(lines)
    data.arcs.setdefault(context, set()).update(arcs)


def _merge_records(paths: Iterable[Path]) -> _Merged:
    codes: dict[RecordedCode, RecordedCode] = {}
    modules: dict[ProbedModule, ProbedModule] = {}
    traces: list[TracedCode] = []
    imported: set[str] = set()
    messages: list[tuple[str, str]] = []
    has_branches = False
    cwd_by_pid: dict[int, str] = {}
    for path in paths:
        try:
            record = read_record(str(path))
        except FootfallError as error:
            messages.append((error.slug, str(error)))
            continue
        cwd_by_pid[record.header.pid] = record.header.cwd
        has_branches = has_branches or record.header.has_branches
        messages += record.messages
        traces += record.traces
        imported.update(record.imported)
        if record.header.stopped_errno:
            reason = os.strerror(record.header.stopped_errno)
            messages.append(("record-full", f"recording of process {record.header.pid} stopped: {reason}."))
        for code in record.codes:
            _merge(codes, code._replace(hits=b""), code)
        for module in record.modules:
            _merge(modules, module._replace(hits=b""), module)
    return _Merged(list(codes.values()), list(modules.values()), traces, imported, messages, has_branches, cwd_by_pid)


def _merge(known: dict[_T, _T], key: _T, found: _T) -> None:
    if key in known:
        found = found._replace(hits=_either(known[key].hits, found.hits))
    known[key] = found


def _either(a: bytes, b: bytes) -> bytes:
    """Bitwise or of two hit fields of one length."""
    return (int.from_bytes(a, "little") | int.from_bytes(b, "little")).to_bytes(len(a), "little")
