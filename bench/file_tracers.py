"""What a plugin of coverage.py that measures templates costs: CPU of a program's hot part, as a ratio to a bare run.

    python bench/file_tracers.py [--runs 5]

Run it by an interpreter that has footfall and coverage.py installed. "ordinary" runs no template in its hot part, so a
plugin should cost it nothing. "templates" renders all the time, and "its callbacks" is the same program, unmeasured,
which calls the plugin's functions itself as often as they have to be: less is not possible. Each program times its own
hot part; modes are interleaved, medians printed.
"""

import argparse
import os
import pathlib
import statistics
import sys
import sysconfig
import tempfile

from hot_part import hot_seconds

FILES = {
    "plugin.py": """
import os
import coverage


class Templates(coverage.CoveragePlugin, coverage.FileTracer):
    def file_tracer(self, filename):
        return self if os.path.basename(filename) == "engine.py" else None

    def has_dynamic_source_filename(self):
        return True

    def dynamic_source_filename(self, filename, frame):
        return frame.f_locals["self"].filename if frame.f_code.co_name == "render" else None

    def line_number_range(self, frame):
        node = frame.f_locals["self"]
        return node.line, node.line

    def file_reporter(self, filename):
        return coverage.FileReporter(filename)


def coverage_init(reg, options):
    reg.add_file_tracer(Templates())
""",
    "engine.py": """
import sys


class Node:
    def __init__(self, filename, line):
        self.filename = filename
        self.line = line

    def render(self):
        text = str(self.line)
        text += "a"
        text += "b"
        return text


class Asking(Node):
    def render(self):
        frame = sys._getframe()
        PLUGIN.dynamic_source_filename(__file__, frame)
        for _ in range(4):
            PLUGIN.line_number_range(frame)
        text = str(self.line)
        text += "a"
        text += "b"
        return text
""",
    "ordinary.py": """
import os, sys, time, engine

def work(n):
    total = 0
    for i in range(n):
        total += twice(i) if i % 3 else 1
    return total

def twice(i):
    return i * 2

engine.Node(os.path.abspath("page.txt"), 1).render()
work(100)
start = time.process_time()
work(3_000_000)
print(time.process_time() - start, file=sys.stderr)
""",
    "templates.py": """
import os, sys, time, engine

def work(nodes, n):
    for _ in range(n):
        for node in nodes:
            node.render()

kind = engine.Node
if "asking" in sys.argv:
    import plugin
    engine.PLUGIN, kind = plugin.Templates(), engine.Asking
nodes = [kind(os.path.abspath("page.txt"), line) for line in range(1, 21)]
work(nodes, 10)
start = time.process_time()
work(nodes, 10_000)
print(time.process_time() - start, file=sys.stderr)
""",
    "page.txt": "line\n" * 20,
    "with.rc": "[run]\nbranch = true\nplugins = plugin\ndisable_warnings = plugins-settrace\n",
    "without.rc": "[run]\nbranch = true\n",
}
OF_BOTH = "bare", "footfall", "footfall, plugin", "coverage ctrace, plugin"


def main() -> None:
    """Run each program in each mode, interleaved; print a table of ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5, help="counted runs of each (default 5)")
    options = parser.parse_args()
    modes = _modes()
    print("| program | bare, s | " + " | ".join(list(modes)[1:]) + " |")
    print("|---|---|" + "---|" * (len(modes) - 1))
    with tempfile.TemporaryDirectory(prefix="footfall-plugins-") as directory:
        for name, text in FILES.items():
            pathlib.Path(directory, name).write_text(text, encoding="utf-8")
        for program in "ordinary.py", "templates.py":
            wanted = {mode: how for mode, how in modes.items() if mode in OF_BOTH or program == "templates.py"}
            medians = _medians(wanted, program, directory, options.runs)
            ratios = [f"{medians[mode] / medians['bare']:.2f}x" if mode in medians else "" for mode in list(modes)[1:]]
            print(f"| {program[:-3]} | {medians['bare']:.3f} | {' | '.join(ratios)} |", flush=True)


def _medians(
    modes: dict[str, tuple[list[str], list[str]]], program: str, directory: str, n_runs: int
) -> dict[str, float]:
    seconds: dict[str, list[float]] = {mode: [] for mode in modes}
    for number in range(n_runs + 1):
        for mode, (command, arguments) in modes.items():
            taken = hot_seconds([*command, program, *arguments], "ctrace", directory)
            if number:
                seconds[mode].append(taken)
    return {mode: statistics.median(values) for mode, values in seconds.items()}


def _modes() -> dict[str, tuple[list[str], list[str]]]:
    """Name -> (command before the script, arguments after it)."""
    footfall = [os.path.join(sysconfig.get_path("scripts"), "footfall"), "run", "--quiet", "--no-profile", "--config"]
    coverage = [sys.executable, "-m", "coverage", "run", "--rcfile", "with.rc"]
    return {
        "bare": ([sys.executable], []),
        "footfall": ([*footfall, "without.rc"], []),
        "its callbacks": ([sys.executable], ["asking"]),
        "footfall, plugin": ([*footfall, "with.rc"], []),
        "coverage ctrace, plugin": (coverage, []),
    }


if __name__ == "__main__":
    main()
