"""The asyncio tasks that the live screen shows: those at this moment, of all its processes."""

from __future__ import annotations

from collections.abc import Iterable

from footfall.attach.dump import dump_process
from footfall.errors import FootfallError
from footfall.report.dump import render_tasks_text
from footfall.report.summary import Line

__all__ = ["task_lines"]


def task_lines(pids: Iterable[int]) -> list[Line]:
    """Return the tasks of the processes as trees, as `footfall dump --async` shows them; or why they can't be read."""
    lines: list[Line] = []
    processes = list(pids)
    for pid in processes:
        if len(processes) > 1:
            lines.append([(f"Process {pid}", "bold")])
        try:
            lines += render_tasks_text(dump_process(pid, with_tasks=True))
        except FootfallError as error:
            lines.append([(str(error), "")])
        lines.append([])
    return lines
