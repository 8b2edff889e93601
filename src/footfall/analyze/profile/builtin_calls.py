"""Time in built-in functions: a separate frame below the line that called one, if that is certain.

The sampler sees Python frames. A frame that is at a call without a Python frame below it is in C code, or about to
make the call. If the interpreter had specialized the call to a C function (`Profile.native_calls`), it is in C code,
and the source may tell the name. Otherwise only the source can tell: if the name is a built-in's that the file does not
rebind, or an attribute of a module that is part of the interpreter (`time.sleep`).

Pure except for `read_source`. Used by flame graphs and exports.
"""

from __future__ import annotations

import ast
import builtins
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from footfall.analyze.profile.calltree import Function, Profile
from footfall.analyze.source.parse import PARSE_ERRORS, parse_source
from footfall.formats import COLLECTOR_PATH
from footfall.record.data.timelines import TreeNode

__all__ = ["find_builtin_calls", "mark_builtin_calls"]

_BUILT_IN = frozenset(name for name in dir(builtins) if callable(getattr(builtins, name)) and not name.startswith("_"))
_MODULES = frozenset(sys.builtin_module_names)

_Place = tuple[int, int, int, int]
"""First line and column, last line and column."""


class _Call(NamedTuple):
    """The name that a call uses ("" for none), and whether that is certainly a built-in function."""

    name: str
    is_sure: bool


def mark_builtin_calls(
    profile: Profile, read_source: Callable[[str], bytes | None], *, only_adapted: bool = False
) -> Profile:
    """Return the profile with a frame `<built-in> NAME` below each frame that was in a built-in function.

    Its path and line are those of the call, so that times by line and file do not change. `read_source` returns a
    file's text, or None if it can't be read. With `only_adapted` only calls that the interpreter had specialized count,
    which is much faster: no file is parsed.
    """
    if not profile.native_calls and (only_adapted or all(frame.column is None for frame in profile.frames)):
        return profile  # no call can be found
    callers = {
        node.parent
        for node in profile.nodes[1:]
        if profile.frames[node.frame].function.path != COLLECTOR_PATH  # called by whatever runs, Python or C
    }
    with_calls = {profile.nodes[node].frame for node in callers} - profile.native_calls
    find_call = (_CallsInText if only_adapted else _CallsInSources)(read_source).find
    found = replace(profile, frames=list(profile.frames), nodes=list(profile.nodes), costs={})
    frame_ids: dict[int, int] = {}
    node_ids: dict[int, int] = {}
    for (node, thread, context), cost in profile.costs.items():
        frame_id = profile.nodes[node].frame
        if node and frame_id not in with_calls and node not in node_ids:
            if frame_id not in frame_ids:
                frame_ids[frame_id] = -1
                if frame_id in profile.native_calls or not only_adapted:
                    frame_ids[frame_id] = _add_frame(found, frame_id, find_call)
            if frame_ids[frame_id] >= 0:
                node_ids[node] = len(found.nodes)
                found.nodes.append(TreeNode(node, frame_ids[frame_id]))
        found.costs[node_ids.get(node, node), thread, context] = cost
    found.timelines = profile.timelines.replace_nodes(node_ids)
    return found


def _add_frame(profile: Profile, number: int, find_call: Callable[[str, _Place], _Call | None]) -> int:
    """Add the frame of the built-in that frame `number` calls; return its number, -1 if it calls none."""
    frame = profile.frames[number]
    path = frame.function.path
    call = None
    if frame.column is not None and frame.end_column is not None:
        call = find_call(path, (frame.line, frame.column, frame.end_line, frame.end_column))
    if number not in profile.native_calls and (call is None or not call.is_sure):
        return -1
    name = f"<built-in> {call.name}" if call is not None and call.name else "<built-in>"
    profile.frames.append(frame._replace(function=Function(path, name, frame.line)))
    return len(profile.frames) - 1


class _CallsInSources:
    """The calls in whole files, which are parsed when first asked for."""

    def __init__(self, read_source: Callable[[str], bytes | None]) -> None:
        self._read_source = read_source
        self._calls: dict[str, dict[_Place, _Call]] = {}

    def find(self, path: str, place: _Place) -> _Call | None:
        """Return the call at a place of a file."""
        if path not in self._calls:
            text = self._read_source(path)
            self._calls[path] = {} if text is None else _find_calls(text)
        return self._calls[path].get(place)


class _CallsInText:
    """Single calls, by their text. Nothing else in the file is looked at, so no call is certain to be a built-in's."""

    def __init__(self, read_source: Callable[[str], bytes | None]) -> None:
        self._read_source = read_source
        self._lines: dict[str, list[bytes]] = {}

    def find(self, path: str, place: _Place) -> _Call | None:
        """Return the call at a place of a file."""
        if path not in self._lines:
            self._lines[path] = (self._read_source(path) or b"").split(b"\n")
        line, column, end_line, end_column = place
        lines = self._lines[path][line - 1 : end_line]
        if len(lines) != end_line - line + 1:
            return None
        lines[-1] = lines[-1][:end_column]
        lines[0] = lines[0][column:]
        try:
            node = ast.parse(b"(" + b"\n".join(lines) + b"\n)", mode="eval").body
        except PARSE_ERRORS:
            return None
        return _Call(_written_name(node.func), is_sure=False) if isinstance(node, ast.Call) else None


def _written_name(callee: ast.expr) -> str:
    """Return the name that a call uses, the last part of a dotted one; "" if it has none."""
    return callee.id if isinstance(callee, ast.Name) else callee.attr if isinstance(callee, ast.Attribute) else ""


def find_builtin_calls(source: bytes) -> dict[_Place, str]:
    """Return where built-in functions are certainly called, and by which names. Columns count UTF-8 bytes."""
    return {place: call.name for place, call in _find_calls(source).items() if call.is_sure}


def _find_calls(source: bytes) -> dict[_Place, _Call]:
    try:
        tree = parse_source(source)
    except PARSE_ERRORS:
        return {}
    nodes = list(ast.walk(tree))
    given, modules = _given_names(nodes)
    found: dict[_Place, _Call] = {}
    for node in nodes:
        if not isinstance(node, ast.Call) or node.end_lineno is None or node.end_col_offset is None:
            continue
        name = _written_name(node.func)
        is_sure = isinstance(node.func, ast.Name) and name in _BUILT_IN - given
        if isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name):
            owner = node.func.value.id
            if owner in modules and owner not in given:
                name, is_sure = f"{modules[owner]}.{name}", True
        found[node.lineno, node.col_offset, node.end_lineno, node.end_col_offset] = _Call(name, is_sure)
    return found


def _given_names(nodes: list[ast.AST]) -> tuple[set[str], dict[str, str]]:
    """Return the names that the file binds, and the interpreter's modules that it imports, by name."""
    given: set[str] = set()
    modules: dict[str, str] = {}
    for node in nodes:
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            given.add(node.id)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            given.add(node.name)
        elif isinstance(node, ast.arg):
            given.add(node.arg)
        elif isinstance(node, ast.Import):
            for alias in node.names:
                name = alias.asname or alias.name
                if alias.name in _MODULES:
                    modules[name] = alias.name
                else:
                    given.add(name.partition(".")[0])
        elif isinstance(node, ast.ImportFrom):
            given.update(alias.asname or alias.name for alias in node.names)
        elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name is not None:
            given.add(node.name)
        elif isinstance(node, ast.MatchMapping) and node.rest is not None:
            given.add(node.rest)
    return given | ({*_BUILT_IN} if "*" in given else set()), modules
