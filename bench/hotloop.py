"""Hot code under footfall and coverage.py: CPU of the loop alone, as a ratio to a bare run.

    python bench/hotloop.py [--runs 5] [--rate 10000]

Run it by an interpreter that has footfall and coverage.py installed. Each program times its own hot part
(process CPU, so start-up and reports do not count); modes are interleaved, medians printed.
"""

import argparse
import os
import pathlib
import statistics
import sys
import sysconfig
import tempfile

from hot_part import hot_seconds

PROGRAMS = {
    "loop": """
def work(n):
    total = 0
    for i in range(n):
        if i % 3:
            total += i
        else:
            total -= 1
    return total
WARM_UP, ARGUMENT = 100, 15_000_000
""",
    "fib": """
def work(n):
    if n < 2:
        return n
    return work(n - 1) + work(n - 2)
WARM_UP, ARGUMENT = 10, 32
""",
    "sieve": """
def work(n):
    flags = bytearray(b"\\x01") * n
    i = 2
    while i * i < n:
        if flags[i]:
            j = i * i
            while j < n:
                flags[j] = 0
                j += i
        i += 1
    return sum(flags)
WARM_UP, ARGUMENT = 100, 10_000_000
""",
}
TIMED = """
import sys, time
work(WARM_UP)
start = time.process_time()
work(ARGUMENT)
print(time.process_time() - start, file=sys.stderr)
"""


def main() -> None:
    """Run each program in each mode, interleaved; print a table of ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5, help="counted runs of each (default 5)")
    parser.add_argument("--rate", type=int, default=1000, help="samples a second (default 1000)")
    options = parser.parse_args()
    modes = _modes(options.rate)
    print("| program | bare, s | " + " | ".join(list(modes)[1:]) + " |")
    print("|---|---|" + "---|" * (len(modes) - 1))
    with tempfile.TemporaryDirectory(prefix="footfall-hotloop-") as directory:
        for name, source in PROGRAMS.items():
            script = pathlib.Path(directory, f"{name}.py")
            script.write_text(source + TIMED, encoding="utf-8")
            seconds: dict[str, list[float]] = {mode: [] for mode in modes}
            for number in range(options.runs + 1):
                for mode, (command, core) in modes.items():
                    taken = hot_seconds([*command, str(script)], core, directory)
                    if number:
                        seconds[mode].append(taken)
            medians = {mode: statistics.median(values) for mode, values in seconds.items()}
            ratios = [f"{median / medians['bare']:.3f}x" for median in list(medians.values())[1:]]
            print(f"| {name} | {medians['bare']:.3f} | {' | '.join(ratios)} |", flush=True)


def _modes(rate: int) -> dict[str, tuple[list[str], str]]:
    """Name -> (command before the script, COVERAGE_CORE)."""
    footfall = [os.path.join(sysconfig.get_path("scripts"), "footfall"), "run", "--quiet", "--rate", str(rate)]
    coverage = [sys.executable, "-m", "coverage", "run", "--branch"]
    modes = {
        "bare": ([sys.executable], ""),
        "footfall": ([*footfall], ""),
        "footfall, no profile": ([*footfall, "--no-profile"], ""),
        "footfall, no coverage": ([*footfall, "--no-cover"], ""),
    }
    if sys.implementation.name == "cpython":
        modes["coverage ctrace"] = (coverage, "ctrace")
    modes["coverage default"] = (coverage, "")
    return modes


if __name__ == "__main__":
    main()
