"""What all report commands share: their options, what they begin with, and the exit status for a low total."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import click

from footfall.analyze.numbers import fail_under_message, should_fail_under
from footfall.cli.options import config_option, data_file_option, warn
from footfall.config import Config
from footfall.errors import EXIT_USAGE
from footfall.report.gather import Coverage, gather

__all__ = ["contexts_option", "exit_status", "gather_report", "output_options", "report_options"]

_Command = TypeVar("_Command", bound=Callable[..., object])


def report_options(function: _Command) -> _Command:
    """Add what every coverage report takes."""
    for decorate in (
        click.argument("files", nargs=-1, metavar="[FILE]..."),
        click.option(
            "--fail-under", type=float, metavar="MIN", help="Exit with 2 when the total is less than MIN per cent."
        ),
        click.option("-i", "--ignore-errors", is_flag=True, help="Leave out files that can't be read."),
        click.option("--omit", metavar="PAT1,PAT2,...", help="Leave out files that match."),
        click.option("--include", metavar="PAT1,PAT2,...", help="Report only files that match."),
        config_option,
        data_file_option,
    ):
        function = decorate(function)
    return function


def output_options(default: str) -> Callable[[_Command], _Command]:
    """Add -o and -q, of reports that are written to a file."""

    def decorate(function: _Command) -> _Command:
        function = click.option("-q", "--quiet", is_flag=True, help="Don't say what was written.")(function)
        help = f"Where to write; - is stdout. [default: {default}]"
        return click.option("-o", "output", metavar="FILE", help=help)(function)

    return decorate


def contexts_option(function: _Command) -> _Command:
    """Add --contexts."""
    return click.option(
        "--contexts",
        metavar="REGEX1,REGEX2,...",
        help="Count only what ran in contexts that one of these regular expressions finds.",
    )(function)


def gather_report(
    config: Config, files: Sequence[str], *, ignore_errors: bool, contexts: Sequence[str] = ()
) -> Coverage:
    """Do what every report begins with, and print the warnings."""
    coverage = gather(config, config.data_file, ignore_errors=ignore_errors, contexts=contexts, paths=files)
    warn(coverage.warnings, config.disable_warnings)
    return coverage


def exit_status(config: Config, total: float) -> int:
    """Return 0, or 2 with a message on stdout, as coverage.py has it, when the total percentage is too low."""
    if not should_fail_under(total, config.fail_under, config.precision):
        return 0
    click.echo(f"Coverage failure: {fail_under_message(total, config.fail_under, config.precision)}")
    return EXIT_USAGE
