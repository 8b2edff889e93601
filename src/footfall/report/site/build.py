"""All pages of `footfall html`, written to a folder. Called by the command."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import resources
from pathlib import Path
from typing import Any, Final

from footfall._version import VERSION
from footfall.analyze.conditions.analysis import ConditionResult
from footfall.analyze.gaps import find_gaps, times_in_files
from footfall.analyze.profile.calltree import (
    Function,
    Profile,
    Times,
    has_source,
    times_of_functions,
    times_of_lines,
    tree_sums,
)
from footfall.analyze.profile.clocks import Clock, has_cpu_time_alone, known_clocks, reader, sampled_ns
from footfall.analyze.profile.native_frames import fold_native_frames
from footfall.analyze.source.regions import FUNCTION, find_outside_lines, find_regions
from footfall.analyze.test_costs import TestRecord, find_tests, name_of_test
from footfall.config.configuration import shown_path
from footfall.errors import FootfallError
from footfall.load.gather import Coverage, ReportedFile, unreadable_notes
from footfall.record.data.qualifications import Message
from footfall.record.run.phase_times import PhaseTime
from footfall.report.jsontext import render_json
from footfall.report.places import SOURCES, is_footfall, is_library, short_path
from footfall.report.site.changes import (
    ReportNumbers,
    changes_payload,
    numbers_from_json,
    numbers_of_report,
    numbers_to_json,
)
from footfall.report.site.flame_page import flame_payload
from footfall.report.site.overview import FILE_COLUMNS, file_rows, gap_rows, gil_rows, numbers_row
from footfall.report.site.shell import render_page
from footfall.report.site.source_page import HEAT_CLOCKS, source_payload
from footfall.report.site.tests_page import tests_payload
from footfall.report.times import clock_of, with_builtin_calls

__all__ = ["SiteData", "write_site"]

_ASSETS: Final = ("app.js", "app.css")
_NUMBERS_FILE: Final = "footfall.json"
_SOURCES: Final = "source"
_PAGES: Final = ("index.html", "flame.html", "tests.html")
_OWN_NAMES: Final = frozenset((*_PAGES, *_ASSETS, _NUMBERS_FILE))
_MARK: Final = "Made by `footfall html`.\n*\n"
_N_GAPS: Final = 10
_N_HOT: Final = 10
_N_HOT_OTHER: Final = 4
_NS_PER_US: Final = 1000


@dataclass(slots=True)
class SiteData:
    """What a site is made from. `lines_by_context`: by reported path and context label, the statements that ran.

    `gaps_profile` is the profile that ranks gaps (production's), `before` the one to compare with, and
    `coverage_before` its data file's coverage.
    """

    coverage: Coverage
    title: str = "footfall report"
    precision: int = 0
    profile: Profile | None = None
    before: Profile | None = None
    coverage_before: Coverage | None = None
    gaps_profile: Profile | None = None
    conditions: Mapping[str, ConditionResult] = field(default_factory=dict)
    lines_by_context: Mapping[str, Mapping[str, set[int]]] = field(default_factory=dict)
    test_times: Mapping[str, PhaseTime] = field(default_factory=dict)
    """The measured times of each phase of each test, by context label."""
    warnings: Sequence[Message] = ()
    """What qualifies `before` and `gaps_profile`."""


def write_site(directory: str | Path, data: SiteData, note_page: Callable[[], object] = lambda: None) -> Path:
    """Write all pages and return the first one's path; `note_page` is called as each source page is done.

    Writes or removes only files that belong to a site. Raises FootfallError (`output-unwritable`).
    """
    root = Path(directory)
    _check_is_ours(root)
    try:
        (root / _SOURCES).mkdir(parents=True, exist_ok=True)
        before = _read_numbers(root)
        _Site(root, data, before, note_page).write()
    except OSError as error:
        raise FootfallError(
            "output-unwritable",
            f"Can't write the HTML report to {directory}: {error.strerror or error}.",
            "Choose another place with -d.",
        ) from error
    return root / "index.html"


def _check_is_ours(root: Path) -> None:
    """Refuse to overwrite what is not a report's: pages of something else, or links that lead out of the directory."""
    sources = root / _SOURCES
    if sources.is_symlink() or (sources.exists() and not sources.is_dir()):
        foreign = [_SOURCES]
    else:
        found = [(entry.name, entry) for entry in _entries(root) if entry.name in _OWN_NAMES]
        found += [(f"{_SOURCES}/{entry.name}", entry) for entry in _entries(sources) if entry.name.endswith(".html")]
        is_report = _is_report(root)
        foreign = [name for name, entry in found if not is_report or not entry.is_file(follow_symlinks=False)]
    if foreign:
        raise FootfallError(
            "output-unwritable",
            f"Can't write the HTML report to {root}: {min(foreign)} there is not part of a report.",
            "Choose another place with -d, or move that file away.",
        )


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return [*entries]
    except (FileNotFoundError, NotADirectoryError):
        return []


def _is_report(root: Path) -> bool:
    """Return whether there is an earlier report of ours, or one of coverage.py's, which ours replaces."""
    try:
        text = (root / ".gitignore").read_text(encoding="utf-8", errors="replace")
    except OSError:
        text = ""
    return text.startswith(("# " + _MARK, "# Created by coverage.py")) or _read_numbers(root) is not None


def _read_numbers(root: Path) -> Mapping[str, Any] | None:
    path = root / _NUMBERS_FILE
    try:
        found = json.loads(path.read_bytes()) if path.is_file() else None
    except (OSError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) and "format" in found else None


def _without_native_frames(data: SiteData) -> SiteData:
    before, profile = (each and fold_native_frames(each) for each in (data.before, data.profile))
    return replace(data, before=before, profile=profile)


class _Site:
    def __init__(
        self, root: Path, data: SiteData, before: Mapping[str, Any] | None, note_page: Callable[[], object]
    ) -> None:
        self.root = root
        self.flame_profiles = data.before, data.profile
        """With frames of C functions, which the flame graph alone shows."""
        data = self.data = _without_native_frames(data)
        self.before = before
        self.note_page = note_page
        self.files = data.coverage.files
        self.pages = {file.result.path: f"{_SOURCES}/{_page_name(file.name)}" for file in self.files}
        self.clock = clock_of(data.profile or Profile())
        self.has_cpu_time_alone = data.profile is not None and has_cpu_time_alone(data.profile)
        self.heat: dict[str, dict[int, Times]] = {}
        self.function_times: dict[Function, Times] = {}
        if data.profile is not None:
            sums = tree_sums(data.profile)
            self.heat = _heat_by_path(times_of_lines(data.profile, sums))
            self.function_times = times_of_functions(data.profile, sums)
        self.sampled_us = _sampled_us(data.profile)
        self.tests = find_tests(data.lines_by_context, data.profile, SOURCES, data.test_times)
        self.test_us = self._test_times()
        coverage = data.coverage if self.files else None
        self.numbers = numbers_of_report(coverage, data.profile, self.function_times, self.pages)
        self.site = {
            "title": data.title,
            "hasBranches": data.coverage.has_arcs,
            "hasProfile": data.profile is not None,
            "hasTests": bool(self.tests),
            "hasConditions": bool(data.conditions),
            "hasCpuTimeAlone": self.has_cpu_time_alone,
            "precision": data.precision,
            "version": VERSION,
        }
        """What all pages know of the report. Pages of sources do not say when it was made: most stay as they are."""

    def write(self) -> None:
        # first, so that the rest of an interrupted report is recognized as a report's
        with contextlib.suppress(FileExistsError), open(self.root / ".gitignore", "x", encoding="utf-8") as marker:
            marker.write("# " + _MARK)
        wanted = set()
        for file in self.files:
            wanted.add(self._write_source(file))
            self.note_page()
        self._write_overview()
        if self.data.profile is not None:
            self._write("flame.html", "flame", "Flame graph", self._flame(*self.flame_profiles))
        if self.tests:
            self._write("tests.html", "tests", "Tests", self._tests(self.tests))
        for name in _ASSETS:
            asset = resources.files("footfall.report").joinpath("assets", name).read_bytes()
            (self.root / name).write_bytes(asset)
        self._write_numbers()
        self._remove_stale(wanted)

    def _write(self, path: str, page: str, title: str, payload: dict[str, Any], notes: Sequence[str] = ()) -> None:
        payload["site"] = {**self.site, "created": time.strftime("%Y-%m-%d %H:%M")}
        text = render_page(page, f"{title} – {self.data.title}", payload, notes=notes)
        (self.root / path).write_text(text, encoding="utf-8")

    def _write_source(self, file: ReportedFile) -> str:
        path = file.result.path
        by_test: dict[str, set[int]] = {}
        for label, lines in self.data.lines_by_context.get(path, {}).items():
            by_test.setdefault(name_of_test(label), set()).update(lines)
        payload = source_payload(
            file,
            file.read_text(),
            heat=self.heat.get(path, {}),
            sampled_us=self.sampled_us,
            conditions=self.data.conditions.get(path),
            lines_by_test=by_test,
            test_us=self.test_us.get(path, {}),
        )
        page = self.pages[path]
        payload["site"] = self.site
        text = render_page("source", f"{file.name} – {self.data.title}", payload, "../")
        _write_changed(os.path.join(self.root, page), text.encode())
        return page

    def _test_times(self) -> dict[str, dict[tuple[int, str], int]]:
        """Return, by path, the microseconds of each line and test."""
        found: dict[str, dict[tuple[int, str], int]] = {}
        for test in self.tests:
            for place, cost in test.lines.items():
                spent = self.clock(cost) // _NS_PER_US
                if spent and place.path in self.pages:
                    found.setdefault(place.path, {})[place.line, test.name] = spent
        return found

    def _write_overview(self) -> None:
        coverage = self.data.coverage
        earlier = self._earlier_numbers()
        profile = self.data.gaps_profile or self.data.profile
        times: Mapping[str, Mapping[int, int]] = {}
        total_ns = 0
        if profile is not None:
            clock = clock_of(profile)
            times = times_in_files(profile, self.pages, clock)
            total_ns = sampled_ns(profile, clock)
        gaps = find_gaps([(file.result, file.analysis) for file in self.files], times)
        own_us = {
            path: sum(self.clock(times.own) for times in lines.values()) // _NS_PER_US
            for path, lines in self.heat.items()
        }
        conditions = {
            path: (result.n_total, result.n_total - result.n_seen) for path, result in self.data.conditions.items()
        }
        payload = {
            "columns": FILE_COLUMNS,
            "files": file_rows(self.files, self.pages, own_us, conditions, earlier.files),
            "totals": numbers_row(coverage.total),
            "totalBefore": earlier.total,
            "changes": changes_payload(
                earlier, self.numbers, {file.name: self.pages[file.result.path] for file in self.files}, self._since()
            ),
            "gaps": gap_rows(gaps[:_N_GAPS], self.pages, total_ns),
            "gapCount": len(gaps),
            "gapsAreOfAnotherProfile": self.data.gaps_profile is not None,
            "sampledUs": self.sampled_us,
            "hot": self._hot_functions(is_project=True),
            "hotOther": self._hot_functions(is_project=False),
            "threads": [] if self.data.profile is None else gil_rows(self.data.profile),
            "samples": 0 if self.data.profile is None else self.data.profile.n_samples,
            "dropped": 0 if self.data.profile is None else self.data.profile.n_dropped,
            "tests": len(self.tests),
        }
        self._write("index.html", "overview", "Overview", payload, unreadable_notes(coverage))

    def _earlier_numbers(self) -> ReportNumbers:
        if self.data.before is not None or self.data.coverage_before is not None:
            before = self.data.before
            times = times_of_functions(before) if before is not None else {}
            return numbers_of_report(self.data.coverage_before, before, times, self.pages)
        return numbers_from_json(self.before or {})

    def _since(self) -> str:
        """Return what follows "since" for the changes."""
        if self.data.before is not None or self.data.coverage_before is not None:
            return "the other data file"
        created = (self.before or {}).get("created")
        return f"the report of {created[:20]}" if isinstance(created, str) and created else "the last report"

    def _hot_functions(self, *, is_project: bool) -> list[list[Any]]:
        """Return [function, file ("": none), line, page or "", self microseconds, total microseconds], hottest first.

        The functions are the project's, or all others except footfall's own.
        """
        chosen = [
            item
            for item in self.function_times.items()
            if is_library(item[0].path) is not is_project and not is_footfall(item[0].path)
        ]
        ranked = sorted(chosen, key=lambda item: (-self.clock(item[1].own), item[0]))
        return [
            [
                function.qualname,
                short_path(function.path) if has_source(function.path) else "",
                function.first_line,
                self.pages.get(function.path, ""),
                self.clock(times.own) // _NS_PER_US,
                self.clock(times.total) // _NS_PER_US,
            ]
            for function, times in ranked[: _N_HOT if is_project else _N_HOT_OTHER]
            if self.clock(times.own)
        ]

    def _flame(self, before: Profile | None, profile: Profile | None) -> dict[str, Any]:
        return flame_payload(
            with_builtin_calls(
                profile or Profile(), only_adapted=True
            ),  # parsing all sources would take longer than the whole site
            shown=short_path,
            pages=self.pages,
            coverage_of=_FunctionCoverage(self.files).of,
            is_library=(lambda path: path not in self.pages) if self.pages else is_library,
            before=before and with_builtin_calls(before, only_adapted=True),
        )

    def _tests(self, tests: list[TestRecord]) -> dict[str, Any]:
        statements = {file.result.path: file.result.statements for file in self.files}
        return tests_payload(tests, shown=shown_path, pages=self.pages, statements=statements)

    def _write_numbers(self) -> None:
        """Store percentages and times for the next site in this folder to compare with."""
        numbers = {
            "format": 1,
            "version": VERSION,
            "created": time.strftime("%Y-%m-%d %H:%M"),
            **numbers_to_json(self.numbers),
            "pages": sorted(self.pages.values()),
        }
        (self.root / _NUMBERS_FILE).write_text(render_json(numbers), encoding="utf-8")

    def _remove_stale(self, wanted: set[str]) -> None:
        """Remove pages that the earlier site had but this one has not; leave names alone that we would not use."""
        pages = self.before.get("pages") if self.before is not None else None
        for page in pages if isinstance(pages, list) else ():
            if isinstance(page, str) and page not in wanted and re.fullmatch(rf"{_SOURCES}/[\w.-]+\.html", page):
                with contextlib.suppress(OSError):
                    (self.root / page).unlink()
        for name, is_there in (("flame.html", self.data.profile is not None), ("tests.html", bool(self.tests))):
            if self.before is not None and not is_there:
                with contextlib.suppress(OSError):
                    (self.root / name).unlink()


def _write_changed(path: str, content: bytes) -> None:
    """Make a file have this content; one that has it already is only read, which takes a tenth of the time."""
    try:
        with open(path, "rb", buffering=0) as file:
            is_same = os.fstat(file.fileno()).st_size == len(content) and file.readall() == content
    except OSError:
        is_same = False
    if not is_same:
        with open(path, "wb") as file:
            file.write(content)


class _FunctionCoverage:
    """How much of a function's statements ran: computed for each file when first asked for."""

    def __init__(self, files: list[ReportedFile]) -> None:
        self._files = {file.result.path: file for file in files}
        self._known: dict[str, dict[str, list[tuple[int, float | None]]]] = {}

    def of(self, function: Function) -> float | None:
        """Return the share that ran, 0 to 1; None for a function of another file, or without statements."""
        if function.path not in self._files:
            return None
        if function.path not in self._known:
            self._known[function.path] = self._read(self._files[function.path])
        named = self._known[function.path].get(function.qualname.replace(".<locals>", ""), [])
        # Several may have one name (a property and its setter); a function's first line is that of its decorators.
        return next((part for start, part in named if start >= function.first_line), None)

    @staticmethod
    def _read(file: ReportedFile) -> dict[str, list[tuple[int, float | None]]]:
        """Return by name the line of each `def`, in order, and the share that ran."""
        regions = [region for region in find_regions(file.analysis) if region.kind == FUNCTION]
        outside = find_outside_lines(file.analysis, regions)
        parts = [*((region.name, region.start, region.lines) for region in regions), ("<module>", 1, outside)]
        statements, executed = file.result.statements, file.result.executed
        found: dict[str, list[tuple[int, float | None]]] = {}
        for name, start, lines in parts:
            own = statements & lines
            found.setdefault(name, []).append((start, len(executed & lines) / len(own) if own else None))
        return found


def _sampled_us(profile: Profile | None) -> list[int]:
    """Return the time of all samples with Python code by each of HEAT_CLOCKS; without the last if nothing waited."""
    costs = [] if profile is None else [cost for (node, _, _), cost in profile.costs.items() if node]
    spent = [sum(map(reader(clock), costs)) // _NS_PER_US for clock in HEAT_CLOCKS]
    waits = profile is not None and Clock.GIL_WAIT in known_clocks(profile) and spent[-1] > 0
    return spent if waits else spent[:-1]


def _heat_by_path(times_by_line: Mapping[tuple[str, int], Times]) -> dict[str, dict[int, Times]]:
    found: dict[str, dict[int, Times]] = {}
    for (path, line), times in times_by_line.items():
        found.setdefault(path, {})[line] = times
    return found


def _page_name(name: str) -> str:
    """Return a page name that is unique to a file, whatever the file is called."""
    digest = hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()[:8]
    readable = re.sub(r"[^A-Za-z0-9]+", "_", os.path.splitext(name)[0])[-60:].strip("_")
    return f"{readable or 'file'}_{digest}.html"
