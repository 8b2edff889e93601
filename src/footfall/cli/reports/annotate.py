"""`footfall annotate`: copies of the sources with marks in the margin for what ran."""

from __future__ import annotations

import contextlib
import os

import click

from footfall.cli.reports.report_files import write_output
from footfall.cli.reports.reporting import ReportRequest, exit_status, quiet_option, report_options
from footfall.errors import FootfallError
from footfall.load.gather import Coverage
from footfall.report.coverage.annotate import annotate, flat_name, is_annotated
from footfall.report.words import plural
from footfall.session.output import print_message

__all__ = ["command", "write_annotated"]


@click.command("annotate", epilog="Example:  footfall annotate -d annotated src/shop/cart.py")
@report_options
@click.option("-d", "--directory", metavar="DIR", help="Directory to write to. [default: beside each source]")
@quiet_option
def command(request: ReportRequest, directory: str | None) -> int:
    """Write copies of source files, marked with what ran.

    A copy is named FILE,cover. Lines that ran begin with >, missing lines with !, excluded lines with -.
    """
    config = request.load_config()
    coverage = request.gather(config)
    write_annotated(coverage, directory)
    if not request.quiet:
        where = "beside theirs" if directory is None else f"to {directory}"
        print_message(f"Wrote {plural(len(coverage.files), 'annotated source')} {where}")
    # as in coverage.py, a threshold in the settings is not for a report without percentages
    return 0 if request.fail_under is None else exit_status(config, coverage)


def _check_is_ours(path: str) -> None:
    """Refuse to write through a link or over a file that no earlier report made: the user did not name these files."""
    if not os.path.lexists(path):
        return
    if not os.path.islink(path) and os.path.isfile(path):
        with contextlib.suppress(OSError), open(path, "rb") as file:
            if is_annotated(file.read()):
                return
    raise FootfallError(
        "output-unwritable",
        f"Can't write the annotated source to {path}: there is a file there that is not an annotated source.",
        "Choose another place with -d, or move that file away.",
    )


def write_annotated(coverage: Coverage, directory: str | None) -> None:
    """Write a copy of each file. Raises FootfallError: `output-unwritable`, `no-source`."""
    for file in coverage.files:
        path = file.result.path
        to = path + ",cover" if directory is None else os.path.join(directory, flat_name(file.name))
        _check_is_ours(to)
        write_output(to, annotate(file.read_text(), file.result), "annotated source", is_quiet=True, option="-d")
