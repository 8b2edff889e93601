"""Draw the ratios that `bench/suites.py --only cost` measured: docs/images/cost.svg.

    python bench/cost_plot.py WORK/cost.json docs/images/cost.svg

WORK is the directory of suites.py. For each suite and interpreter a row, for each tool a point with the interval that
has the median in 95 % of cases: filled for the suite alone, hollow with showing the result. Needs matplotlib.
"""

import json
import pathlib
import sys

import matplotlib.pyplot as plt

from suites import spread

COLOURS = {
    "footfall": "#d1541b",
    "footfall, no profile": "#e8a07c",
    "coverage ctrace": "#1b5fa8",
    "coverage default": "#7aa7d6",
    "slipcover": "#6d8a3a",
}
SHOWN_MAX = 4.0
"""Ratios beyond it are drawn at the edge, with their number."""


def main() -> int:
    """Draw; return the exit status."""
    source, target = map(pathlib.Path, sys.argv[1:])
    rows = json.loads(source.read_text(encoding="utf-8"))
    plt.rcParams.update({"svg.hashsalt": "footfall", "font.size": 9})
    figure, axes = plt.subplots(figsize=(8, 0.9 + 0.75 * len(rows)))
    for place, row in enumerate(rows):
        names = [name for name in COLOURS if name in row["program"]]
        for number, name in enumerate(names):
            for key, filled in (("program", True), ("total", False)):
                middle, low, high = spread(row[key][name], row[key]["bare"])
                at = place + (number - len(names) / 2 + (0.3 if filled else 0.6)) * 0.8 / len(names)
                colour = COLOURS[name]
                label = name if place == 0 and filled else None
                axes.plot([min(low, SHOWN_MAX), min(high, SHOWN_MAX)], [at, at], color=colour, lw=1.5)
                face = colour if filled else "white"
                axes.plot(min(middle, SHOWN_MAX), at, "o", ms=4.5, mec=colour, mfc=face, label=label)
                if middle > SHOWN_MAX:
                    axes.annotate(f"{middle:.1f}", (SHOWN_MAX, at), xytext=(4, -3), textcoords="offset points")
    axes.axvline(1, color="black", lw=0.8)
    axes.set_yticks(range(len(rows)), [f"{row['project'].replace('==', ' ')}\n{row['python']}" for row in rows])
    axes.invert_yaxis()
    axes.set_xlabel("CPU time relative to no tool (filled: the suite; hollow: with showing the result)")
    axes.legend(loc="lower right", fontsize=8, frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(target, metadata={"Date": None})
    return 0


if __name__ == "__main__":
    sys.exit(main())
