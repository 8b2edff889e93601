"""Instructions that measured programs take, relative to the same programs without footfall, and the figures on record.

    FOOTFALL_TEST_INSTRUCTIONS=1 python tests/support/instructions.py [--update]

Needs valgrind, whose counts are the same under any load. What the interpreter's own build makes of a program is in both
numbers of a ratio, so the record fits other builds of the same version. Prints what is above the record for this Python;
with --update it writes the record anew, in `instructions.json` beside this file, with the reason in the commit.
"""

from __future__ import annotations

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
from typing import Final

from footfall.model import RUN_VARIABLE
from footfall.record.run.directory import RunSettings, make_run_directory

__all__ = ["MARGIN", "NAME", "PROGRAMS", "WHY_NOT", "above", "ratio_of", "recorded"]

NAME: Final = f"{sys.implementation.name} {sys.version_info[0]}.{sys.version_info[1]}"
MARGIN: Final = 0.03
_RECORD: Final = pathlib.Path(__file__).with_name("instructions.json")
_REFERENCES: Final = re.compile(r"I +refs: +([\d,]+)")

_FIRST_TOUCH = """
lines = []
for n in range(150):
    lines += [f"def f{n}(a):", f"    b = a + {n}", "    if b % 2:", "        b += 1", "    for c in range(2):"]
    lines += ["        try:", "            b += c", "        except ValueError:", "            b = 0", "    return b"]
    lines += [f"f{n}({n})"]
"""
PROGRAMS: Final = {
    "start": "pass\n",
    "calls": "def fib(n):\n    return n if n < 2 else fib(n - 1) + fib(n - 2)\nfib(19)\n",
    "loops": (
        "total = 0\nfor i in range(60_000):\n    if i % 3:\n        total += i\n    elif i % 2:\n        total -= 1\n"
        "rows = [x for x in range(20_000) if x & 1]\n"
    ),
    "generators": (
        "def rows(n):\n    for i in range(n):\n        try:\n            yield i\n        finally:\n            n -= 1\n\n"
        "class Thing:\n    def is_odd(self, n):\n        with self:\n            return bool(n % 2)\n\n"
        "    def __enter__(self):\n        return self\n\n    def __exit__(self, *error):\n        return False\n\n"
        "thing = Thing()\nprint(sum(thing.is_odd(n) for n in rows(8000)))\n"
    ),
    "first touch": "def check():\n    import touched\n\ncheck()\n",
}
"""Names and texts of programs."""


def _why_not() -> str:
    if "FOOTFALL_TEST_INSTRUCTIONS" not in os.environ:  # read before tests remove such variables
        return "half a minute of valgrind, only with FOOTFALL_TEST_INSTRUCTIONS"
    if shutil.which("valgrind") is None:
        return "there is no valgrind"
    if sys.implementation.name != "cpython":
        return "what PyPy compiles depends on time"
    return "" if NAME in _read() else f"no figures are on record for {NAME}"


def ratio_of(program: str) -> float:
    """Return how many times as many instructions a program takes when it is measured, with branches and no profile."""
    with tempfile.TemporaryDirectory(prefix="footfall-instructions-") as name:
        directory = pathlib.Path(name).resolve()
        (directory / "program.py").write_text(PROGRAMS[program], encoding="utf-8")
        scope: dict[str, list[str]] = {}
        exec(_FIRST_TOUCH, scope)
        (directory / "touched.py").write_text("\n".join(scope["lines"]) + "\n", encoding="utf-8")
        settings = RunSettings(cwd=name, profile=False, source_dir=[str(directory)])
        run = str(make_run_directory(settings).path)
        for variables in ({}, {RUN_VARIABLE: run}):  # what is cached between runs
            subprocess.run([sys.executable, "program.py"], cwd=name, env=_environment(variables), check=True)
        return _instructions(directory, {RUN_VARIABLE: run}) / _instructions(directory, {})


def _environment(variables: dict[str, str]) -> dict[str, str]:
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("FOOTFALL", "COVERAGE", "PYTHON"))
    }
    return {**kept, "PYTHONHASHSEED": "0", **variables}


def _instructions(directory: pathlib.Path, variables: dict[str, str]) -> int:
    log = directory / "valgrind.log"
    valgrind = ["valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"]
    command = [*valgrind, f"--log-file={log}", sys.executable, "program.py"]
    done = subprocess.run(command, cwd=directory, env=_environment(variables), capture_output=True, text=True)
    found = _REFERENCES.search(log.read_text(encoding="utf-8", errors="replace"))
    if done.returncode or found is None:
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr}")
    return int(found[1].replace(",", ""))


def _read() -> dict[str, dict[str, float]]:
    return dict(json.loads(_RECORD.read_text(encoding="utf-8"))) if _RECORD.exists() else {}


def recorded() -> dict[str, float]:
    """Return the ratios on record for this Python, by program."""
    return _read().get(NAME, {})


def above(ratio: float, on_record: float) -> bool:
    """Return whether a ratio is above the record by more than MARGIN."""
    return ratio > on_record * (1 + MARGIN)


WHY_NOT: Final = _why_not()
"""Why nothing can be counted or compared here; "" if it can."""


def main() -> int:
    """Compare, or update."""
    if WHY_NOT and "--update" not in sys.argv[1:]:
        raise SystemExit(WHY_NOT)
    found = {program: round(ratio_of(program), 4) for program in PROGRAMS}
    lines = [f"{program}: {ratio}, on record {recorded().get(program)}" for program, ratio in found.items()]
    print("\n".join(lines))
    if "--update" in sys.argv[1:]:
        _RECORD.write_text(json.dumps({**_read(), NAME: found}, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        return 0
    return int(any(above(ratio, recorded().get(program, 0)) for program, ratio in found.items()))


if __name__ == "__main__":
    sys.exit(main())
