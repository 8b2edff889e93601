"""The reports at the end of a pytest session: any combination of them, reading the data file once.

If pytest-cov's options were used, headings and sentences are pytest-cov's, so that people and scripts find that text.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from footfall.analyze.totals import fail_under_message, should_fail_under
from footfall.cli.reports.report_files import write_output, write_parts
from footfall.config.configuration import Config
from footfall.errors import FootfallError
from footfall.load.gather import Coverage, gather
from footfall.record.run.directory import RunDirectory
from footfall.report.coverage.text import TableOptions, render_table
from footfall.report.summary import Line
from footfall.session.output import warn
from footfall.session.pytest_request import PytestRequest

__all__ = [
    "PYTEST_NO_TESTS",
    "PYTEST_OK",
    "PYTEST_TESTS_FAILED",
    "PYTEST_USAGE_ERROR",
    "SessionReports",
    "came_to_nothing",
    "make_session_reports",
    "wants_reports",
    "wants_summary",
]

# pytest's exit statuses
PYTEST_OK = 0
PYTEST_TESTS_FAILED = 1
_INTERRUPTED = 2
_INTERNAL_ERROR = 3
PYTEST_USAGE_ERROR = 4
PYTEST_NO_TESTS = 5

_MARKDOWN_FILE = "coverage.md"  # coverage.py has no default for it; this is pytest-cov's


def wants_summary(request: PytestRequest, status: int) -> bool:
    """Return whether to show the summary of `footfall run` after pytest has exited with `status`."""
    if status == PYTEST_USAGE_ERROR or _is_too_bad(request, status):
        return False
    return ("summary", None) in request.reports


def came_to_nothing(status: int, directory: RunDirectory) -> bool:
    """Return whether pytest rejected its command line, so that no test started."""
    return status == PYTEST_USAGE_ERROR and not directory.has_times_of_tests()


def wants_reports(request: PytestRequest, status: int) -> bool:
    """Return whether to make reports: as with pytest-cov, not if no test started, but after a crash."""
    return status not in (_INTERRUPTED, _INTERNAL_ERROR, PYTEST_USAGE_ERROR) and not _is_too_bad(request, status)


def _is_too_bad(request: PytestRequest, status: int) -> bool:
    return request.is_silent_on_failure and status not in (PYTEST_OK, PYTEST_NO_TESTS)


@dataclass(slots=True)
class SessionReports:
    """What to print, and whether the total is below the required percentage."""

    lines: list[Line] = field(default_factory=list)
    is_below: bool = False


def make_session_reports(request: PytestRequest, config: Config, data_file: str) -> SessionReports:
    """Write the requested report files and return the rest. Paths come from the request, or else the configuration.

    Raises FootfallError: `output-unwritable`, `bad-fail-under`, `bad-precision`, `bad-sort`.
    """
    config = replace(config, data_file=data_file)
    done = SessionReports()
    kinds = [kind for kind, _ in request.reports if kind not in ("", "summary")]
    if not kinds and not config.fail_under:
        return done
    lines: list[Line] = []
    try:
        coverage = gather(
            config, data_file, ignore_errors=True, contexts=config.report_contexts, with_qualifications=False
        )
    except FootfallError as error:
        lines.append([(f"WARNING: Failed to generate report: {error.message}", "bad")])
        total = 0.0
    else:
        warn(coverage.warnings, config.disable_warnings)
        for text in _texts(request, config, coverage):
            lines += [[(line, "")] for line in text.splitlines()]
        total = coverage.total.pc_covered
    if config.fail_under > 0:
        done.is_below = should_fail_under(total, config.fail_under, config.precision)
        lines += _verdict(total, config, done.is_below)
    done.lines = [*_headings(), *lines]
    return done


def _texts(request: PytestRequest, config: Config, coverage: Coverage) -> list[str]:
    """Make each report once, in pytest-cov's order, and return the texts to print."""
    wanted = dict(request.reports)
    found = []
    if "term" in wanted or "term-missing" in wanted:
        found.append(_table(request, config, coverage))
    for kind, write in _WRITERS.items():
        if kind in wanted:
            found.append(write(config, coverage, wanted[kind]) + "\n")
    return found


