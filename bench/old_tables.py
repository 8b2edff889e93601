"""Programs with which other tools have shown what they cost, under these tools, footfall, and a trace function in C.

    python bench/old_tables.py [--runs 5] [--table profilers|pybench|loop]

profilers  `fib` and `fib2`, of recursive calls and nothing else: beside yappi, cProfile and pyinstrument
pybench    rounds of calls, of operations on dicts and on strings, in the manner of pybench: beside yappi
loop       `while i: i -= f()`: beside coverage.py, also on PyPy

Run it by an interpreter that has footfall and the tools; those that it lacks are left out. Ratios are of the CPU time
(process time, with all threads) of the hot part to the bare one in the same round: medians, and their quartiles, of
interleaved rounds after one that is not counted. The floor is a trace function in C that does nothing (`floor`); no
tool that traces every line can cost less.
"""

import argparse
import importlib.util
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import sysconfig
import tempfile

from hot_part import hot_seconds

_FIB = """
def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)
def fib2(n):
    return n if n < 2 else fib2(n - 1) + fib2(n - 2)
"""
PROGRAMS = {
    "fib": _FIB + "def work(n):\n    for _ in range(n): fib(18)\n",
    "fib, fib2": _FIB + "def work(n):\n    for _ in range(n): fib(16), fib2(17)\n",
    "calls": """
class Thing:
    def method(self, one, two):
        return one
def plain():
    pass
def with_defaults(one, two=2, three=3):
    return two
def work(n):
    thing = Thing()
    for number in range(20 * n):
        plain(); plain(); plain(); plain()
        with_defaults(1); with_defaults(1, 3); with_defaults(1, three=number)
        thing.method(1, 2); thing.method(number, 3); thing.method(1, two=2)
        len(()); abs(-1); isinstance(number, int); max(1, number)
""",
    "dicts": """
def work(n):
    names = {}
    numbers = {}
    for number in range(40 * n):
        made = {"one": 1, "two": 2, "three": 3}
        made = {}
        names["one"] = 1; names["two"] = 2; names["three"] = 3
        names["one"]; names["two"]; names["three"]
        numbers[number % 7] = number; numbers[1] = 2; numbers[number % 7]
        "one" in names; "four" in names; 5 in numbers
""",
    "strings": """
def work(n):
    one, two = "".join(map(str, range(100))), "".join(map(str, range(1, 101)))
    for number in range(20 * n):
        one + two; two + one; one + "x"
        one < two; one == two; one > two; one != two
        one[50:]; one[:25]; one[50:55]; one[-1:]
        one.upper(); one.split("9"); one.isdigit(); one.replace("1", "2")
""",
    "while i: i -= f()": """
def f():
    return 1
def work(n):
    i = 5_000 * n
    while i:
        i -= f()
""",
}
_BEFORE = {
    "yappi": "import yappi; yappi.start()",
    "cProfile": "import cProfile; cProfile.Profile().enable()",
    "pyinstrument": "import pyinstrument; pyinstrument.Profiler().start()",
    "floor": "import ctypes; ctypes.pythonapi.PyEval_SetTrace(ctypes.PyDLL('./floor.so').trace_nothing, None)",
}
"""What each tool that the program starts itself needs before the hot part."""
TABLES = {
    "profilers": (("fib", "fib, fib2"), ("footfall", "footfall, profile alone", "yappi", "cProfile", "pyinstrument")),
    "pybench": (("calls", "dicts", "strings"), ("footfall", "footfall, profile alone", "yappi")),
    "loop": (("while i: i -= f()",), ("footfall", "coverage ctrace", "coverage default", "floor")),
}
_FLOOR = """
#include <Python.h>
int trace_nothing(PyObject *self, PyFrameObject *frame, int what, PyObject *argument) { return 0; }
"""
_TIMED = """
import sys, time
n = int(sys.argv[1])
work(n // 10 + 1)
{before}
begin = time.process_time()
work(n)
print(time.process_time() - begin, file=sys.stderr)
"""
_SECONDS = 0.3
"""Of the bare program, about."""
_LESS_WORK = {"yappi": 10} if sys.implementation.name == "cpython" else {"coverage default": 200}
"""How many times less work a tool gets that would take minutes; its time is multiplied by the same number."""


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5, help="counted rounds (default 5)")
    parser.add_argument("--table", action="append", choices=list(TABLES), help="repeatable; default: all")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="footfall-tables-") as name:
        directory = pathlib.Path(name)
        has_floor = _compile_floor(directory)
        for table in options.table or TABLES:
            programs, wanted = TABLES[table]
            tools = ["bare", *(tool for tool in wanted if _is_here(tool, has_floor=has_floor))]
            print(f"\n| {table} | bare, s | {' | '.join(tools[1:])} |\n|{'---|' * (len(tools) + 1)}")
            for program in programs:
                print(_row(program, tools, directory, options.runs), flush=True)


