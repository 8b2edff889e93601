"""Sources in odd texts and odd places under footfall and the C tracer: the same answers, file by file.

One program loads them all: other encodings and line ends, form feeds, zip files, namespace packages, doctest, text
that is compiled and run, packages that are run. Random programs (test_exact.py) are plain files that are imported.
"""

import json
import os
import pathlib
import subprocess
import sys
import zipfile
from typing import Any

import pytest

from conftest import COMMAND

pytest.importorskip("coverage", minversion="7.17")
if sys.implementation.name != "cpython":
    pytest.skip("the C tracer is for CPython", allow_module_level=True)

CHOOSE = """\
def choose(a, b=0):
    if a: return 1
    for i in range(b):
        if i == 1: break
    else:
        b = 2
    try:
        if a or b: raise ValueError
    except ValueError: b += 1
    finally:
        if a:
            b = 5
    return b
choose(0)
"""

CONFIGURATION = r"""
[run]
branch = true
[report]
exclude_also =
    def __repr__
    if TYPE_CHECKING:
    (?s:# begin left out.*?# end left out)
    \A(?s:.*left out as a whole.*)\Z
    class .*\bProtocol\):
    except ImportError:
partial_also =
    if .*never
    while .*forever
"""

FILES: dict[str, bytes] = {
    "latin.py": b"# -*- coding: latin-1 -*-\ntext = '\xe9\xe8 \xa0'\nif text == '\xe9': x = '\xff'; y = 1\nelse: y = '\xfc'\n"
    + CHOOSE.encode(),
    "second_line.py": b"#!/usr/bin/env python\n# vim: set fileencoding=cp1252 :\nif '\x80' == '\\u20ac': x = 1\nelse: x = 2\n",
    "shift_jis.py": "# coding: shift_jis\nx = '表示\\\\'\nif x: y = '能'; z = 1\nelse: z = 2\n".encode("shift_jis"),
    "utf8_wide.py": "x = 'ä' * 2; é = 1\nif é: y = '→'; z = [é\n    for é in (1, 2) if é]\nelse: z = '€'\n".encode(),
    "mark.py": b"\xef\xbb\xbf" + CHOOSE.encode(),
    "mark_and_crlf.py": b"\xef\xbb\xbf" + CHOOSE.replace("\n", "\r\n").encode(),
    "crlf.py": CHOOSE.replace("\n", "\r\n").encode() + b"x = '''a\r\nb'''\r\nif not x: y = (1 +\\\r\n    2)\r\nz = 3",
    "old_mac.py": CHOOSE.replace("\n", "\r").encode(),
    "mixed_ends.py": b"x = 1\r\nif x:\n    y = 1\r\nelse:\n    y = 2\r\n\r\n\nz = 3\n",
    "form_feeds.py": b"x = 1\n\x0c\ndef f(a):\n    if a:\n   \x0c\n        return 1\n    return 2\n\x0c\n"
    b"f(0)\nif x: y = 1\x0c\nelse: y = 2\n",
    "tabs.py": b"def f(a):\n\tif a:\n\t\treturn 1\n\telse: return 2\nf(1)\nif 0:\n\tx = 1\n",
    "unicode_lines.py": "x = 'a\u2028b\x85c'  # \u2028 \x1c\nif x: y = 1\nelse: y = '\x0b\x1d'\nz = 1\n".encode(),
    "no_last_newline.py": b"x = 0\nif x: y = 1\nwhile x: x = 1",
    "backslashes.py": b"x = 1\nif x and \\\n   not \\\n   x:\n    y = 1\nelif \\\n    x: y = 2; \\\n    z = 3\n"
    b"with open(__file__) \\\n        as f, \\\n        open(__file__): q = 1\nassert x, \\\n    'no'\n",
    "empty.py": b"",
    "only_comments.py": b"# one\n\n# two\n",
    "only_text.py": b'"""Text,\nand no more."""\n',
    "future.py": b'"""Text."""\nfrom __future__ import annotations\nfrom typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    x = 1\n'
    b"def f(a: b, *c: d) -> e: return a\nf(1)\n",
    "left_out.py": b"x = 0\nProtocol = object\nclass A:\n    def __repr__(self):\n        if x: return 'b'\n        return 'a'\n"
    b"# begin left out\nif x:\n    y = 1\nelse:\n    y = 2\n# end left out\nif x: z = 1  # pragma: no branch\n"
    b"if x: z = 2  # pragma: no cover\nelse: z = 3\nif 'never' == x: z = 4\nclass P(Protocol):\n    def m(self): ...\n"
    + b"try: import math\nexcept ImportError:\n    math = None\nfor i in (1, 2):  # pragma: no cover\n    if i: z = 5\n"
    b"def g():  # pragma: no cover\n    if x:\n        return 1\nwhile x or 'forever':\n    break\n",
    "whole.py": b"x = 1\n# left out as a whole\nif x:\n    y = 1\n",
    "nested/space/leaf.py": CHOOSE.encode(),
    "nested/space/other/leaf.py": b"from nested.space import leaf\nif leaf.choose(1) == 2:\n    x = 1\n",
    "package/__init__.py": b"from . import part\nfrom .part import f as g\nif g(0): x = 1\n",
    "package/part.py": b"def f(a):\n    if a:\n        return 1\n    return 0\n",
    "package/__main__.py": b"import sys\nif __name__ == '__main__': x = 1\nelse: x = 2\nif x == 2:\n    y = 1\n",
    "with_doctest.py": b'"""\n>>> f(1)\n1\n>>> for i in range(2):\n...     _ = f(i)\n"""\ndef f(a):\n'
    b'    """\n    >>> f(0)\n    0\n    """\n    if a: return 1\n    elif a is None:\n        return 5\n    return 0\n',
    "compiled_text.py": CHOOSE.encode(),
    "compiled_bytes.py": b"# coding: latin-1\nx = '\xe9'\n" + CHOOSE.encode(),
    "compiled_tree.py": CHOOSE.encode(),
    "compiled_twice.py": CHOOSE.encode() + b"if RUNS == 1:\n    x = 1\nelse: x = 2\n",
    "run_by_path.py": CHOOSE.encode() + b"if __name__ == 'other':\n    x = 1\n",
    "pieces.py": b"def f(a):\n    if a: return 1\n    return 2\n\n\nif f(0):\n    x = 1\n",
    "type_comments.py": b"x = []  # type: list[int]\nfor i in x:  # type: int\n    pass\n",
    "cyclic_a.py": b"import cyclic_b\nx = 1\ndef f():\n    return cyclic_b.g(0)\nf()\n",
    "cyclic_b.py": b"import cyclic_a\ndef g(a):\n    if a: return 1\n    return 2\nif hasattr(cyclic_a, 'x'): y = 1\n",
    "reloaded.py": b"import sys\nRUNS = globals().get('RUNS', 0) + 1\nif RUNS == 2:\n    x = 1\nelif RUNS == 3: x = 2\n",
}
"""Name to content. Every file here is loaded once by START."""

