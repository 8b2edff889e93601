"""Programs whose source says what must have run: every statement, except those on lines marked `# missed`.

Lines marked `# any` may have run: interpreters differ in whether they report them. A branching line may be marked with
the directions it must have taken: `# true` (into its body, which begins on the next line), `# false` (anywhere else) or
`# both`.
"""

from __future__ import annotations

import ast
import pathlib
import re
import textwrap

from footfall.record.data.coverage_tables import StoredCoverage

__all__ = ["check_marks", "differences", "write_program"]

_WAYS = {"true": {True}, "false": {False}, "both": {True, False}}


def write_program(path: pathlib.Path, text: str) -> pathlib.Path:
    """Write a program, without its indentation and the empty line before it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(text).lstrip("\n"), encoding="utf-8")
    return path


def _statements(source: str) -> set[int]:
    """Return the first lines of statements that the compiler generates code for."""
    nodes = list(ast.walk(ast.parse(source)))
    lines = {node.lineno for node in nodes if isinstance(node, ast.stmt)}
    return lines - {node.lineno for node in nodes if isinstance(node, ast.Global | ast.Nonlocal) or _is_text(node)}


def _is_text(node: ast.AST) -> bool:
    """Return whether a node is a docstring, or text that nothing uses."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def differences(path: pathlib.Path, data: StoredCoverage, has_branches: bool = True) -> list[str]:
    """Return where the data differs from the marks of one program; without branches, directions are ignored."""
    source = path.read_text(encoding="utf-8")
    texts = dict(enumerate(source.splitlines(), 1))
    stored = data.files.get(str(path.resolve()))
    ran = stored.lines if stored is not None else set()
    arcs = stored.arcs if stored is not None else set()
    found = []
    for line in sorted(_statements(source)):
        marks = set(re.findall(r"\w+", texts[line].partition("  # ")[2]))
        if "any" not in marks and (line in ran) == ("missed" in marks):
            found.append(f"{path.name}:{line}: {'ran' if line in ran else 'did not run'}: {texts[line]}")
        for mark in marks & set(_WAYS) if has_branches else ():
            taken = {to == line + 1 for start, to in arcs if start == line}
            if taken != _WAYS[mark]:
                found.append(f"{path.name}:{line}: not {mark}: {texts[line]}")
    return found


def check_marks(folder: pathlib.Path, data: StoredCoverage, has_branches: bool = True) -> None:
    """Fail with the differences of all programs in a folder."""
    programs = sorted(folder.rglob("*.py"))
    assert programs
    found = [line for path in programs for line in differences(path, data, has_branches)]
    if found:
        raise AssertionError("\n".join(found))