def _is_here(tool: str, *, has_floor: bool) -> bool:
    is_cpython = sys.implementation.name == "cpython"
    if tool == "floor":
        return has_floor
    if tool in ("cProfile", "coverage ctrace"):  # PyPy's are in Python
        return is_cpython
    return importlib.util.find_spec(tool.partition(",")[0].partition(" ")[0]) is not None


def _compile_floor(directory: pathlib.Path) -> bool:
    """Make `floor.so`; return whether that went well."""
    compiler = shutil.which("cc")
    if compiler is None or sys.implementation.name != "cpython":
        return False
    (directory / "floor.c").write_text(_FLOOR, encoding="utf-8")
    command = [compiler, "-O2", "-shared", "-fPIC", f"-I{sysconfig.get_path('include')}", "floor.c", "-o", "floor.so"]
    return subprocess.run(command, cwd=directory, stderr=subprocess.DEVNULL, check=False).returncode == 0


def _row(program: str, tools: list[str], directory: pathlib.Path, runs: int) -> str:
    n_rounds = _rounds_in(program, directory)
    taken: dict[str, list[float]] = {tool: [] for tool in tools}
    for number in range(runs + 1):
        turn = number % len(tools)
        for tool in [*tools[turn:], *tools[:turn]]:
            less = _LESS_WORK.get(tool, 1)
            seconds = _seconds(program, tool, directory, max(1, n_rounds // less))
            if number:
                taken[tool].append(seconds * n_rounds / max(1, n_rounds // less))
    cells = [_ratio(taken[tool], taken["bare"]) for tool in tools[1:]]
    return f"| `{program}` | {statistics.median(taken['bare']):.2f} | {' | '.join(cells)} |"


def _rounds_in(program: str, directory: pathlib.Path) -> int:
    """Return the argument of `work` that takes about _SECONDS; compilers take their time before it is any guide."""
    n_rounds = 10
    while (seconds := _seconds(program, "bare", directory, n_rounds)) < _SECONDS / 2:
        n_rounds *= 2 if seconds > _SECONDS / 20 else 8
    return max(1, round(n_rounds * _SECONDS / seconds))


def _ratio(taken: list[float], bare: list[float]) -> str:
    ratios = [one / other for one, other in zip(taken, bare, strict=True)]
    low, median, high = statistics.quantiles(ratios, n=4, method="inclusive") if len(ratios) > 1 else ratios * 3
    return f"{median:.2f}x ({low:.2f}-{high:.2f})"


def _seconds(program: str, tool: str, directory: pathlib.Path, n_rounds: int) -> float:
    """Run a program under a tool; return the CPU seconds of its hot part."""
    script = directory / "program.py"
    script.write_text(PROGRAMS[program] + _TIMED.format(before=_BEFORE.get(tool, "")), encoding="utf-8")
    prefix = [sys.executable]
    if tool.startswith("footfall"):
        footfall = os.path.join(sysconfig.get_path("scripts"), "footfall")
        prefix = [footfall, "run", "--quiet", *(["--no-cover"] if "alone" in tool else []), sys.executable]
    elif tool.startswith("coverage"):
        prefix += ["-m", "coverage", "run", "--branch"]
    core = "ctrace" if "ctrace" in tool else ""
    return hot_seconds([*prefix, str(script), str(n_rounds)], core, directory)


if __name__ == "__main__":
    main()
