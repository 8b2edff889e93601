"""What measuring a command costs, as a table with bars, as JSON, and as a plot in a file."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final, NamedTuple

from footfall.report.coverage.json import Json
from footfall.report.summary import Line

__all__ = ["CostSample", "CostTable", "overhead_report", "overhead_svg", "render_overhead"]

_NS_PER_SECOND: Final = 1_000_000_000
_BAR_WIDTH: Final = 40
_ROW, _LEFT, _WIDTH, _BAR = 28, 110, 640, 16  # sizes in the plot, in pixels


class CostSample(NamedTuple):
    """One run, in nanoseconds: the CPU and wall time of the command, and of computing its results."""

    cpu_ns: int
    wall_ns: int
    results_cpu_ns: int
    results_wall_ns: int


@dataclass(frozen=True, slots=True)
class CostTable:
    """Samples by mode, the bare command's first; samples of one round have the same index."""

    command: str
    modes: dict[str, list[CostSample]]
    pinned_to: int | None
    coverage_version: str = ""
    notes: Sequence[str] = ()


class _Spread(NamedTuple):
    median: float
    low: float
    high: float


def _spread(values: Sequence[float]) -> _Spread:
    """Return the median and the quartiles."""
    if len(values) == 1:
        return _Spread(values[0], values[0], values[0])
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return _Spread(median, low, high)


_READ: Final[dict[str, Callable[[CostSample], int]]] = {
    "cpu": lambda sample: sample.cpu_ns,
    "wall": lambda sample: sample.wall_ns,
    "results_cpu": lambda sample: sample.results_cpu_ns,
    "results_wall": lambda sample: sample.results_wall_ns,
}


def _seconds(table: CostTable, mode: str, clock: str) -> _Spread:
    return _spread([_READ[clock](sample) / _NS_PER_SECOND for sample in table.modes[mode]])


def _ratio(table: CostTable, mode: str, clock: str) -> _Spread:
    """Return the time relative to the bare command's, from the two runs of each round, which drift alike."""
    read = _READ[clock]
    bare = next(iter(table.modes.values()))
    pairs = zip(table.modes[mode], bare, strict=True)
    return _spread([read(sample) / max(read(base), 1) for sample, base in pairs])


def render_overhead(table: CostTable) -> list[Line]:
    """Return the table and its bars as styled lines."""
    heads = ["CPU", "quartiles", "x bare", "Wall", "quartiles", "x bare", "Results"]
    rows: list[list[str]] = []
    for mode in table.modes:
        row = []
        for clock in ("cpu", "wall"):
            seconds, ratio = _seconds(table, mode, clock), _ratio(table, mode, clock)
            row += [f"{seconds.median:.3f} s", f"{seconds.low:.3f}-{seconds.high:.3f}", f"{ratio.median:.3f}"]
        results = _seconds(table, mode, "results_cpu").median
        rows.append([*row, f"{results:.3f} s" if results else ""])
    widths = [max(len(head), *(len(row[at]) for row in rows)) for at, head in enumerate(heads)]
    name_width = max(map(len, ("Mode", *table.modes)))

    def join(name: str, cells: Sequence[str]) -> str:
        texts = "  ".join(f"{cell:>{width}}" for cell, width in zip(cells, widths, strict=True))
        return f"{name:<{name_width}}  {texts}".rstrip()

    lines: list[Line] = [[(join("Mode", heads), "bold")]]
    lines += [[(join(mode, row), "")] for mode, row in zip(table.modes, rows, strict=True)]
    lines.append([])
    ratios = {mode: _ratio(table, mode, "cpu") for mode in table.modes}
    most = max(ratio.median for ratio in ratios.values())
    for mode, ratio in ratios.items():
        bar = "#" * max(1, round(_BAR_WIDTH * ratio.median / most))
        text = f"  {ratio.median:.2f}x CPU"
        text += f"  {ratio.low:.2f}-{ratio.high:.2f}" if ratio.low != ratio.high else ""
        lines.append([(f"{mode:<{name_width}}  ", ""), (f"{bar:<{_BAR_WIDTH}}", "dim"), (text, "")])
    return [*lines, [], *([(note, "dim")] for note in _notes(table))]


def _notes(table: CostTable) -> list[str]:
    n_rounds = len(next(iter(table.modes.values())))
    where = "on any core" if table.pinned_to is None else f"on core {table.pinned_to}"
    first = (
        f"Medians of {n_rounds} interleaved round{'s' if n_rounds != 1 else ''} {where}, after one that filled caches;"
    )
    first += " x bare is the median over rounds, its quartiles beside the bars."
    last = "Results: CPU of what follows the command, in no other column."
    if table.coverage_version:
        last += f" coverage.py {table.coverage_version} with --branch saves its data within the command."
    return [first, last, *table.notes]


def overhead_report(table: CostTable) -> Json:
    """Return the same for machines: seconds, and the values of each run."""
    modes: Json = {}
    for mode, samples in table.modes.items():
        modes[mode] = {
            clock: {
                **_seconds(table, mode, clock)._asdict(),
                "x_bare": _ratio(table, mode, clock)._asdict() if not clock.startswith("results") else None,
                "runs": [read(sample) / _NS_PER_SECOND for sample in samples],
            }
            for clock, read in _READ.items()
        }
    return {
        "format": 1,
        "command": table.command,
        "rounds": len(next(iter(table.modes.values()))),
        "pinned_to": table.pinned_to,
        "coverage_version": table.coverage_version or None,
        "notes": list(table.notes),
        "modes": modes,
    }


def overhead_svg(table: CostTable) -> str:
    """Return a plot: for each mode a bar for its CPU time relative to the bare command's, and a line for quartiles."""
    ratios = {mode: _ratio(table, mode, "cpu") for mode in table.modes}
    scale = (_WIDTH - _LEFT - 70) / max(ratio.high for ratio in ratios.values())
    height = 40 + _ROW * len(ratios)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}"'
        ' font-family="sans-serif" font-size="13">',
        f'<rect width="{_WIDTH}" height="{height}" fill="white"/>',
        f'<text x="8" y="20" font-weight="bold">CPU time over bare: {escape(table.command)}</text>',
    ]
    for number, (mode, ratio) in enumerate(ratios.items()):
        top = 34 + _ROW * number
        middle = top + _BAR / 2
        parts += [
            f'<text x="{_LEFT - 8}" y="{top + 13}" text-anchor="end">{escape(mode)}</text>',
            f'<rect x="{_LEFT}" y="{top}" width="{ratio.median * scale:.1f}" height="{_BAR}" fill="#4a7ebb"/>',
            f'<path d="M{_LEFT + ratio.low * scale:.1f} {middle}H{_LEFT + ratio.high * scale:.1f}" stroke="black"/>',
            f'<text x="{_LEFT + ratio.high * scale + 6:.1f}" y="{top + 13}">{ratio.median:.2f}x</text>',
        ]
    return "\n".join([*parts, "</svg>"]) + "\n"
