"""`footfall run`: measure a command, then work out and show what it did."""

from __future__ import annotations

import os

import click

from footfall.cli.options import config_option, load_config, split_list
from footfall.cli.supervise import end_like, run_command
from footfall.cli.target import command_line, find_interpreter, inspect_interpreter
from footfall.config import Config, check_rate
from footfall.errors import EXIT_ENVIRONMENT, FootfallError, UsageError
from footfall.model import RUN_VARIABLE
from footfall.record.datafile import check_replaceable
from footfall.record.rundir import (
    RunDirectory,
    make_run_directory,
    open_run_directory,
    remove_run_directory,
    settings_from_config,
)

__all__ = ["command"]

_EXAMPLES = """\b
Examples:
  footfall run pytest -q
  footfall run script.py --its-own option
  footfall run -m package.module arguments
  footfall run --source=src --no-branch make test
  footfall run --no-profile --data-file=unit.cov pytest tests/unit
"""


@click.command(
    "run",
    context_settings={"allow_interspersed_args": False, "ignore_unknown_options": False},
    epilog=_EXAMPLES,
)
@click.option("-m", "--module", "is_module", is_flag=True, help="COMMAND is a module, run as by `python -m`.")
@click.option("--source", metavar="SRC1,SRC2,...", help="Directories or packages to measure.")
@click.option("--include", metavar="PAT1,PAT2,...", help="Measure only files that match.")
@click.option("--omit", metavar="PAT1,PAT2,...", help="Don't measure files that match.")
@click.option("--data-file", metavar="FILE", help="Where the results go. [default: .coverage]")
@click.option("--no-branch", is_flag=True, help="Measure lines only.")
@click.option("--no-cover", is_flag=True, help="No coverage, only the profile.")
@click.option("--no-profile", is_flag=True, help="No profile, only coverage.")
@click.option("--rate", type=int, metavar="HZ", help="Samples per second of each process. [default: 1000]")
@click.option("--context", metavar="LABEL", help="A name for this run in the data.")
@click.option("-q", "--quiet", is_flag=True, help="Show nothing but errors.")
@config_option
@click.argument("arguments", metavar="COMMAND [ARGUMENT]...", nargs=-1, type=click.UNPROCESSED)
def command(
    is_module: bool,
    source: str | None,
    include: str | None,
    omit: str | None,
    data_file: str | None,
    no_branch: bool,
    no_cover: bool,
    no_profile: bool,
    rate: int | None,
    context: str | None,
    quiet: bool,
    config_file: str | None,
    arguments: tuple[str, ...],
) -> int:
    """Run COMMAND and measure it: line and branch coverage, and a sampling profile.

    COMMAND is a Python script, -m and a module, or anything that runs Python, at any depth: every Python process that
    it starts is measured, and all results come together in one data file. The command itself runs unchanged; footfall
    ends with its exit status. Scripts (.py) and modules run under the Python that footfall is installed in.
    """
    config = load_config(
        config_file,
        quiet,
        source=split_list(source),
        run_include=split_list(include),
        run_omit=split_list(omit),
        branch=False if no_branch else None,
        profile=False if no_profile else None,
        rate_hz=rate,
        context=context,
    )
    if no_cover and not config.profile:
        raise UsageError("nothing-to-measure", "Neither coverage nor profile is wanted.", "Leave one option out.")
    check_rate(config.rate_hz)
    if config.run_include and (config.source or config.source_pkgs or config.source_dirs) and not quiet:
        click.echo("footfall: --include is ignored because --source is set [include-ignored]", err=True)
    program = command_line(arguments, is_module=is_module)
    if data_file is not None:
        _check_writable(data_file)
    check_replaceable(data_file or config.data_file)
    directory = make_run_directory(settings_from_config(config, cover=not no_cover))
    environment = {**os.environ, RUN_VARIABLE: str(directory.path)}
    try:
        status = run_command(program, environment)
    except FootfallError:
        remove_run_directory(directory)
        raise
    return _finish(directory, config, program, status, data_file, quiet)


def _check_writable(data_file: str) -> None:
    """Say before a long run, not after it, that its results can't be written where they were asked for."""
    path = os.path.abspath(data_file)
    probe = f"{path}.{os.getpid()}.try"
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        os.close(os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
        os.unlink(probe)
    except OSError as error:
        raise FootfallError(
            "data-unwritable",
            f"Can't write the data file {data_file}: {error.strerror or error}.",
            "Choose another place with --data-file.",
        ) from error


def _finish(
    directory: RunDirectory, config: Config, program: list[str], status: int, data_file: str | None, quiet: bool
) -> int:
    """Make the results of a command that ended with `status`; return the exit status, or die of its signal."""
    if not directory.has_records():
        click.echo(f"footfall: {_why_nothing(program)}", err=True)
        remove_run_directory(directory)
        return end_like(status)
    chosen = data_file or config.data_file
    if data_file is None and directory.is_temporary:
        chosen = str(directory.path / os.path.basename(config.data_file))
        click.echo(
            f"footfall: Can't write here ({directory.why_temporary}): the data is in {chosen}."
            f" Look at it with `footfall report --data-file={chosen}`. [data-elsewhere]",
            err=True,
        )
    from footfall.cli.finish import finish_run  # imported when it is needed: the command need not wait for it

    try:
        _, settings = open_run_directory(directory.path)
        finish_run(directory, settings, config, chosen, is_quiet=quiet)
    except FootfallError as error:
        click.echo(f"footfall: {error}", err=True)
        return end_like(status or EXIT_ENVIRONMENT)
    return end_like(status)


def _why_nothing(program: list[str]) -> FootfallError:
    """Say why a command left no record, as far as its interpreter tells."""
    path = find_interpreter(program)
    what = f"Nothing was recorded of {program[0]}:"
    if path is None:
        return FootfallError(
            "nothing-recorded",
            f"{what} it ran no Python, or a Python without footfall.",
            "Install footfall in the environment whose Python it runs: PYTHON -m pip install footfall.",
        )
    found = inspect_interpreter(path, {key: value for key, value in os.environ.items() if key != RUN_VARIABLE})
    if not found.is_supported and found.version is not None:
        version = ".".join(map(str, found.version))
        return FootfallError(
            "python-unsupported",
            f"{what} {path} is Python {version}, and footfall measures 3.11 to 3.15.",
            "Run it with one of these.",
        )
    if not found.has_footfall:
        return FootfallError(
            "no-footfall-there", f"{what} {path} has no footfall.", f"Install it: {path} -m pip install footfall."
        )
    return FootfallError(
        "nothing-recorded",
        f"{what} {path} has footfall, but its start hook did not run.",
        "Options like -S, -I or -E and a changed environment keep site-packages' start hooks from running.",
    )
