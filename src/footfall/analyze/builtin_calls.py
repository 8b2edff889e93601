"""Time in built-in functions: a frame of its own below the line that called one, where that is certain.

The sampler sees Python frames. One that stands at a call without a Python frame below it is in C code, or about to
call. Which function that is can be told from the source where the name is a built-in's that the file does not give to
anything else, or an attribute of a module that is part of the interpreter (`time.sleep`).

Pure but for `read_source`. Used by `footfall flame`.
"""

from __future__ import annotations

import ast
import builtins
import sys
from collections.abc import Callable
from dataclasses import replace

from footfall.analyze.calltree import COLLECTOR_PATH, Frame, Function, Profile, TreeNode

__all__ = ["find_builtin_calls", "mark_builtin_calls"]

_BUILT_IN = frozenset(name for name in dir(builtins) if callable(getattr(builtins, name)) and not name.startswith("_"))
_MODULES = frozenset(sys.builtin_module_names)

_Place = tuple[int, int, int, int]
"""First line and column, last line and column."""


def mark_builtin_calls(profile: Profile, read_source: Callable[[str], bytes | None]) -> Profile:
    """Return the profile with a frame `<built-in> NAME` below each that was in a built-in function.

    Its path and line are those of the call, so that times by line and file stay what they are. `read_source` gives a
    file's text, None where there is none that can be read.
    """
    callers = {
        node.parent
        for node in profile.nodes[1:]
        if profile.frames[node.frame].function.path != COLLECTOR_PATH  # called by what runs, Python or C
    }
    with_calls = {profile.nodes[node].frame for node in callers}
    calls: dict[str, dict[_Place, str]] = {}
    found = replace(profile, frames=list(profile.frames), nodes=list(profile.nodes), costs={})
    frame_ids: dict[int, int] = {}
    node_ids: dict[int, int] = {}
    for (node, thread, context), cost in profile.costs.items():
        frame_id = profile.nodes[node].frame
        if node and frame_id not in with_calls and node not in node_ids:
            if frame_id not in frame_ids:
                frame_ids[frame_id] = _add_frame(found, profile.frames[frame_id], calls, read_source)
            if frame_ids[frame_id] >= 0:
                node_ids[node] = len(found.nodes)
                found.nodes.append(TreeNode(node, frame_ids[frame_id]))
        found.costs[node_ids.get(node, node), thread, context] = cost
    found.timelines = profile.timelines.replace_nodes(node_ids)
    return found


def _add_frame(
    profile: Profile, frame: Frame, calls: dict[str, dict[_Place, str]], read_source: Callable[[str], bytes | None]
) -> int:
    """Add the frame of the built-in that `frame` calls; return its number, -1 where it calls none."""
    path = frame.function.path
    if frame.column is None or frame.end_column is None:
        return -1
    if path not in calls:
        text = read_source(path)
        calls[path] = {} if text is None else find_builtin_calls(text)
    name = calls[path].get((frame.line, frame.column, frame.end_line, frame.end_column))
    if name is None:
        return -1
    profile.frames.append(frame._replace(function=Function(path, f"<built-in> {name}", frame.line)))
    return len(profile.frames) - 1


def find_builtin_calls(source: bytes) -> dict[_Place, str]:
    """Return where built-in functions are called, by what names. Columns are UTF-8 bytes; no Python, no calls."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError):
        return {}
    nodes = list(ast.walk(tree))
    given, modules = _given_names(nodes)
    found: dict[_Place, str] = {}
    for node in nodes:
        if not isinstance(node, ast.Call) or node.end_lineno is None or node.end_col_offset is None:
            continue
        name = ""
        if isinstance(node.func, ast.Name) and node.func.id in _BUILT_IN - given:
            name = node.func.id
        elif isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name):
            module = modules.get(node.func.value.id)
            if module is not None and node.func.value.id not in given:
                name = f"{module}.{node.func.attr}"
        if name:
            found[node.lineno, node.col_offset, node.end_lineno, node.end_col_offset] = name
    return found


def _given_names(nodes: list[ast.AST]) -> tuple[set[str], dict[str, str]]:
    """Return the names that the file gives to anything, and the modules of the interpreter that it imports, by name."""
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
