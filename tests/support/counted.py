"""Costs that can be counted and so are the same under any load, and the figures of them that are on record.

    python tests/support/counted.py [--update]

prints what is above the record for this Python; with --update it writes the record anew, in `counts.json` beside this
file. Update it in the commit that changes a cost, and say there why.

`start`: modules of footfall that a measured process has loaded when the program begins. `commands`: for each, the
number of footfall's modules, other packages, and what it takes from the standard library, beyond what click loads.
`left`: places in the bytecode of a warm program that are still instrumented, by kind; each costs a call whenever it is
passed. `always`: events that are reported for all code, however often they come.
"""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
import tempfile
from typing import Any

__all__ = ["MARGIN", "NAME", "count", "grown", "recorded"]

NAME = f"{sys.implementation.name} {sys.version_info[0]}.{sys.version_info[1]}"
MARGIN = 0.03
"""What a number may be above its record, as a part of it: a module more in a command of a hundred is no event."""
_RECORD = pathlib.Path(__file__).with_name("counts.json")
_COMMAND = [sys.executable, "-m", "footfall"]
_HAS_MONITORING = sys.implementation.name == "cpython" and sys.version_info >= (3, 14)

_PROGRAM = """
import sys
loaded = sorted(name for name in sys.modules if name.partition(".")[0] == "footfall")
left, always = {}, []

def choose(n):
    return n if n < 2 else choose(n - 1) + choose(n - 2)

class Thing:
    def __init__(self, n):
        self.n = n
    def is_odd(self):
        if self.n % 2:
            return True
        return False

def rows(n):
    for i in range(n):
        yield i

def work(n):
    total = 0
    for i in rows(n):
        try:
            if Thing(i).is_odd() and i > 3:
                total += i
            else:
                raise ValueError
        except ValueError:
            total -= 1
        finally:
            total += choose(3)
    while total > 0:
        total -= n
    return [x for x in range(n) if x % 3]

if len(sys.argv) > 2:
    import dis
    for _ in range(100):
        work(10)
    for function in (choose, Thing.__init__, Thing.is_odd, rows, work):
        for each in dis.get_instructions(function, adaptive=True):
            if each.opname.startswith("INSTRUMENTED"):
                left[each.opname] = left.get(each.opname, 0) + 1
    monitoring = sys.monitoring
    tool = next(tool for tool in range(6) if monitoring.get_tool(tool) == "footfall")
    events = monitoring.get_events(tool)
    always = sorted(name for name, event in vars(monitoring.events).items() if event and event & events == event)
with open(sys.argv[1], "w") as file:
    import json
    json.dump({"start": loaded, "left": left, "always": always}, file)
"""

_DRIVER = """
import os, sys
import click
before = {*sys.modules, "footfall"}
from footfall.__main__ import main
import footfall.cli.main
for number, words in enumerate(%r):
    if os.fork() == 0:
        nowhere = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(nowhere, stream)
        try:
            main(arguments=words)
        except SystemExit as end:
            status = end.code
        loaded = sorted({*sys.modules} - before)
        import json
        with open(f"loaded-{number}", "w") as file:
            json.dump([status, loaded], file)
        os._exit(0)
    os.wait()
"""
_COMMANDS = {
    "report": ["report"],
    "report --by": ["report", "--by=function"],
    "json": ["json", "-o", "x.json"],
    "xml": ["xml", "-o", "x.xml"],
    "lcov": ["lcov", "-o", "x.lcov"],
    "html": ["html", "-d", "site"],
    "flame": ["flame", "-o", "x.html"],
    "export": ["export", "--format=collapsed", "-o", "x.txt"],
    "gaps": ["gaps"],
    "diff": ["diff", ".coverage", ".coverage"],
    "combine": ["combine", "--keep", ".coverage", "--data-file=x.data"],
    "run": ["run", "--quiet", "--data-file=y.data", sys.executable, "-c", ""],
    "erase": ["erase"],
}


def count() -> dict[str, Any]:
    """Return the figures of this Python."""
    with tempfile.TemporaryDirectory(prefix="footfall-counts-") as name:
        directory = pathlib.Path(name)
        (directory / "program.py").write_text(_PROGRAM, encoding="utf-8")
        options = [
            "--quiet",
            "--source=.",
            sys.executable,
            "program.py",
            "found",
            *(["left"] if _HAS_MONITORING else []),
        ]
        subprocess.run([*_COMMAND, "run", *options], cwd=directory, check=True)
        found: dict[str, Any] = json.loads((directory / "found").read_text(encoding="utf-8"))
        found["start"] = [name.removeprefix("footfall.") for name in found["start"]]
        if not _HAS_MONITORING:
            del found["left"], found["always"]
        driver = _DRIVER % list(_COMMANDS.values())
        subprocess.run([sys.executable, "-c", driver], cwd=directory, check=True)
        found["commands"] = {
            command: _modules((directory / f"loaded-{number}").read_text(encoding="utf-8"))
            for number, command in enumerate(_COMMANDS)
        }
        return found


def _modules(loaded: str) -> dict[str, Any]:
    status, names = json.loads(loaded)
    assert status == 0, loaded
    tops = {name.partition(".")[0] for name in names} - {"footfall"}
    return {
        "footfall": sum(name.startswith("footfall.") for name in names),
        "packages": sorted(tops - sys.stdlib_module_names),
        "library": sorted(name for name in tops & sys.stdlib_module_names if not name.startswith("_")),
    }


def recorded() -> dict[str, Any]:
    """Return the figures on record for this Python, none for one that was never counted."""
    return dict(_read().get(NAME, {}))


def _read() -> dict[str, Any]:
    return dict(json.loads(_RECORD.read_text(encoding="utf-8"))) if _RECORD.exists() else {}


def grown(found: dict[str, Any], on_record: dict[str, Any], of: str = "") -> list[str]:
    """Return a line for each figure that is above the record: what a list has more, a number by more than MARGIN."""
    lines = []
    for key, ours in sorted(found.items()):
        name, theirs = f"{of}{key}", on_record.get(key)
        if isinstance(ours, dict):
            lines += grown(ours, theirs or {}, f"{name}, ")
        elif isinstance(ours, list):
            lines += [f"{name}: {each} is new" for each in ours if each not in (theirs or [])]
        elif ours > (theirs or 0) * (1 + MARGIN):
            lines.append(f"{name}: {ours}, on record {theirs}")
    return lines


def main() -> int:
    """Compare, or update."""
    found = count()
    lines = grown(found, recorded())
    is_update = "--update" in sys.argv[1:]
    if is_update:
        record = {**_read(), NAME: found}
        _RECORD.write_text(json.dumps(record, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    print("\n".join(lines) or "nothing above the record")
    return 1 if lines and not is_update else 0


if __name__ == "__main__":
    os.environ.pop("FOOTFALL_RUN", None)
    sys.exit(main())
