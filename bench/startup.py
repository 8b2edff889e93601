"""What footfall adds to the start of an interpreter, in CPU milliseconds and in instructions.

    python bench/startup.py [--runs 100]

Run it by an interpreter that has footfall installed. Four ways to start `python -c pass` are interleaved:

bare       in a new environment with nothing in it
any .pth   in one with an empty .pth file: what `site` itself takes to read the first one
installed  in one with nothing but footfall, not measuring (its start hook looks for one variable)
measured   the same, as a child of `footfall run`

Instructions come from `valgrind --tool=callgrind` where that is installed: they do not depend on what else the
machine does.
"""

import argparse
import json
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import sysconfig
import tempfile
from typing import Any

CHILD = ["-c", "pass"]


def main() -> None:
    """Make the two environments, measure inside one `footfall run`, print a table."""
    options = _options().parse_args()
    if options.inside:
        _measure(json.loads(options.inside), options.runs)
        return
    with tempfile.TemporaryDirectory(prefix="footfall-startup-") as directory:
        base = pathlib.Path(directory)
        pythons = {
            "bare": str(_environment(base / "bare")),
            "any .pth": str(_environment(base / "any", with_hook=True)),
            "installed": str(_environment(base / "with", with_footfall=True)),
        }
        footfall = pathlib.Path(sysconfig.get_path("scripts"), "footfall")
        driver = [sys.executable, "-I", "-S", os.path.abspath(__file__)]
        driver += ["--runs", str(options.runs), "--inside", json.dumps(pythons)]
        env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "FOOTFALL"))}
        done = subprocess.run(
            [str(footfall), "run", "--quiet", *driver], cwd=base, env=env, stdout=subprocess.PIPE, text=True, check=True
        )
    _print_table(json.loads(done.stdout.splitlines()[-1]))


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=100, help="starts of each kind (default 100)")
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    return parser


def _environment(directory: pathlib.Path, *, with_hook: bool = False, with_footfall: bool = False) -> pathlib.Path:
    """A new environment without pip; with an empty .pth file, or the installed footfall, when asked for."""
    base_python = getattr(sys, "_base_executable", sys.executable)
    subprocess.run([base_python, "-m", "venv", "--without-pip", str(directory)], check=True)
    python = directory / "bin" / "python"
    there = next((directory / "lib").glob("*/site-packages"))
    if with_hook:
        (there / "empty.pth").write_text("\n", encoding="utf-8")
    if with_footfall:
        here = pathlib.Path(sysconfig.get_path("platlib"))
        shutil.copytree(here / "footfall", there / "footfall")
        for hook in here.glob("footfall.*"):
            shutil.copy(hook, there)
        subprocess.run([str(python), "-m", "compileall", "-q", str(there)], check=True)
    return python


def _measure(pythons: dict[str, str], runs: int) -> None:
    """Runs as a child of `footfall run`, unmeasured itself (-S). Prints JSON: {way: [CPU ms, ...]}."""
    unmeasured = {name: value for name, value in os.environ.items() if not name.startswith("FOOTFALL")}
    ways = {
        "bare": (pythons["bare"], unmeasured),
        "any .pth": (pythons["any .pth"], unmeasured),
        "installed": (pythons["installed"], unmeasured),
        "measured": (pythons["installed"], dict(os.environ)),
    }
    milliseconds: dict[str, list[float]] = {way: [] for way in ways}
    for number in range(runs + 2):  # two rounds to warm caches
        for way, (python, env) in ways.items():
            pid = os.posix_spawn(python, [python, *CHILD], env)
            _, status, usage = os.wait4(pid, 0)
            if status:
                sys.exit(f"{way}: ended with {os.waitstatus_to_exitcode(status)}")
            if number >= 2:
                milliseconds[way].append((usage.ru_utime + usage.ru_stime) * 1e3)
    instructions = {way: _instructions(python, env) for way, (python, env) in ways.items()}
    print(json.dumps({"milliseconds": milliseconds, "instructions": instructions}))


def _instructions(python: str, env: dict[str, str]) -> int | None:
    valgrind = shutil.which("valgrind")
    if valgrind is None or sys.implementation.name != "cpython":
        return None
    done = subprocess.run(
        [valgrind, "--tool=callgrind", "--callgrind-out-file=/dev/null", python, *CHILD],
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    found = re.search(r"Collected : (\d+)", done.stderr)
    return int(found[1]) if found else None


def _print_table(results: dict[str, dict[str, Any]]) -> None:
    print("| start of `python -c pass` | CPU ms, median | over bare | lowest | instructions, millions | over bare |")
    print("|---|---|---|---|---|---|")
    bare_ms = statistics.median(results["milliseconds"]["bare"])
    bare_count = results["instructions"]["bare"]
    for way, values in results["milliseconds"].items():
        count = results["instructions"][way]
        median = statistics.median(values)
        cells = [f"{median:.1f}", f"+{median - bare_ms:.2f}", f"{min(values):.1f}"]
        if count is None or bare_count is None:
            cells += ["–", "–"]
        else:
            cells += [f"{count / 1e6:.2f}", f"+{(count - bare_count) / 1e6:.2f}"]
        print(f"| {way} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
