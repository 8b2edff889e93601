"""The stacks of a running process as text, with source lines and marked columns, or as JSON."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable

from footfall.analyze.bytecode.linetable import Position, positions
from footfall.attach.dump import DumpedFrame, DumpedInterpreter, DumpedProcess, DumpedTask, DumpedThread
from footfall.printable import printable
from footfall.report.jsontext import render_json
from footfall.report.summary import Line

__all__ = ["SourceLines", "render_dump_json", "render_dump_text", "render_tasks_text"]

_MAX_SOURCE_BYTES = 10_000_000
_MAX_SHOWN_WORDS = 300
_MAX_SHOWN_DEPTH = 40


class SourceLines:
    """Source lines as a process sees its files: another mount namespace may have other files under the same names."""

    def __init__(self, pid: int, cwd: str) -> None:
        self._root = f"/proc/{pid}/root"
        self._cwd = cwd
        self._files: dict[str, list[str]] = {}

    def line(self, path: str, number: int) -> str:
        """Return a line, counted from 1, without its line end; "" if it is not available."""
        if path not in self._files:
            self._files[path] = self._read(os.path.join(self._cwd, path))
        lines = self._files[path]
        return lines[number - 1] if 1 <= number <= len(lines) else ""

    def _read(self, path: str) -> list[str]:
        if not os.path.isabs(path):
            return []
        try:
            # O_NONBLOCK: a process could name a pipe or device to make us wait
            descriptor = os.open(self._root + path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            with open(descriptor, "rb") as file:
                about = os.fstat(descriptor)
                if not stat.S_ISREG(about.st_mode) or about.st_size > _MAX_SOURCE_BYTES:
                    return []
                return file.read(about.st_size).decode("utf-8", "replace").split("\n")
        except (OSError, ValueError):  # ValueError: not a file name, as damaged memory may contain
            return []


def _position(frame: DumpedFrame) -> Position:
    """Return where a frame is: (line, end line, column, end column); at worst its first line."""
    table = positions(frame.line_table, frame.first_line)
    if 0 <= frame.unit < len(table):
        if table[frame.unit][0]:  # a module's first instruction has line 0, before its text
            return table[frame.unit]
        for line, _, _, _ in reversed(table[: frame.unit]):
            if line:
                return (line, line, None, None)
    return (frame.first_line, frame.first_line, None, None)


def render_dump_text(processes: Iterable[DumpedProcess], *, with_tasks: bool = False) -> list[Line]:
    """Return the lines to show, with tasks as trees: the tasks that one waits for are indented below it."""
    lines: list[Line] = []
    for process in processes:
        source = SourceLines(process.pid, process.cwd)
        if lines:
            lines.append([])
        command = printable(" ".join(process.command))
        if len(command) > _MAX_SHOWN_WORDS:
            command = command[:_MAX_SHOWN_WORDS] + "..."
        lines.append([(f"Process {process.pid}", "bold"), (f"  CPython {process.version}  {command}", "")])
        for interpreter in process.interpreters:
            if len(process.interpreters) > 1:
                lines.append([(f"Interpreter {interpreter.id}", "bold")])
            for thread in interpreter.threads:
                lines += _thread_lines(thread, source.line)
            if with_tasks:
                lines += _task_lines(interpreter, has_asyncio=process.has_asyncio, source=source.line)
    return lines


def render_tasks_text(process: DumpedProcess) -> list[Line]:
    """Return the lines for the tasks of a process alone."""
    source = SourceLines(process.pid, process.cwd)
    lines = [
        line
        for interpreter in process.interpreters
        for line in _task_lines(interpreter, has_asyncio=process.has_asyncio, source=source.line)
    ]
    return lines[1:]


def _thread_lines(thread: DumpedThread, source: Callable[[str, int], str]) -> list[Line]:
    title = f"Thread {thread.task or thread.native_id}"
    about = f' "{printable(thread.name)}"' if thread.name else ""
    about += f"  {thread.state}" if thread.state else ""
    if thread.task and thread.task != thread.native_id:
        about += f"  (there {thread.native_id})"
    lines: list[Line] = [[], [(title, "bold"), (about, "")]]
    if thread.holds_gil:
        lines[-1].append(("  holds the GIL", "good"))
    if not thread.is_whole:
        lines.append([("  its stack kept on changing; --pause stops it", "dim")])
    elif not thread.frames:
        lines.append([("  runs no Python code", "dim")])
    for frame in thread.frames:
        lines += _frame_lines(frame, source)
    return lines


def _task_lines(interpreter: DumpedInterpreter, *, has_asyncio: bool, source: Callable[[str, int], str]) -> list[Line]:
    """Return the tasks of an interpreter as trees."""
    if not has_asyncio:
        return [[], [("No tasks: asyncio is not imported", "dim")]]
    if not interpreter.has_all_tasks:
        return [[], [("Its tasks kept on changing; --pause stops them", "dim")]]
    if not interpreter.tasks:
        return [[], [("No tasks", "dim")]]
    return _TaskTree(interpreter, source).lines()


class _TaskTree:
    """Tasks, placed below the tasks that wait for them."""

    def __init__(self, interpreter: DumpedInterpreter, source: Callable[[str, int], str]) -> None:
        self._source = source
        self._tasks = interpreter.tasks
        self._threads = {thread.pthread: thread for thread in interpreter.threads}
        self._shown: set[int] = set()
        self._awaited: dict[int, list[DumpedTask]] = {}
        known = {task.id for task in self._tasks}
        self._roots = [task for task in self._tasks if not known & set(task.awaited_by)]
        for task in self._tasks:
            for awaiter in task.awaited_by:
                self._awaited.setdefault(awaiter, []).append(task)

    def lines(self) -> list[Line]:
        """Return the lines of all tasks: roots first; the tasks left then wait for each other in a cycle."""
        found: list[Line] = []
        for root in (*self._roots, *self._tasks):
            if root.id not in self._shown:
                found.append([])
                found += self._below(root)
        return found

    def _below(self, root: DumpedTask) -> list[Line]:
        """Return a task and all that it waits for, with the depth of each in the tree."""
        found: list[Line] = []
        pending = [(root, 0)]
        while pending:
            task, depth = pending.pop()
            indent = "  " * min(depth, _MAX_SHOWN_DEPTH)
            if task.id in self._shown:
                found.append([(f'{indent}Task "{printable(task.name)}"', "bold"), ("  is above", "dim")])
                continue
            self._shown.add(task.id)
            found += [[(indent, ""), *line] for line in self._one(task, is_root=depth == 0)]
            pending += [(child, depth + 1) for child in reversed(self._awaited.get(task.id, ()))]
        return found

    def _one(self, task: DumpedTask, *, is_root: bool) -> list[Line]:
        thread = self._threads.get(task.pthread)
        about = f"  {task.state}"
        if is_root:
            about += f"  in thread {thread.task or thread.native_id}" if thread else "  its thread has ended"
        lines: list[Line] = [[(f'Task "{printable(task.name)}"', "bold"), (about, "")]]
        if not task.is_whole:
            lines.append([("  it kept on changing; --pause stops it", "dim")])
        for frame in task.frames:
            lines += _frame_lines(frame, self._source)
        return lines


def _frame_lines(frame: DumpedFrame, source: Callable[[str, int], str]) -> list[Line]:
    line, end_line, column, end_column = _position(frame)
    place = f"{printable(frame.path)}:{line}" if line else ""  # the garbage collector's frame has no line
    text = source(frame.path, line or 0)
    if column is not None and text:
        place += f":{_characters(text, column) + 1}"
    lines: list[Line] = [[(f"  {printable(frame.qualname)}", "bold"), (f"  {place}" if place else "", "dim")]]
    if not text.strip():
        return lines
    shown = printable(text.strip().replace("\t", " "))
    lines.append([(f"      {shown}", "")])
    marks = _marks(text, line, end_line, column, end_column)
    if marks.strip() and len(marks.strip()) < len(shown):
        lines.append([(f"      {marks}", "good")])
    return lines


def _marks(text: str, line: int | None, end_line: int | None, column: int | None, end_column: int | None) -> str:
    """Return carets under the columns (UTF-8 bytes) of a line whose indentation is not shown."""
    if column is None:
        return ""
    start = _characters(text, column)
    end = len(text.rstrip())
    if end_line == line and end_column is not None:
        end = _characters(text, end_column)
    indent = len(text) - len(text.lstrip())
    start = max(start, indent)
    return " " * (start - indent) + "^" * max(end - start, 0)


def _characters(text: str, column: int) -> int:
    """Return the number of characters in the first `column` UTF-8 bytes."""
    return len(text.encode("utf-8", "replace")[:column].decode("utf-8", "ignore"))


def render_dump_json(processes: Iterable[DumpedProcess], *, with_tasks: bool = False) -> str:
    """Return the stacks as JSON. Columns count UTF-8 bytes from 0; unknown ones are null."""
    document = {
        "format": 1,
        "processes": [
            {
                "pid": process.pid,
                "python": process.version,
                "command": process.command,
                "interpreters": [
                    {"id": interpreter.id, "threads": [_thread_object(thread) for thread in interpreter.threads]}
                    | (_tasks_object(interpreter) if with_tasks else {})
                    for interpreter in process.interpreters
                ],
            }
            for process in processes
        ],
    }
    return render_json(document, indent=2) + "\n"


def _thread_object(thread: DumpedThread) -> dict[str, object]:
    return {
        "id": thread.pthread,
        "native_id": thread.native_id,
        "task": thread.task or None,
        "name": thread.name,
        "state": thread.state,
        "holds_gil": thread.holds_gil,
        "waits_for_gil": thread.waits_for_gil,
        "whole": thread.is_whole,
        "frames": [_frame_object(frame) for frame in thread.frames],
    }


def _tasks_object(interpreter: DumpedInterpreter) -> dict[str, object]:
    return {
        "has_all_tasks": interpreter.has_all_tasks,
        "tasks": [
            {
                "id": task.id,
                "name": task.name,
                "thread": task.pthread or None,
                "state": task.state,
                "awaited_by": task.awaited_by,
                "whole": task.is_whole,
                "frames": [_frame_object(frame) for frame in task.frames],
            }
            for task in interpreter.tasks
        ],
    }


def _frame_object(frame: DumpedFrame) -> dict[str, object]:
    return dict(
        zip(
            ("file", "function", "first_line", "line", "end_line", "column", "end_column"),
            (frame.path, frame.qualname, frame.first_line, *_position(frame)),
            strict=True,
        )
    )