IN_ZIP = {
    "zipped.py": CHOOSE.encode(),
    "zipped_package/__init__.py": b"from . import inner\n",
    "zipped_package/inner.py": b"# coding: latin-1\nx = '\xe9'\nif x: y = 1\nelse: y = 2\n",
    "zipped_crlf.py": CHOOSE.replace("\n", "\r\n").encode(),
}

START = """\
import ast, doctest, importlib, importlib.util, pathlib, runpy, sys, threading
for name in NAMES:
    importlib.import_module(name)
sys.path.append('bundle.zip')
import zipped, zipped_package, zipped_crlf
doctest.testmod(importlib.import_module('with_doctest'))
exec(compile(pathlib.Path('compiled_text.py').read_text(), 'compiled_text.py', 'exec'), {})
exec(compile(pathlib.Path('compiled_bytes.py').read_bytes(), str(pathlib.Path('compiled_bytes.py').resolve()), 'exec'), {})
source = pathlib.Path('compiled_tree.py').read_text()
exec(compile(ast.parse(source, 'compiled_tree.py'), 'compiled_tree.py', 'exec'), {})
for runs in (1, 2):
    exec(compile(pathlib.Path('compiled_twice.py').read_text(), 'compiled_twice.py', 'exec'), {'RUNS': runs})
runpy.run_path('run_by_path.py', run_name='other')
runpy.run_module('package', run_name='__main__')
import reloaded
importlib.reload(reloaded)
spec = importlib.util.spec_from_file_location('any_name', 'pieces.py')
module = importlib.util.module_from_spec(spec)
thread = threading.Thread(target=spec.loader.exec_module, args=[module])
thread.start()
thread.join()
"""

