"""`footfall._core.PhaseTimes` without the core: the wall and CPU time of phases of tests, as lines of their file."""

import time

from footfall.settings import escape

__all__ = ["PhaseTimes"]


class PhaseTimes:
    """The times of phases of tests; a name that follows itself is escaped once."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._name = self._escaped = ""
        # Kept here, where tools that replace the clocks in modules (freezegun) do not find them.
        self._read_wall, self._read_cpu = time.perf_counter_ns, time.thread_time_ns

    def begin(self) -> tuple[int, int]:
        """Read the clocks, for `end`."""
        return self._read_wall(), self._read_cpu()

    def end(self, start: tuple[int, int], name: str, phase: str, /) -> None:
        """Add a line with the time since `begin` returned `start`, in this thread."""
        cpu, wall = self._read_cpu() - start[1], self._read_wall() - start[0]
        if name != self._name:
            self._name, self._escaped = name, escape(name)
        self._lines.append(f"{wall}\t{max(cpu, 0)}\t{self._escaped}|{phase}\n")  # another thread's clock may be behind

    def take(self) -> bytes:
        """Return the lines and forget them."""
        lines = "".join(self._lines).encode("utf-8", "backslashreplace")
        self._lines.clear()
        return lines
