"""`footfall report --diff`: coverage of what changed since a revision, from git, the data and the current sources."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from footfall.analyze.changes import Change, parse_diff
from footfall.analyze.patch import PatchedFile, find_untested_function, lines_of_python, patch_file, time_of_lines
from footfall.analyze.totals import fail_under_message, should_fail_under
from footfall.cli.reports.report_files import write_output
from footfall.cli.reports.reporting import ReportRequest
from footfall.config.configuration import Config, canonical_path, make_patterns_absolute, shown_path
from footfall.errors import EXIT_USAGE, UsageError
from footfall.load.gather import Coverage, ReportedFile, choose_paths
from footfall.load.source_files import read_source_bytes
from footfall.patterns import glob_matches
from footfall.record.data.parallel_files import base_of_parallel_name, find_parallel_files
from footfall.record.data.source_ids import blob_id, read_source_ids
from footfall.report.coverage.annotations import gitlab_report, render_github
from footfall.report.coverage.conditions import load_conditions, need_conditions
from footfall.report.coverage.patch import LeftOut, Patch, PatchTimes, patch_report, render_patch
from footfall.report.coverage.text import TableOptions
from footfall.report.jsontext import render_json
from footfall.report.words import plural
from footfall.session.git import diff_since, merge_base, top_directory, untracked_files
from footfall.session.output import print_message, show, warn

__all__ = ["show_patch"]

_FORMATS = ("text", "markdown", "total", "json", "github", "gitlab")
_FOR_READERS = ("text", "markdown", "total")
_INDENT = 4


def show_patch(
    request: ReportRequest,
    config: Config,
    revision: str,
    *,
    options: TableOptions,
    clock: str | None,
    needs_conditions: bool,
    fail_under: float | None,
) -> int:
    """Print the patch's coverage; return 0, or 2 if it is below `fail_under` per cent.

    Raises FootfallError: `bad-format`, or what git and reading the data raise.
    """
    if options.format not in _FORMATS:
        raise UsageError(
            "bad-format",
            f"Can't show the coverage of a diff in the format {options.format!r}.",
            f"There are: {', '.join(_FORMATS)}.",
        )
    base = merge_base(revision)
    top = top_directory()
    changes = [*parse_diff(diff_since(base)), *(Change("", name, is_untracked=True) for name in untracked_files(top))]
    recorded_ns = _recorded_ns(config)
    coverage = request.gather(config, leaves_changed_out=True)
    found = _Changed(config, coverage, recorded_ns)
    for path, change in _changed_files(sorted(changes, key=lambda change: change.new_name), top):
        found.add(path, change, is_chosen=not request.files and bool(choose_paths(config, [path])))
    warn(found.warnings, config.disable_warnings)
    within = {each.result.path: each.result.statements for _, each in found.patched}
    conditions = None
    if needs_conditions or coverage.has_conditions:
        load = need_conditions if needs_conditions else load_conditions
        conditions = load(coverage, config.data_file, config.report_contexts, within)
    patch = Patch(
        revision=revision,
        base=base,
        has_arcs=coverage.has_arcs,
        files=[each for _, each in found.patched],
        left_out=found.left_out,
        times=_times(config, coverage, found.patched, clock),
        conditions=conditions,
    )
    _show(patch, options)
    return _exit_status(patch, fail_under, options)


def _recorded_ns(config: Config) -> int:
    """Return when the data was written, in ns since the epoch: the earliest file if a report joins several."""
    target = os.path.abspath(config.data_file)
    parts = [path for path in find_parallel_files(target) if base_of_parallel_name(path) == target]
    times = []
    for path in parts or [target]:
        try:
            times.append(os.stat(path).st_mtime_ns)
        except OSError:
            continue
    return min(times, default=0)


def _changed_files(changes: Sequence[Change], top: str) -> Iterator[tuple[str, Change]]:
    """Yield the existing files that contain something new. A link or a submodule has no lines."""
    for change in changes:
        if not change.new_name or not (change.new_lines or change.is_binary or change.is_untracked):
            continue
        path = os.path.join(top, change.new_name)
        if os.path.isfile(path) and not os.path.islink(path):
            yield canonical_path(path), change


class _Changed:
    """The changed files, sorted into those with numbers and those without."""

    def __init__(self, config: Config, coverage: Coverage, recorded_ns: int) -> None:
        self.patched: list[tuple[ReportedFile, PatchedFile]] = []
        self.left_out: list[LeftOut] = []
        self.warnings: list[tuple[str, str]] = []
        self._config = config
        self._data_file = config.data_file
        self._recorded_ns = recorded_ns
        self._source_ids = read_source_ids(config.data_file)
        self._measured: dict[str, list[ReportedFile]] = {}
        for file in coverage.files:
            self._measured.setdefault(canonical_path(file.result.path), []).append(file)
        self._unreadable = {each.name: each.reason for each in coverage.unreadable}
        self._ignored = {each.name for each in coverage.ignored}

    def add(self, path: str, change: Change, *, is_chosen: bool) -> None:
        """Add one file. `is_chosen`: the report would include it if it were in the data."""
        name = shown_path(path)
        files = self._measured.get(path)
        if files is None:
            if name in self._unreadable:
                self.left_out.append(LeftOut(name, change.new_name, self._unreadable[name], is_unknown=True))
            elif is_chosen and name not in self._ignored and _is_to_measure(self._config, path):
                self.left_out.append(LeftOut(name, change.new_name, "it is not in the data", is_unknown=False))
        elif self._source_ids and not all(self._is_measured_text(path, file) for file in files):
            reason = "its text is not the one that was measured"
            self._leave_out(name, change, reason, ("source-newer", "Run the tests again."))
        elif not self._source_ids and os.stat(path).st_mtime_ns > self._recorded_ns:
            help = f"Run the tests again; if it is as it was measured: touch {self._data_file}"
            self._leave_out(name, change, "it was written after the data was", ("source-newer", help))
        elif change.is_binary:
            help = "Its .gitattributes say so, or it is no text."
            self._leave_out(name, change, "git shows no lines of it", ("diff-binary", help))
        else:
            for file in files:
                lines = None if change.is_untracked else lines_of_python(read_source_bytes(path), change.new_lines)
                patched = patch_file(file.result, file.analysis, lines, change.new_name)
                if patched.result.statements:
                    self.patched.append((file, patched))

    def _is_measured_text(self, path: str, file: ReportedFile) -> bool:
        here = blob_id(read_source_bytes(path))
        return all(self._source_ids.get(stored) == here for stored in file.stored_paths)

    def _leave_out(self, name: str, change: Change, reason: str, warning: tuple[str, str]) -> None:
        """Leave a measured file out; `warning` is a slug and what to do."""
        slug, help = warning
        self.left_out.append(LeftOut(name, change.new_name, reason, is_unknown=True))
        self.warnings.append((slug, f"{name} has no numbers: {reason}. {help}"))


def _is_to_measure(config: Config, path: str) -> bool:
    """Return whether a run would measure the file if it were imported: not empty, and wanted by the configuration."""
    if not path.endswith((".py", ".pyw")) or not os.path.getsize(path):
        return False
    if any(glob_matches(pattern, path) for pattern in make_patterns_absolute(config.run_omit)):
        return False
    sources = [*config.source, *config.source_dirs]
    folders = [canonical_path(each) for each in sources if os.path.isdir(each)]
    packages = [*config.source_pkgs, *(each for each in sources if not os.path.isdir(each))]
    if folders or packages:
        named = [f"/{each.replace('.', '/')}" for each in packages]
        is_in_package = any(f"{each}/" in path or path.endswith(f"{each}.py") for each in named)
        return is_in_package or any(path.startswith(f"{folder}/") for folder in folders)
    include = make_patterns_absolute(config.run_include)
    return not include or any(glob_matches(pattern, path) for pattern in include)


def _show(patch: Patch, options: TableOptions) -> None:
    if options.format == "json":
        write_output("-", render_json(patch_report(patch, options.precision), indent=_INDENT) + "\n", "patch")
    elif options.format == "gitlab":
        write_output("-", render_json(gitlab_report(patch), indent=_INDENT) + "\n", "patch")
    elif options.format == "github":
        write_output("-", render_github(patch, patch.total.pc_covered_str(options.precision)), "patch")
    else:
        show(render_patch(patch, options), end="")


def _times(
    config: Config, coverage: Coverage, patched: Sequence[tuple[ReportedFile, PatchedFile]], chosen: str | None
) -> PatchTimes | None:
    """Return the time of what changed; None without a profile, or if the profile has no lines (PyPy)."""
    if not coverage.has_profile:
        return None
    from footfall.analyze.gaps import times_in_files
    from footfall.analyze.profile.clocks import (  # half of all import time
        Clock,
        default_clock,
        has_cpu_time_alone,
        reader,
        sampled_ns,
    )
    from footfall.report.times import load_profile, named_as_coverage, need_clock

    profile = load_profile(config, config.data_file, config.report_contexts, by_thread=False)
    if profile is None:
        return None
    clock = Clock(chosen) if chosen else default_clock(profile)
    need_clock(profile, clock)
    if has_cpu_time_alone(profile):
        return None
    paths = [file.result.path for file in coverage.files]
    times = times_in_files(named_as_coverage(profile, paths), paths, reader(clock))
    by_path = {
        file.result.path: time_of_lines(file.analysis, times.get(file.result.path, {}), each.result.statements)
        for file, each in patched
    }
    pairs = [(file.result, file.analysis) for file in coverage.files]
    untested = find_untested_function(pairs, [each for _, each in patched], times)
    return PatchTimes(sampled_ns(profile, reader(clock)), by_path, untested, clock)


def _exit_status(patch: Patch, fail_under: float | None, options: TableOptions) -> int:
    """Return 0 or 2. If a file has no numbers, what it would add is not known, so no threshold is reached."""
    if fail_under is None:
        return 0
    total = patch.total.pc_covered
    is_low = should_fail_under(total, fail_under, options.precision)  # checks the number too
    n_unknown = sum(each.is_unknown for each in patch.left_out)
    if fail_under and n_unknown:
        message = f"{plural(n_unknown, 'changed file')} without numbers, fail-under-patch is {fail_under:g}"
    elif is_low:
        message = fail_under_message(total, fail_under, options.precision).replace("fail-under=", "fail-under-patch=")
    else:
        return 0
    (show if options.format in _FOR_READERS else print_message)(f"Patch coverage failure: {message}")
    return EXIT_USAGE
