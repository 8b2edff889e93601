"""What all report commands share: their options, their first steps, and the exit status for a low total."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

import click

from footfall.analyze.totals import fail_under_message, should_fail_under
from footfall.cli.accepted import accepted_options
from footfall.cli.face import current_face
from footfall.cli.options import config_option, data_file_option, load_config, split_list
from footfall.config.configuration import Config
from footfall.errors import EXIT_USAGE
from footfall.load.gather import Coverage, gather, profile_alone
from footfall.load.known_numbers import KnownNumbers
from footfall.printable import printable
from footfall.report.words import plural
from footfall.session.combining import combine_before_report
from footfall.session.output import show, warn

if TYPE_CHECKING:
    from footfall.analyze.profile.calltree import Profile  # half of all import time, needed only by some reports

__all__ = [
    "ReportRequest",
    "contexts_option",
    "exit_status",
    "output_options",
    "quiet_option",
    "report_options",
    "warn_times_alone",
    "times_exit_status",
    "warn_of_profile",
    "whole_exit_status",
]

_Command = TypeVar("_Command", bound=Callable[..., object])
_Rest = ParamSpec("_Rest")


@dataclass(frozen=True, slots=True)
class ReportRequest:
    """The values of the options that all reports share. Texts are as given; None means not given."""

    files: tuple[str, ...]
    data_file: str | None
    config_file: str | None
    include: str | None
    omit: str | None
    ignore_errors: bool
    fail_under: float | None
    contexts: str | None
    keep_combined: bool
    quiet: bool
    """Set only by reports that have --quiet."""

    @property
    def chooses_files(self) -> bool:
        """Whether the command line names files or file patterns."""
        return bool(self.files) or self.include is not None or self.omit is not None

    def load_config(self, **given: Any) -> Config:
        """Read the configuration and override its values with these options and those that only this report has."""
        return load_config(
            self.config_file,
            data_file=self.data_file,
            report_include=split_list(self.include),
            report_omit=split_list(self.omit),
            report_contexts=split_list(self.contexts),
            fail_under=self.fail_under,
            **given,
        )

    def gather(
        self,
        config: Config,
        *,
        all_contexts: bool = False,
        needs_coverage: bool = True,
        leaves_changed_out: bool = False,
        numbers_only: bool = False,
    ) -> Coverage:
        """Do the first steps of every report, and print the warnings. The arguments are those of `gather`.

        A report that `leaves_changed_out` gives no numbers for files that changed since; others warn about them.
        One that shows `numbers_only` has the others as numbers alone where these are known from before.
        """
        combine_before_report(
            config, keep=self.keep_combined, is_quiet=self.quiet, as_coverage=current_face().is_as_coverage
        )
        with KnownNumbers(config.data_file) if numbers_only else contextlib.nullcontext() as known:
            coverage = gather(
                config,
                config.data_file,
                ignore_errors=self.ignore_errors,
                contexts=() if all_contexts else config.report_contexts,
                paths=self.files,
                needs_coverage=needs_coverage,
                known=known,
            )
        if not leaves_changed_out:
            coverage.warnings += _note_on_changed(coverage.changed)
        warn(coverage.warnings, config.disable_warnings)
        return coverage


def _note_on_changed(names: Sequence[str]) -> list[tuple[str, str]]:
    """Return the warning for files that changed since they were measured, if there are any."""
    if not names:
        return []
    others = f" and {plural(len(names) - 1, 'more file')}" if len(names) > 1 else ""
    is_or_are = "are" if others else "is"
    text = f"{names[0]}{others} {is_or_are} not as measured: numbers of changed lines mean nothing. Run again."
    return [("source-newer", text)]


def report_options(function: Callable[Concatenate[ReportRequest, _Rest], int]) -> Callable[..., int]:
    """Add the options of every coverage report. The function gets them as a ReportRequest, its own options by name."""

    @functools.wraps(function)
    def command(*args: _Rest.args, **given: _Rest.kwargs) -> int:
        given.setdefault("quiet", False)
        values: dict[str, Any] = {each.name: given.pop(each.name, None) for each in fields(ReportRequest)}
        return function(ReportRequest(**values), *args, **given)

    decorated: Callable[..., int] = command
    for decorate in (
        click.argument("files", nargs=-1, metavar="[FILE]..."),
        click.option(
            "--fail-under", type=float, metavar="MIN", help="Exit with 2 when the total is less than MIN per cent."
        ),
        click.option(
            "--keep-combined", is_flag=True, help="Keep the files of parallel mode, which are combined first."
        ),
        click.option("-i", "--ignore-errors", is_flag=True, help="Leave out files that can't be read."),
        click.option("--omit", metavar="PAT1,PAT2,...", help="Leave out files that match."),
        click.option("--include", metavar="PAT1,PAT2,...", help="Report only files that match."),
        config_option,
        data_file_option,
        accepted_options("--debug"),
    ):
        decorated = decorate(decorated)
    return decorated


def output_options(default: str) -> Callable[[_Command], _Command]:
    """Add -o and -q, for reports that are written to a file."""

    def decorate(function: _Command) -> _Command:
        function = quiet_option(function)
        help = f"File to write; - is stdout. [default: {default}]"
        return click.option("-o", "output", metavar="FILE", help=help)(function)

    return decorate


def quiet_option(function: _Command) -> _Command:
    """Add -q, which goes into the ReportRequest. Warnings are still printed."""
    return click.option("-q", "--quiet", is_flag=True, help="Don't report what was written or combined.")(function)


def contexts_option(function: _Command) -> _Command:
    """Add --contexts."""
    return click.option(
        "--contexts",
        metavar="REGEX1,REGEX2,...",
        help="Count only what ran in contexts that match one of these regular expressions.",
    )(function)


def warn_of_profile(config: Config, data_file: str, profile: Profile) -> None:
    """Repeat what qualifies the profile of a file, for reports of times only. Raises as `open_data_file`."""
    from footfall.report.times import profile_warnings  # loaded by then, as there is a profile

    warn(profile_warnings(data_file, profile), config.disable_warnings)


def warn_times_alone(config: Config) -> None:
    """Say why a report that shows times has no coverage."""
    warn([("no-coverage", f"{profile_alone(config.data_file)} Times are shown.")], config.disable_warnings)


def times_exit_status(config: Config) -> int:
    """Return 0, or 2 with a message on stdout if a threshold is set: data without coverage does not reach it."""
    if not config.fail_under and not config.fail_under_files and not config.ratchet:
        return 0
    threshold = f", fail-under is {config.fail_under:g}" if config.fail_under else ""
    show(f"Coverage failure: there is no coverage in {config.data_file}{threshold}")
    return EXIT_USAGE


def exit_status(config: Config, coverage: Coverage) -> int:
    """Return 0, or 2 with a message on stdout, as in coverage.py, if the total percentage is too low.

    With files that can't be read, the total is not known, so it reaches no threshold.
    """
    return _exit_status(config, coverage, coverage.total.pc_covered)


def _exit_status(config: Config, coverage: Coverage, total: float) -> int:
    if coverage.unreadable and config.fail_under:
        what = plural(len(coverage.unreadable), "file")
        show(f"Coverage failure: {what} can't be read, fail-under is {config.fail_under:g}. See --ignore-errors.")
        return EXIT_USAGE
    failures = []
    if should_fail_under(total, config.fail_under, config.precision):
        failures.append(fail_under_message(total, config.fail_under, config.precision))
    if config.fail_under_files or config.ratchet:
        from footfall.cli.reports.thresholds import missed  # needed only with thresholds

        failures += missed(config, coverage)
    for failure in failures:
        show(f"Coverage failure: {printable(failure)}")
    return EXIT_USAGE if failures else 0


def whole_exit_status(config: Config, coverage: Coverage) -> int:
    """Like `exit_status`; as in coverage.py, a report without anything to cover fails any threshold."""
    numbers = coverage.total
    return _exit_status(config, coverage, numbers.pc_covered if numbers.n_statements else 0)
