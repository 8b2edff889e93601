"""`footfall dump`: show the current stacks of a running process."""

from __future__ import annotations

import click

from footfall.cli.measuring.attach import check_can_attach
from footfall.cli.options import process_argument
from footfall.errors import FootfallError
from footfall.session.output import print_message, show
from footfall.session.terminal import print_lines

__all__ = ["command"]


_EXAMPLES = """\b
Examples:
  footfall dump 1234
  footfall dump 1234 --async              with asyncio tasks, each above those that it awaits
  footfall dump --children --json 1234 > stacks.json
"""


@click.command("dump", epilog=_EXAMPLES)
@process_argument
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
@click.option("--children", is_flag=True, help="Include its child processes, and theirs.")
@click.option("--async", "with_tasks", is_flag=True, help="Include asyncio tasks, with their names (CPython 3.12+).")
@click.option("--pause", is_flag=True, help="Stop its threads meanwhile, so that all stacks are from the same moment.")
def command(pid: int, as_json: bool, children: bool, with_tasks: bool, pause: bool) -> int:
    """Show the stack of every thread of the running process PID: innermost frame first, with source and columns.

    Threads that hold the GIL or wait for it are marked. The process is not changed, and not stopped without --pause.
    """
    check_can_attach()
    from footfall.attach.dump import dump_process
    from footfall.attach.procfs import descendants, nothing_runs_python
    from footfall.report.dump import render_dump_json, render_dump_text  # these need the C core

    processes = []
    refused: FootfallError | None = None
    for one in [pid, *(descendants(pid) if children else ())]:
        try:
            processes.append(dump_process(one, pause=pause, with_tasks=with_tasks))
        except FootfallError as error:
            if not children or (one == pid and error.slug != "attach-not-python"):
                raise
            refused = refused or error
            if error.slug not in ("attach-not-python", "no-such-process"):
                print_message(f"footfall: {error}")
    if not processes and refused is not None:
        raise nothing_runs_python(pid) if refused.slug == "attach-not-python" else refused
    if as_json:
        show(render_dump_json(processes, with_tasks=with_tasks), end="")
    else:
        print_lines(render_dump_text(processes, with_tasks=with_tasks), is_report=True)
    return 0