def _table(request: PytestRequest, config: Config, coverage: Coverage) -> str:
    wanted = dict(request.reports)
    options = TableOptions(
        precision=config.precision,
        show_missing="term-missing" in wanted or config.show_missing,
        skip_covered="skip-covered" in wanted.values() or config.skip_covered,
        skip_empty=config.skip_empty,
        sort=config.sort,
    )
    shares = None
    if coverage.has_profile and not request.is_like_pytest_cov:
        from footfall.analyze.profile.clocks import Clock, default_clock
        from footfall.report.times import load_profile, time_share_by_file

        profile = load_profile(config, config.data_file, config.report_contexts, by_thread=False)
        if profile is not None:
            shares = time_share_by_file(profile, [file.result.path for file in coverage.files])
            options = replace(options, is_wall_time=default_clock(profile) is Clock.WALL)
    return render_table([file.result for file in coverage.files], options, shares)


def _write_annotated(_: Config, coverage: Coverage, where: str | None) -> str:
    from footfall.cli.reports.annotate import write_annotated

    write_annotated(coverage, where)
    return f"Coverage annotated source written {f'to dir {where}' if where else 'next to source'}"


def _write_html(config: Config, coverage: Coverage, where: str | None) -> str:
    from footfall.cli.reports.html import write_html

    directory = where or config.html_directory
    write_html(replace(config, html_directory=directory), coverage, is_quiet=True)
    return f"Coverage HTML written to dir {directory}"


def _write_xml(config: Config, coverage: Coverage, where: str | None) -> str:
    from footfall.cli.reports.xml import xml_text

    path = where or config.xml_output
    write_output(path, xml_text(config, coverage), "XML report", is_quiet=True)
    return f"Coverage XML written to file {path}"


def _write_json(config: Config, coverage: Coverage, where: str | None) -> str:
    from footfall.cli.reports.json import json_parts

    path = where or config.json_output
    write_parts(path, json_parts(config, coverage), "JSON report", is_quiet=True)
    return f"Coverage JSON written to file {path}"


def _markdown(config: Config, coverage: Coverage) -> str:
    options = TableOptions(
        format="markdown",
        precision=config.precision,
        show_missing=config.show_missing,
        skip_covered=config.skip_covered,
        skip_empty=config.skip_empty,
        sort=config.sort,
    )
    return render_table([file.result for file in coverage.files], options)


def _write_markdown(config: Config, coverage: Coverage, where: str | None) -> str:
    path = where or _MARKDOWN_FILE
    write_output(path, _markdown(config, coverage), "Markdown report", is_quiet=True)
    return f"Coverage Markdown information written to file {path}"


def _append_markdown(config: Config, coverage: Coverage, where: str | None) -> str:
    path = where or _MARKDOWN_FILE
    try:
        with open(path, "a", encoding="utf-8", errors="surrogateescape") as file:
            file.write(_markdown(config, coverage))
    except OSError as error:
        raise FootfallError(
            "output-unwritable",
            f"Can't add the Markdown report to {path}: {error.strerror or error}.",
            "Choose another place for it.",
        ) from error
    return f"Coverage Markdown information appended to file {path}"


def _write_lcov(config: Config, coverage: Coverage, where: str | None) -> str:
    from footfall.cli.reports.lcov import lcov_text

    path = where or config.lcov_output
    write_output(path, lcov_text(config, coverage), "LCOV report", is_quiet=True)
    return f"Coverage LCOV written to file {path}"


_WRITERS: dict[str, Callable[[Config, Coverage, str | None], str]] = {
    "annotate": _write_annotated,
    "html": _write_html,
    "xml": _write_xml,
    "json": _write_json,
    "markdown": _write_markdown,
    "markdown-append": _append_markdown,
    "lcov": _write_lcov,
}


def _verdict(total: float, config: Config, is_below: bool) -> list[Line]:
    required = f"{config.fail_under:g}"
    if not is_below:
        return [[(f"Required test coverage of {required}% reached. Total coverage: {total:.2f}%", "good")]]
    why = fail_under_message(total, config.fail_under, config.precision)
    return [
        [(f"FAIL Required test coverage of {required}% not reached. Total coverage: {total:.2f}%", "bad")],
        [(f"ERROR: Coverage failure: {why}", "bad")],
    ]


def _headings() -> list[Line]:
    version = "{}.{}.{}-{}-{}".format(*sys.version_info)
    return [
        [(_rule("=", "tests coverage"), "")],
        [(_rule("_", f"coverage: platform {sys.platform}, python {version}"), "")],
        [],
    ]


def _rule(char: str, title: str) -> str:
    """Put a title in the middle of a line, as in pytest's own headings."""
    width = shutil.get_terminal_size().columns
    if width < 40:
        width = 80
    fill = char * max((width - len(title) - 2) // 2, 1)
    line = f"{fill} {title} {fill}"
    return line + char if len(line) < width else line
