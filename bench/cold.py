"""What the first touch costs: a made project of 200 modules and 39,000 lines, each run about once.

    python bench/cold.py [--runs 9] [--cached]

Run it by an interpreter that has footfall and coverage.py installed. The program imports every module, which has to be
compiled first (with `--cached`, only read), and calls every function. Modes are interleaved. Ratios are medians of
ratios of CPU (user + system) to the bare run of the same round: of the program's own process, and of the whole
command with what the tool does before and after.
"""

import argparse
import os
import pathlib
import statistics
import sys
import sysconfig
import tempfile
import time

from command_cpu import command_cpu

N_MODULES = 200
N_FUNCTIONS = 10

FUNCTION = """
def step_{n}(values, limit):
    total = 0
    seen = {{}}
    for value in values:
        if value > limit:
            total += value
        elif value == limit:
            total -= 1
        else:
            seen[value] = total
    if total > {n}:
        total = total // 2
    else:
        total += len(seen)
    try:
        ratio = limit / (total or 1)
    except ZeroDivisionError:
        ratio = 0
    return total, ratio
"""

MAIN = """
import importlib
for number in range({n_modules}):
    module = importlib.import_module(f"project.m{{number}}")
    for name in dir(module):
        if name.startswith("step_"):
            getattr(module, name)((1, 5, 9), 5)
"""


def main() -> None:
    """Make the project, run it in each mode, print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=9, help="counted rounds (default 9)")
    parser.add_argument("--cached", action="store_true", help="with the modules' bytecode, and probes, cached before")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="footfall-cold-") as directory:
        n_lines = _write_project(pathlib.Path(directory))
        footfall = [os.path.join(sysconfig.get_path("scripts"), "footfall"), "run", "--quiet"]
        coverage = ["-m", "coverage", "run", "--branch", "--source=."]
        modes: dict[str, tuple[list[str], list[str], str]] = {
            "bare": ([], [], ""),
            "footfall: branches + profile": ([*footfall, "--source=."], [], ""),
            "footfall: branches": ([*footfall, "--source=.", "--no-profile"], [], ""),
            "coverage.py, C tracer": ([], coverage, "ctrace"),
            "coverage.py, default": ([], coverage, ""),
        }
        program: dict[str, list[float]] = {mode: [] for mode in modes}
        whole: dict[str, list[float]] = {mode: [] for mode in modes}
        for number in range(options.runs + 1):
            for mode, (prefix, arguments, core) in modes.items():
                own, total = _seconds(prefix, arguments, core, directory, options.cached)
                if number:
                    program[mode].append(own)
                    whole[mode].append(total)
    print(f"{n_lines} lines in {N_MODULES} modules, Python {sys.version.split()[0]}\n")
    print("| mode | program's CPU, ms | to bare | with what comes before and after, to bare |\n|---|---|---|---|")
    for mode in modes:
        own_ratio = statistics.median(a / b for a, b in zip(program[mode], program["bare"], strict=True))
        whole_ratio = statistics.median(a / b for a, b in zip(whole[mode], program["bare"], strict=True))
        print(f"| {mode} | {statistics.median(program[mode]) * 1e3:.0f} | {own_ratio:.2f}x | {whole_ratio:.2f}x |")


def _write_project(directory: pathlib.Path) -> int:
    """Returns the number of lines."""
    (directory / "project").mkdir()
    (directory / "project" / "__init__.py").write_text("", encoding="utf-8")
    text = "".join(FUNCTION.format(n=number) for number in range(N_FUNCTIONS))
    for number in range(N_MODULES):
        (directory / "project" / f"m{number}.py").write_text(text, encoding="utf-8")
    (directory / "main.py").write_text(MAIN.format(n_modules=N_MODULES), encoding="utf-8")
    return N_MODULES * len(text.splitlines())


def _seconds(prefix: list[str], arguments: list[str], core: str, directory: str, cached: bool) -> tuple[float, float]:
    """CPU of the program, and of all of the command."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "COVERAGE", "FOOTFALL"))}
    if not cached:
        env |= {"PYTHONDONTWRITEBYTECODE": "1"}
    if core:
        env |= {"COVERAGE_CORE": core}
    return command_cpu(prefix, [sys.executable, *arguments, "main.py"], directory, env)


if __name__ == "__main__":
    start = time.monotonic()
    main()
    print(f"{time.monotonic() - start:.0f} s", file=sys.stderr)
