"""The `footfall` command: finds the subcommand, prints errors, picks the exit status.

A subcommand's module is imported only when the subcommand is called, so that `footfall report` never pays for `run`.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from typing import Final

import click

from footfall._version import VERSION
from footfall.cli.abbreviated import with_whole_options
from footfall.cli.face import Face
from footfall.cli.lazy_group import LazyGroup
from footfall.errors import EXIT_USAGE, FootfallError
from footfall.printable import printable_lines
from footfall.session.output import flush_streams, prepare_streams, print_message, silence, writing_messages

__all__ = ["main"]

_INTERRUPTED: Final = 130

# name -> (folder of `cli` that its module is in, line for the help)
_COMMANDS: Final = {
    "run": ("measuring", "Run a command and measure it: coverage and a profile."),
    "overhead": ("measuring", "Measure what measuring a command costs."),
    "snapshot": ("measuring", "Write what a run in progress has recorded so far."),
    "attach": ("measuring", "Profile a running process from outside."),
    "top": ("measuring", "Show live where a process or a command spends its time."),
    "dump": ("measuring", "Show the current stacks of a running process."),
    "report": ("reports", "Show coverage and time of each file."),
    "diff": ("reports", "Show what changed between two runs: covered, uncovered, slower, faster."),
    "html": ("reports", "Write an HTML report: coverage, time, flame graph and tests."),
    "gaps": ("reports", "Rank untested code by the time it takes."),
    "tests": ("reports", "List tests by time, or the tests that a change affects."),
    "json": ("reports", "Write coverage and times as JSON."),
    "xml": ("reports", "Write coverage as Cobertura XML."),
    "lcov": ("reports", "Write coverage as LCOV records."),
    "annotate": ("reports", "Write copies of source files, marked with what ran."),
    "flame": ("reports", "Write a flame graph of one run, or of the change between two."),
    "export": ("reports", "Write the profile in the formats of other viewers."),
    "serve": ("service", "Answer an editor's questions, by JSON-RPC on stdin and stdout."),
    "query": ("service", "Answer one question, such as which tests run a line, as JSON."),
    "combine": ("data", "Combine the data files of several runs or machines into one."),
    "lake": ("lake", "Keep the data of many runs as Parquet, and ask about all of them."),
    "push": ("data", "Send the profile to a server: Pyroscope."),
    "erase": ("data", "Remove the data file, kept run directories and caches."),
    "debug": ("data", "Show what footfall sees: system, settings, data or probes."),
    "shim": ("measuring", "Make a `coverage` command and module that run footfall."),
    "resolve": ("measuring", "Make the data file from a run directory that was kept."),
}


# started by other parts of footfall, not by people
_HIDDEN: Final = dict.fromkeys(("pytest-session", "pytest-data"), "footfall.cli.measuring")


class _Commands(LazyGroup):
    """All commands; their long options may be abbreviated, as coverage.py's."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name, command, words = super().resolve_command(ctx, args)
        return name, command, words if command is None else with_whole_options(command, words)


@click.group(
    cls=_Commands,
    modules={name: (f"footfall.cli.{folder}", text) for name, (folder, text) in _COMMANDS.items()},
    hidden=_HIDDEN,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Start with `footfall run pytest -q` or `footfall run script.py`, then `footfall report -m`.",
)
@click.version_option(VERSION, prog_name="footfall")
def _footfall() -> None:
    """What ran and where the time went, from one run of any command that runs Python."""


def main(arguments: Sequence[str] | None = None, *, is_as_coverage: bool = False) -> None:
    """Run the command line and exit: 0, 1 for findings, 2 for usage and --fail-under, 3 for the environment.

    With `is_as_coverage` it replaces the command `coverage`, and coverage.py's defaults apply.
    """
    face = Face(is_as_coverage)
    try:
        prepare_streams()
        result = _run(arguments, face)
    except FootfallError as error:
        print_message(f"footfall: {error}")
        sys.exit(face.error_status(error.exit_code))
    except click.ClickException as error:
        reported = io.StringIO()
        error.show(reported)
        with writing_messages() as stream:
            stream.write(printable_lines(reported.getvalue()))
        sys.exit(face.error_status(EXIT_USAGE))
    except (click.Abort, KeyboardInterrupt):
        sys.exit(_INTERRUPTED)
    except BrokenPipeError:  # the reader of a pipe has gone, which needs no message
        silence(sys.stdout)
        sys.exit(1)
    sys.exit(result if isinstance(result, int) else 0)


def _run(arguments: Sequence[str] | None, face: Face) -> object:
    """Run the subcommand. click prints help itself, to the streams that `flush_streams` flushes."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not words and face.is_as_coverage:  # not an error in coverage.py
        words = ["help"]
    try:
        if words[:1] == ["help"]:  # coverage.py has `help` as a command
            return _show_help([word for word in words[1:] if not word.startswith("-")], face)
        return _call(words, face)
    finally:
        flush_streams()


def _call(words: list[str], face: Face) -> object:
    return _footfall.main(args=words, prog_name=face.name, standalone_mode=False, obj=face)


def _show_help(topics: Sequence[str], face: Face) -> object:
    """Show the help of commands. As in coverage.py, an unknown one is no error for the command in its place."""
    status = None
    for topic in topics or ["help"]:
        if topic == "help":
            status = _call(["--help"], face)
        elif topic == "version" and face.is_as_coverage:
            status = _call(["--version"], face)
        elif face.is_as_coverage and _footfall.get_command(click.Context(_footfall), topic) is None:
            click.echo(f"Don't know topic {topic!r}")
        else:
            status = _call([topic, "--help"], face)
    return status
