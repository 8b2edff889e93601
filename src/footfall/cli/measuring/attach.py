"""`footfall attach`: profile a running process until Ctrl-C, a limit, or the end of the process."""

from __future__ import annotations

import os
import sys
import time

import click

from footfall.cli.options import FiniteRange, config_option, load_config, process_argument
from footfall.config.configuration import DEFAULT_RATE_HZ, check_rate
from footfall.errors import FootfallError, UsageError
from footfall.pythons import KNOWN_VERSIONS
from footfall.record.data.data_file import check_replaceable, check_writable
from footfall.tier import HAS_CORE, WHY_PURE

__all__ = ["MAX_CPU_PPM", "check_can_attach", "command"]

MAX_CPU_PPM = 5000
"""The share of a process's CPU time, in millionths, that sampling may take if no rate was given."""
_HELP = f"""Profile the running process PID until Ctrl-C, a limit or its end, then write a data file and a summary.

The process may be any CPython {KNOWN_VERSIONS}, also of another version than footfall's own; footfall need not be
installed there. Without --pause and --inject it is neither stopped nor changed: its memory is read from outside, which
needs the same user, and on some systems more rights (an error message says which).
"""
_EXAMPLES = """\b
Examples:
  footfall attach 1234                    until Ctrl-C, or the process ends
  footfall attach 1234 -d 30 -o slow.data
  footfall attach --children $(pgrep -o gunicorn) -d 60
  footfall attach 1234 --inject           run the sampler inside the process, as `footfall run` does
  footfall attach 1234 --async            join the stacks of asyncio tasks to those that await them
"""


def check_can_attach() -> None:
    """Raise FootfallError (`attach-needs-cpython`, `core-missing`) if footfall itself has no C core."""
    if sys.implementation.name != "cpython":
        raise FootfallError(
            "attach-needs-cpython",
            f"Reading another process's stacks needs footfall under CPython; this is {sys.implementation.name}.",
            f"Install footfall in a CPython environment; the process may run any of {KNOWN_VERSIONS}.",
        )
    if not HAS_CORE:
        raise FootfallError(
            "core-missing",
            f"Reading another process's stacks needs footfall's C core: {WHY_PURE}.",
            "Install footfall where a C compiler is.",
        )


@click.command("attach", help=_HELP, epilog=_EXAMPLES)
@process_argument
@click.option(
    "-d", "--duration", type=FiniteRange(min=0, min_open=True), metavar="SECONDS", help="Stop after this time."
)
@click.option("--max-samples", type=click.IntRange(min=1), metavar="N", help="Stop after this many samples.")
@click.option(
    "--rate",
    type=int,
    metavar="HZ",
    help="Samples per second. [default: 1000, or fewer, down to 100, to use at most 0.5% of the process's CPU time]",
)
@click.option("-o", "--data-file", metavar="FILE", help="File to write the profile to. [default: attach-PID.coverage]")
@click.option("--children", is_flag=True, help="Include its child processes, and those that it starts later.")
@click.option(
    "--async",
    "with_tasks",
    is_flag=True,
    help="Join the stack of an asyncio task to those of the tasks that await it; count waiting tasks (CPython 3.12+).",
)
@click.option(
    "--pause", is_flag=True, help="Stop the process's threads for each sample: exact, but slows the process down."
)
@click.option(
    "--inject",
    is_flag=True,
    help="Run the sampler inside the process (CPython 3.14+; footfall must run on the same minor version).",
)
@click.option("-q", "--quiet", is_flag=True, help="Show nothing but errors.")
@config_option
def command(
    pid: int,
    duration: float | None,
    max_samples: int | None,
    rate: int | None,
    data_file: str | None,
    children: bool,
    with_tasks: bool,
    pause: bool,
    inject: bool,
    quiet: bool,
    config_file: str | None,
) -> int:
    """Profile a running process."""
    check_can_attach()
    from footfall.session.attach_recording import AttachLimits, record  # needs the C core

    config = load_config(config_file, quiet, rate_hz=rate)
    check_rate(config.rate_hz)
    if inject and (children or pause):
        other = "--children" if children else "--pause"
        raise UsageError(
            "inject-alone",
            f"--inject can't be combined with {other}: it puts the sampler into one process.",
            f"Leave out --inject to have {other}.",
        )
    if pid == os.getpid():
        raise UsageError("no-such-process", f"Process {pid} is this footfall itself.", "Name another process.")
    chosen = data_file or f"attach-{pid}.coverage"
    check_writable(chosen)
    check_replaceable(chosen)
    limits = AttachLimits(
        until=None if duration is None else time.monotonic() + duration,
        max_samples=max_samples,
        interval_ns=1_000_000_000 // (config.rate_hz or DEFAULT_RATE_HZ),
        max_cpu_ppm=MAX_CPU_PPM if config.rate_hz is None else 0,
        children=children,
        pause=pause,
        with_tasks=with_tasks,
        inject=inject,
    )
    return record(pid, limits, config, chosen, is_quiet=quiet)
