"""A project with a template engine, sources that were translated to Python, and a plugin of coverage.py for both."""

from __future__ import annotations

import pathlib
import sqlite3
from typing import Any, Final

__all__ = ["FILES", "PLUGIN", "read_traced", "write_project"]

PLUGIN: Final = """\
import os
import coverage


class Lines(coverage.CoveragePlugin, coverage.FileTracer):
    def __init__(self, options):
        self.engine = options["engine"]

    def file_tracer(self, filename):
        if os.path.basename(filename) == self.engine:
            return self
        return Static(filename) if filename.endswith("_tpl.py") else None

    def has_dynamic_source_filename(self):
        return True

    def dynamic_source_filename(self, filename, frame):
        return frame.f_locals["self"].filename if frame.f_code.co_name == "render" else None

    def line_number_range(self, frame):
        node = frame.f_locals["self"]
        return node.line, node.last

    def file_reporter(self, filename):
        return Reporter(filename)

    def find_executable_files(self, src_dir):
        for directory, _, names in os.walk(src_dir):
            yield from (os.path.join(directory, name) for name in names if name.endswith((".tpl", ".src")))


class Static(coverage.FileTracer):
    def __init__(self, filename):
        self.filename = filename

    def source_filename(self):
        return self.filename.replace("_tpl.py", ".src")

    def line_number_range(self, frame):
        line = frame.f_lineno
        return (-1, -1) if line == 3 else (line * 2, line * 2 + 1)


class Reporter(coverage.FileReporter):
    def lines(self):
        return {number for number, line in enumerate(self.source().splitlines(), 1) if line.strip()}

    def excluded_lines(self):
        return {number for number, line in enumerate(self.source().splitlines(), 1) if "no cover" in line}

    def translate_lines(self, lines):
        return {line - 1 if line == 20 else line for line in lines}

    def arcs(self):
        return {(start, start + step) for start in self.lines() for step in (1, 2)}

    def exit_counts(self):
        return {start: 2 for start in self.lines() if start % 3 == 1}

    def no_branch_lines(self):
        return {4}

    def missing_arc_description(self, start, end, executed_arcs=None):
        return f"{start} never came to {end}"

    def source_token_lines(self):
        for line in self.source().splitlines():
            yield [("key", line[:2]), ("txt", line[2:])]


def coverage_init(registry, options):
    registry.add_file_tracer(Lines(options))
"""

_ENGINE: Final = """\
class Node:
    def __init__(self, filename, line, text):
        self.filename = filename
        self.line = line
        self.last = line + text.count("+")
        self.text = text.strip("+")

    def render(self, out):
        if not self.text:
            raise ValueError("empty")
        out.append(
            self.text
        )
        for _ in range(2): out.append("")
        return out


class Template:
    def __init__(self, filename):
        self.filename = filename
        with open(filename) as file:
            self.lines = file.read().splitlines()

    def nodes(self):
        for number, text in enumerate(self.lines, 1):
            yield Node(self.filename, number, text)

    def render_all(self, chosen):
        out = []
        for node in self.nodes():
            if node.line in chosen:
                node.render(out)
        return out
"""

_TRANSLATED: Final = """\
def numbers(n):
    while n:
        n -= 1
        got = yield n
        yield (
            n,
            got)
    return n
def fails(x):
    return 1 / x
one = lambda x: [y for y in x]
class Held:
    attribute = 1
"""

_MAIN: Final = """\
import os
import threading
import engine
import gen_tpl


def helper(x):
    if x:
        return 1
    return 2


engine.Template("a.tpl").render_all({1, 2, 5})
try:
    engine.Template("a.tpl").render_all({4})
except ValueError:
    pass
steps = gen_tpl.numbers(2)
next(steps)
steps.send(5)
list(steps)
try:
    gen_tpl.fails(0)
except ZeroDivisionError:
    pass
gen_tpl.one([1, 2])
pid = os.fork()
if not pid:
    engine.Template("forked.tpl").render_all({1})
    raise SystemExit
os.waitpid(pid, 0)
thread = threading.Thread(target=engine.Template("b.tpl").render_all, args=({2},))
thread.start()
thread.join()
helper(0)
"""

FILES: Final = {
    "my_plugin.py": PLUGIN,
    "engine.py": _ENGINE,
    "gen_tpl.py": _TRANSLATED,
    "main.py": _MAIN,
    "a.tpl": "one\ntwo+\nthree\n\nfive <&>\nsix no cover\n",
    "b.tpl": "first\nsecond\n",
    "forked.tpl": "once\n",
    "sub/never.tpl": "never\nat all\n",
    "gen.src": "".join(f"line {number}\n" for number in range(1, 30)),
    ".coveragerc": "[run]\nplugins = my_plugin\nbranch = true\n[my_plugin]\nengine = engine.py\n",
}


def write_project(directory: pathlib.Path, **changed: str) -> None:
    """Write the files; `changed` replaces some of them by name, with "_" instead of a dot."""
    for name, text in FILES.items():
        path = directory / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(changed.get(name.replace(".", "_"), text))


def read_traced(path: pathlib.Path) -> dict[tuple[str, str, str], list[Any]]:
    """Return, by (file, plugin, context), the arcs, or the lines as numbits, of the plugins' files in a data file."""
    found: dict[tuple[str, str, str], list[Any]] = {}
    connection = sqlite3.connect(path)
    try:
        query = "select path, tracer from file join tracer on tracer.file_id = file.id"
        for name, tracer in connection.execute(query):
            found[pathlib.Path(name).name, tracer, "-"] = []
        for table, columns in (("arc", "fromno, tono"), ("line_bits", "numbits")):
            query = (
                f"select path, tracer, context, {columns} from {table} join file on file.id = {table}.file_id"
                f" join context on context.id = context_id join tracer on tracer.file_id = file.id order by {columns}"
            )
            for name, tracer, context, *row in connection.execute(query):
                found.setdefault((pathlib.Path(name).name, tracer, context), []).append(tuple(row))
    finally:
        connection.close()
    return found
