"""`footfall overhead`: what each way of measuring a command costs."""

from __future__ import annotations

import os
import shlex

import click

from footfall.cli.options import config_option, load_config
from footfall.cli.reports.report_files import write_output
from footfall.errors import FootfallError
from footfall.report.jsontext import render_json
from footfall.report.overhead import CostSample, CostTable, overhead_report, overhead_svg, render_overhead
from footfall.session.overhead import Overhead, measure_overhead
from footfall.session.target import command_line
from footfall.session.terminal import print_lines, progress_bar

__all__ = ["command"]

_INDENT = 4
_EXAMPLES = """\b
Examples:
  footfall overhead pytest -q
  footfall overhead --rounds 11 -- pytest -q tests/unit
  footfall overhead -m package.module arguments
  footfall overhead --json script.py > overhead.json
  footfall overhead --plot overhead.svg pytest -q
"""


@click.command(
    "overhead",
    context_settings={"allow_interspersed_args": False, "ignore_unknown_options": False},
    epilog=_EXAMPLES,
)
@click.option("-m", "--module", "is_module", is_flag=True, help="COMMAND is a module, run as by `python -m`.")
@click.option("--rounds", type=click.IntRange(min=1), default=5, show_default=True, help="Number of runs of each mode.")
@click.option("--no-pin", is_flag=True, help="Let the system choose the cores. [default: all on one core]")
@click.option(
    "--ignore-status", is_flag=True, help="Accept a command that fails, if it fails with the same status in all modes."
)
@click.option("--json", "is_json", is_flag=True, help="Write JSON.")
@click.option("--plot", metavar="FILE", help="Write a plot of the CPU times to FILE, as SVG.")
@click.option("-q", "--quiet", is_flag=True, help="Show no progress bar and no warnings.")
@config_option
@click.argument("arguments", metavar="COMMAND [ARGUMENT]...", nargs=-1, type=click.UNPROCESSED)
def command(
    is_module: bool,
    rounds: int,
    no_pin: bool,
    ignore_status: bool,
    is_json: bool,
    plot: str | None,
    quiet: bool,
    config_file: str | None,
    arguments: tuple[str, ...],
) -> int:
    """Measure what it costs to measure COMMAND: bare, lines, branches, profile, all of these, and coverage.py.

    The command runs in each of these modes in turn, with empty standard input, and its output is dropped. CPU time is
    that of the command and of the processes that it waited for; what footfall does after the command has ended is
    counted separately (Results). coverage.py runs with --branch, if the command's Python has it. Nothing is written
    except what you ask for: no data file, no cache.
    """
    if not hasattr(os, "wait4"):
        what = "`footfall overhead` needs the CPU time of ended processes, which this system does not tell."
        raise FootfallError("not-on-this-system", what, "Run it on Linux; the ratios are about the same.")
    config = load_config(config_file, quiet)
    program = command_line(arguments, is_module=is_module, called="overhead")
    if plot is not None:
        _check_folder(plot)
    with progress_bar("Running the command", is_quiet=quiet) as progress:
        found = measure_overhead(
            program, config, rounds=rounds, is_pinned=not no_pin, may_fail=ignore_status, progress=progress
        )
    table = _table_of(found, shlex.join(program))
    if plot is not None:
        write_output(plot, overhead_svg(table), "plot")
    if is_json:
        write_output("-", render_json(overhead_report(table), indent=_INDENT) + "\n", "overhead")
    else:
        print_lines(render_overhead(table), is_report=True)
    return 0


def _check_folder(plot: str) -> None:
    """Raise before the long run, not after it, if the plot's folder does not exist."""
    folder = os.path.dirname(plot) or "."
    if not os.path.isdir(folder):
        raise click.BadParameter(f"there is no folder {folder!r}.", param_hint="'--plot'")


def _table_of(found: Overhead, shown_command: str) -> CostTable:
    modes = {
        name: [CostSample(*sample.command, *sample.results) for sample in samples]
        for name, samples in found.samples.items()
    }
    return CostTable(shown_command, modes, found.cpu, found.coverage_version, found.notes)
