"""The live screen of `footfall top`, with textual: a table that follows a program."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import ClassVar, Final

from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.widgets import DataTable, Footer, Input, Static

from footfall.live.model import LiveModel, Measure
from footfall.printable import printable
from footfall.report.places import shown_place
from footfall.report.summary import Line

__all__ = ["TopApp"]

_MAX_ROWS = 200
_STYLES: Final = {"good": "green"}
_MEASURES: Final = {
    Measure.CPU: "CPU time",
    Measure.WALL: "wall time",
    Measure.GIL: "time with the GIL",
    Measure.GIL_WAIT: "time waiting for the GIL",
}


class TopApp(App[None]):
    """`poll` updates the model and returns False when the program has ended; called once a second. So is `read_tasks`,
    which returns the lines of the program's asyncio tasks, while these are shown."""

    CSS = (
        "#status { height: 1; } DataTable { height: 1fr; } #tasks { height: 1fr; display: none; }"
        " Input { display: none; } Input.shown { display: block; }"
    )
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        ("q", "quit", "Quit"),
        ("s", "sort", "Own/total"),
        ("l", "lines", "Lines/functions"),
        ("c", "clock", "CPU/wall/GIL/waiting for it"),
        ("t", "thread", "Thread"),
        ("a", "tasks", "Asyncio tasks/time"),
        ("p", "pause", "Pause"),
        ("slash", "search", "Search"),
        ("r", "reset", "Reset"),
        ("escape", "leave_search", ""),
    ]

    def __init__(
        self,
        model: LiveModel,
        title: str,
        poll: Callable[[], bool],
        interval_s: float = 1.0,
        read_tasks: Callable[[], list[Line]] = list,
    ) -> None:
        super().__init__()
        self.read_tasks = read_tasks
        self.shows_tasks = False
        self.model = model
        self.title_text = title
        self.poll = poll
        self.interval_s = interval_s
        self.measure = Measure.CPU
        self.by_line = False
        self.by_total = False
        self.is_paused = False
        self.has_ended = False
        self.search = ""
        self.thread_label: str | None = None
        self._started = time.monotonic()

    def compose(self) -> ComposeResult:
        """Status line, table, search, keys."""
        yield Static("", id="status", markup=False)
        yield DataTable(cursor_type="row", zebra_stripes=True)
        with VerticalScroll(id="tasks"):
            yield Static("", id="task-lines", markup=False)
        yield Input(placeholder="search in names and paths; Enter keeps it, Escape clears it")
        yield Footer()

    def on_mount(self) -> None:
        """Start following."""
        table = self.query_one(DataTable)
        for name in ("Own %", "Own", "Total %", "Total", "Function", "Where"):
            table.add_column(name, key=name)
        table.focus()
        self.set_interval(self.interval_s, self.tick)
        self.tick()

    def tick(self) -> None:
        """Read what is new; show it unless paused."""
        if not self.has_ended and not self.poll():
            self.has_ended = True
        if not self.is_paused:
            self.refresh_rows()
            if self.shows_tasks and not self.has_ended:
                self.refresh_tasks()

    def refresh_tasks(self) -> None:
        """Show the tasks of this moment."""
        shown = Text()
        for line in self.read_tasks():
            for text, style in line:
                shown.append(text, _STYLES.get(style, style))
            shown.append("\n")
        self.query_one("#task-lines", Static).update(shown)

    def refresh_rows(self) -> None:
        """Fill the table and the status line from the model."""
        table = self.query_one(DataTable)
        before = table.cursor_row
        rows = self.model.rows(
            self.measure, by_line=self.by_line, by_total=self.by_total, thread=self.thread_label, search=self.search
        )
        whole = self.model.total(self.measure, self.thread_label) or 1
        table.clear()
        for row in rows[:_MAX_ROWS]:
            line = row.spot.line or row.spot.first_line
            place = printable(shown_place(row.spot.path, line)) if line else ""
            table.add_row(
                f"{100 * row.own / whole:6.1f}",
                f"{row.own / 1e9:8.2f} s",
                f"{100 * row.total / whole:6.1f}",
                f"{row.total / 1e9:8.2f} s",
                Text(printable(row.spot.name)),
                Text(place),
            )
        if table.row_count:
            table.move_cursor(row=min(before, table.row_count - 1))
        self.query_one("#status", Static).update(self.status())

    def status(self) -> str:
        """Return the line above the table."""
        parts = [
            printable(self.title_text),
            f"{self.model.samples} samples, {self.model.dropped} dropped",
            f"{time.monotonic() - self._started:.0f} s",
            f"{_MEASURES[self.measure]}, by {'total' if self.by_total else 'own'}{self._untold()}",
            f"thread {printable(self.thread_label)}" if self.thread_label else "all threads",
        ]
        if self.search:
            parts.append(f"search: {printable(self.search)}")
        if self.is_paused:
            parts.append("PAUSED")
        if self.has_ended:
            parts.append("ENDED")
        return "  |  ".join(parts)

    def _untold(self) -> str:
        untold = self.model.untold_wait(self.thread_label) if self.measure is Measure.GIL_WAIT else 0.0
        return f", unknown for {100 * untold:.0f} % of the time" if untold else ""

    def action_sort(self) -> None:
        """Sort by cumulative time instead of self time, and back."""
        self.by_total = not self.by_total
        self.refresh_rows()

    def action_lines(self) -> None:
        """Show lines instead of functions, and back."""
        self.by_line = not self.by_line
        self.refresh_rows()

    def action_clock(self) -> None:
        """Switch to the next clock."""
        self.measure = Measure((self.measure.value + 1) % len(Measure))
        self.refresh_rows()

    def action_thread(self) -> None:
        """Switch to the next thread, after the last to all."""
        labels: list[str | None] = [None, *self.model.threads()]
        at = labels.index(self.thread_label) if self.thread_label in labels else 0
        self.thread_label = labels[(at + 1) % len(labels)]
        self.refresh_rows()

    def action_tasks(self) -> None:
        """Show asyncio tasks instead of the table, and back."""
        self.shows_tasks = not self.shows_tasks
        tasks, table = self.query_one("#tasks"), self.query_one(DataTable)
        tasks.display, table.display = self.shows_tasks, not self.shows_tasks
        (tasks if self.shows_tasks else table).focus()
        if self.shows_tasks and not self.has_ended:
            self.refresh_tasks()

    def action_pause(self) -> None:
        """Freeze the display; counting continues."""
        self.is_paused = not self.is_paused
        self.refresh_rows()

    def action_reset(self) -> None:
        """Start counting anew."""
        self.model.reset()
        self._started = time.monotonic()
        self.refresh_rows()

    def action_search(self) -> None:
        """Open the search line."""
        box = self.query_one(Input)
        box.add_class("shown")
        box.focus()

    def action_leave_search(self) -> None:
        """Close the search line and clear the search."""
        self.query_one(Input).value = ""
        self._close_search()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Search while the user types."""
        self.search = event.value
        self.refresh_rows()

    def on_input_submitted(self, _event: Input.Submitted) -> None:
        """Keep the search, return to the table."""
        self._close_search()

    def _close_search(self) -> None:
        self.query_one(Input).remove_class("shown")
        self.query_one(DataTable).focus()
