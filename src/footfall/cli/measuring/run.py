"""`footfall run`: measure a command, then compute and show what it did."""

from __future__ import annotations

import functools
import os
import shlex
import signal
from collections.abc import Callable
from typing import Any

import click

from footfall.cli.accepted import accepted_options, note_option
from footfall.cli.face import current_face
from footfall.cli.options import FiniteRange, config_option, load_config, split_list
from footfall.config.configuration import Config, check_concurrency, check_sampling
from footfall.config.reading import read_config
from footfall.errors import FootfallError, UsageError
from footfall.record.data.parallel_files import make_parallel_name
from footfall.session.measure import measure
from footfall.session.output import warn
from footfall.session.running.supervise import end_like
from footfall.session.target import command_line

__all__ = ["command"]

_EXAMPLES = """\b
Examples:
  footfall run pytest -q
  footfall run script.py --its-own option
  footfall run -m package.module arguments
  footfall run --source=src --no-branch make test
  footfall run --no-profile --data-file=unit.cov pytest tests/unit
  footfall run --async server.py                join the stacks of asyncio tasks to those that await them
  footfall run --duration 60 server.py          end it after a minute (`footfall snapshot` does not end it)
  footfall run --every 60 server.py             `footfall report` in another terminal is never older than a minute
  footfall run -a pytest tests/more             add to .coverage
  footfall run -p pytest tests/unit             write .coverage.HOST.pidN.Xabcdefx, for `footfall combine`
"""


def _gather_settings(function: Callable[..., int]) -> Callable[..., int]:
    """Collect the options that override settings in `given`, by their names in Config; None means unset."""

    @functools.wraps(function)
    def command(
        *,
        source: str | None,
        include: str | None,
        omit: str | None,
        branch: bool | None,
        no_profile: bool,
        rate: int | None,
        precise: bool,
        native: bool,
        with_tasks: bool,
        context: str | None,
        parallel_mode: bool | None,
        **others: Any,
    ) -> int:
        given: dict[str, object] = {
            "source": split_list(source),
            "run_include": split_list(include),
            "run_omit": split_list(omit),
            "branch": branch,
            "profile": False if no_profile else None,
            "rate_hz": rate,
            "precise": precise or None,
            "native": native or None,
            "with_tasks": with_tasks or None,
            "context": context,
            "parallel": parallel_mode,
        }
        return function(given=given, **others)

    return command


def _refuse_code(_context: click.Context, _option: click.Parameter, is_given: bool) -> None:
    """Raise UsageError (`no-command`) for Python's option -c, which users of -m may try."""
    if is_given:
        raise UsageError("no-command", "-c is an option of Python.", "Name it as well: footfall run python -c CODE.")


@click.command(
    "run",
    context_settings={"allow_interspersed_args": False, "ignore_unknown_options": False},
    epilog=_EXAMPLES,
)
@click.option("-m", "--module", "is_module", is_flag=True, help="COMMAND is a module, run as by `python -m`.")
@click.option("--source", metavar="SRC1,SRC2,...", help="Directories or packages to measure.")
@click.option("--include", metavar="PAT1,PAT2,...", help="Measure only files that match.")
@click.option("--omit", metavar="PAT1,PAT2,...", help="Don't measure files that match.")
@click.option("--data-file", metavar="FILE", help="File to write the results to. [default: .coverage]")
@click.option(
    "--branch/--no-branch",
    default=None,
    help="Measure branches, or only lines. [default: branches, or what settings for coverage.py say]",
)
@click.option("--no-cover", is_flag=True, help="Record only the profile, no coverage.")
@click.option("--no-profile", is_flag=True, help="Record only coverage, no profile.")
@click.option(
    "--rate",
    type=int,
    metavar="HZ",
    help="Samples per second and process. [default: 1000, or fewer, down to 100, to use at most 1% of its CPU time]",
)
@click.option(
    "--precise",
    is_flag=True,
    help="Interrupt threads by a signal for each sample, which makes samples exact to the instruction.",
)
@click.option(
    "--native",
    is_flag=True,
    help="Also see the C functions of the program's extension modules, in flame graphs and exports; implies --precise"
    " (CPython 3.12+ on x86-64).",
)
@click.option(
    "--async",
    "with_tasks",
    is_flag=True,
    help="Join the stack of an asyncio task to those of the tasks that await it; count waiting tasks (CPython 3.12+).",
)
@click.option(
    "--duration",
    type=FiniteRange(min=0, min_open=True),
    metavar="SECONDS",
    help="End the command (SIGTERM) after this time; the exit status is then 0.",
)
@click.option("--max-samples", type=click.IntRange(min=1), metavar="N", help="End the command after this many samples.")
@click.option(
    "--every",
    type=FiniteRange(min=0.1),
    metavar="SECONDS",
    help="Write the data file at this interval with the results so far, so that reports can be made while it runs.",
)
@click.option("--context", metavar="LABEL", help="Label for this run in the data file.")
@click.option("-a", "--append", is_flag=True, help="Add to the data file instead of replacing it.")
@click.option(
    "-p",
    "--parallel-mode",
    is_flag=True,
    default=None,
    help="Write a data file with a unique name, for `footfall combine`.",
)
@click.option("-q", "--quiet", is_flag=True, help="Show no summary, only errors and what the numbers lack.")
@config_option
@click.option(
    "--save-signal",
    type=click.Choice(["USR1", "USR2"]),
    hidden=True,  # coverage.py's option: the record is always up to date, so the signal only must not kill the process
)
@click.option("--concurrency", metavar="LIBS", hidden=True, callback=note_option)
@accepted_options("--timid", "--pylib", "--debug")
@click.option("-c", is_flag=True, hidden=True, expose_value=False, callback=_refuse_code)
@click.argument("arguments", metavar="COMMAND [ARGUMENT]...", nargs=-1, type=click.UNPROCESSED)
@_gather_settings
def command(
    given: dict[str, object],
    is_module: bool,
    data_file: str | None,
    no_cover: bool,
    duration: float | None,
    max_samples: int | None,
    every: float | None,
    append: bool,
    quiet: bool,
    config_file: str | None,
    save_signal: str | None,
    concurrency: str | None,
    arguments: tuple[str, ...],
) -> int:
    """Run COMMAND and measure it: line and branch coverage, and a sampling profile.

    COMMAND is a Python script, `-m` and a module, or any other command that runs Python. Every Python process that it
    starts, directly or not, is measured, and all results go into one data file. The command itself runs unchanged.
    footfall exits with the command's status, or with 3 if the command succeeded but nothing was recorded. Modules, .py
    files, and Python files that are not executable run under the Python that footfall is installed in.
    """
    config = load_config(config_file, quiet, **given)
    _check(config, no_cover, append, concurrency, max_samples)
    if every is not None and append:
        text = "With --append the data file keeps what it has until the command ends, so --every can't write it."
        raise UsageError("append-every", text, "Use `footfall snapshot --every` beside the run.")
    if not quiet:
        _warn(config)
    if save_signal is not None and not hasattr(signal, f"SIG{save_signal}"):
        what = f"--save-signal={save_signal}: this system has no such signal."
        raise FootfallError("not-on-this-system", what, "Leave it out: the record is always up to date.")
    program = _program(config, arguments, is_module)
    data_file = _choose_data_file(config, data_file, append)
    face = current_face()
    done = measure(
        program,
        config,
        cover=not no_cover,
        data_file=data_file,
        append=append,
        is_quiet=quiet,
        wants_summary=lambda _status: not face.is_as_coverage,
        ignored_signal=None if save_signal is None else signal.Signals[f"SIG{save_signal}"],
        max_seconds=duration,
        max_samples=max_samples,
        snapshot_seconds=every,
        config_file=config_file,
        environment={"COVERAGE_RUN": "true"},  # programs check this to detect coverage.py's `run`
    )
    return end_like(done.status)


