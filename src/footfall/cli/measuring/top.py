"""`footfall top`: a live screen of what a running process or a command is doing."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shlex
import shutil
import sys
import tempfile
from typing import IO

import click

from footfall.cli.measuring.attach import MAX_CPU_PPM, check_can_attach
from footfall.cli.options import config_option, load_config
from footfall.config.configuration import DEFAULT_RATE_HZ, check_rate
from footfall.errors import FootfallError, UsageError
from footfall.model import RUN_VARIABLE
from footfall.record.run.directory import make_run_directory, remove_run_directory, settings_from_config
from footfall.session.target import command_line

__all__ = ["command"]

_EXAMPLES = """\b
Examples:
  footfall top 1234
  footfall top --children 1234
  footfall top script.py --its-own option
"""


@click.command(
    "top",
    context_settings={"allow_interspersed_args": False},
    epilog=_EXAMPLES,
)
@click.option(
    "--rate",
    type=int,
    metavar="HZ",
    help="Samples per second. [default: 1000, or fewer, down to 100]",
)
@click.option("--children", is_flag=True, help="With PID: include its child processes, and theirs.")
@click.option("-m", "--module", "is_module", is_flag=True, help="COMMAND is a module, run as by `python -m`.")
@config_option
@click.argument("arguments", metavar="PID | COMMAND [ARGUMENT]...", nargs=-1, type=click.UNPROCESSED)
def command(
    rate: int | None, children: bool, is_module: bool, config_file: str | None, arguments: tuple[str, ...]
) -> int:
    """Show live where the process PID, or a COMMAND to start, spends its time: by function or by line.

    Keys: s own or total time, l lines or functions, c clock, t thread, a asyncio tasks, p pause, / search, r reset,
    q quit.
    A command's output is shown when the screen is left; leaving it ends the command.
    """
    check_can_attach()
    if importlib.util.find_spec("textual") is None:
        path = shlex.quote(sys.executable)
        has_pip = importlib.util.find_spec("pip") is not None  # environments made by uv have none
        command = f"{path} -m pip install textual" if has_pip else f"uv pip install --python {path} textual"
        raise FootfallError("top-needs-textual", "The live screen needs the library textual.", f"Install it: {command}")
    if not all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout)):
        raise UsageError(
            "not-a-terminal", "The live screen needs a terminal.", "Record with `footfall attach` or `footfall run`."
        )
    config = load_config(config_file, rate_hz=rate)
    check_rate(config.rate_hz)
    is_pid = len(arguments) == 1 and arguments[0].isdigit() and not is_module
    program = [] if is_pid else command_line(arguments, is_module=is_module, called="top")
    directory = make_run_directory(settings_from_config(config, cover=False))
    try:
        with tempfile.TemporaryFile() as output:
            _show(program, int(arguments[0]) if is_pid else 0, config.rate_hz, children, str(directory.path), output)
    finally:
        remove_run_directory(directory)
    return 0


def _show(program: list[str], pid: int, rate_hz: int | None, children: bool, directory: str, output: IO[bytes]) -> None:
    from footfall.attach.recording import SampleOptions
    from footfall.live.model import LiveModel  # these need the C core and textual
    from footfall.live.screen import TopApp
    from footfall.live.source import CommandSource, ProcessSource
    from footfall.live.tasks import task_lines

    model = LiveModel()
    source: ProcessSource | CommandSource
    if program:
        source = CommandSource(program, {**os.environ, RUN_VARIABLE: directory}, directory, output, model)
        title = " ".join(program)
    else:
        interval_ns = 1_000_000_000 // (rate_hz or DEFAULT_RATE_HZ)
        options = SampleOptions(interval_ns, MAX_CPU_PPM if rate_hz is None else 0)
        source = ProcessSource(pid, directory, options, model, children=children)
        title = f"process {pid}"
    try:
        TopApp(model, title, source.poll, read_tasks=lambda: task_lines(source.pids())).run()
    finally:
        source.close()
        output.seek(0)
        with contextlib.suppress(OSError):
            shutil.copyfileobj(output, sys.stdout.buffer)
            sys.stdout.flush()