_LOADED_OTHERWISE = (
    "package/", "with_doctest", "compiled_", "run_by_path", "pieces", "reloaded", "cyclic_b",
)  # fmt: skip


def _write_project(folder: pathlib.Path) -> None:
    names = []
    for name, content in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
        if not name.startswith(_LOADED_OTHERWISE):
            names.append(name[:-3].replace("/", "."))
    with zipfile.ZipFile(folder / "bundle.zip", "w") as bundle:
        for name, content in IN_ZIP.items():
            bundle.writestr(name, content)
    (folder / "start.py").write_text(START.replace("NAMES", repr(names)))
    (folder / ".coveragerc").write_text(CONFIGURATION)


def _run(folder: pathlib.Path, *command: str, **variables: str) -> None:
    environment = {**os.environ, "PYTHONHASHSEED": "0", **variables}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "[" not in done.stderr, done.stderr  # a message has a slug


def _report(folder: pathlib.Path, *command: str) -> dict[str, Any]:
    _run(folder, *command)
    report: dict[str, Any] = json.loads((folder / "report.json").read_text())
    return report["files"]


@pytest.fixture(scope="module", params=["default", "settrace"])
def reports(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any, Any]:
    """What footfall reports of its data, coverage.py of footfall's, and coverage.py of what its C tracer recorded."""
    folder = tmp_path_factory.mktemp("sources")
    _write_project(folder)
    engine = {} if request.param == "default" else {"FOOTFALL_ENGINE": request.param}
    footfall = [COMMAND]
    coverage = [sys.executable, "-m", "coverage"]
    _run(folder, *coverage, "run", "--data-file=theirs", "start.py", COVERAGE_CORE="ctrace")
    _run(folder, *footfall, "run", "-q", "--no-profile", "--data-file=ours", "start.py", **engine)
    options = ["-o", "report.json", "-q"]
    ours = _report(folder, *footfall, "json", "--data-file=ours", *options)
    ours_by_theirs = _report(folder, *coverage, "json", "--data-file=ours", *options)
    theirs = _report(folder, *coverage, "json", "--data-file=theirs", *options)
    return ours, ours_by_theirs, theirs


def test_the_same_files_are_measured(reports) -> None:
    """Wherever a source comes from, it is measured, once and under the same name."""
    ours, ours_by_theirs, theirs = reports
    assert sorted(ours) == sorted(ours_by_theirs) == sorted(theirs)
    everything = FILES.keys() | {f"bundle.zip/{name}" for name in IN_ZIP}
    assert everything <= {name.replace(os.sep, "/") for name in theirs}


@pytest.mark.parametrize("name", [*FILES, *(f"bundle.zip/{name}" for name in IN_ZIP), "start.py"])
def test_answers_are_those_of_the_c_tracer(reports, name: str) -> None:
    """Lines, exclusions, branches and totals of the file are equal, also when coverage.py reads our data."""
    ours, ours_by_theirs, theirs = reports
    assert _numbers(ours[name]) == _numbers(theirs[name])
    assert _numbers(ours_by_theirs[name]) == _numbers(theirs[name])


def _numbers(report: dict[str, Any]) -> dict[str, Any]:
    parts = ("executed_lines", "missing_lines", "excluded_lines", "executed_branches", "missing_branches", "summary")
    return {part: report[part] for part in parts}