def _check(config: Config, no_cover: bool, append: bool, concurrency: str | None, max_samples: int | None) -> None:
    """Raise UsageError: `nothing-to-measure`, `no-samples`, `append-parallel`, or what the checks it calls raise."""
    if no_cover and not config.profile:
        raise UsageError(
            "nothing-to-measure",
            "--no-cover and --no-profile together leave nothing to measure.",
            "Leave one of them out.",
        )
    if max_samples is not None and not config.profile:
        text = "--max-samples counts samples, and without a profile there are none."
        raise UsageError("no-samples", text, "Use --duration SECONDS.")
    check_sampling(config)
    if concurrency:
        config.without_effect["run:concurrency"] = concurrency.split(",")
        check_concurrency(config.concurrency)
    if append and config.parallel:
        raise UsageError(
            "append-parallel",
            "Data can't be added to a data file in parallel mode, which makes a new one each time.",
            "Leave out --append, and join the files with `footfall combine`.",
        )


def _warn(config: Config) -> None:
    """Warn about settings that have no effect."""
    if config.run_include and (config.source or config.source_pkgs or config.source_dirs):
        warn([("include-ignored", "--include is ignored because --source is set")], config.disable_warnings)


def _choose_data_file(config: Config, data_file: str | None, append: bool) -> str | None:
    """Return where results go: `data_file`, or in parallel mode a name to combine, which may go into `config` instead.

    Where coverage.py writes separate files for child processes, scripts go on to call `combine`, so this writes such a
    file too. With `append`, the previous contents of the data file become that file.
    """
    if not (config.parallel or "multiprocessing" in config.concurrency or _children_leave_files()):
        return data_file
    before = data_file or config.data_file
    name = make_parallel_name(before)
    if append and os.path.exists(before):
        os.replace(before, name)
    config.parallel = True
    if data_file is not None:
        return name
    config.data_file = name
    return None


def _children_leave_files() -> bool:
    """Return whether coverage.py, started in each process by COVERAGE_PROCESS_START, would write separate files."""
    name = os.environ.get("COVERAGE_PROCESS_START")
    try:
        return bool(name) and read_config(name).parallel
    except UsageError:
        return False  # the file is for coverage.py, and nobody asked footfall to read it


def _program(config: Config, arguments: tuple[str, ...], is_module: bool) -> list[str]:
    """Return what to run: the arguments, or else `[run] command_line`. Raises as `command_line`."""
    if not arguments and not is_module and config.command_line:
        arguments, is_module = _configured_command(config.command_line)
    return command_line(arguments, is_module=is_module)


def _configured_command(text: str) -> tuple[tuple[str, ...], bool]:
    """Return the words of `[run] command_line`, and whether they begin with a module's name."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise UsageError(
            "bad-command-line", f"Can't split [run] command_line: {error}.", "Quote it as in a shell."
        ) from error
    is_module = words[:1] in (["-m"], ["--module"])
    return tuple(words[1:] if is_module else words), is_module
