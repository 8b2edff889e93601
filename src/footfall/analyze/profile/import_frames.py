"""Time in imports: the frames of the import machinery become one, named after the module that it loads.

Between an `import` statement and the module's body there are five to ten frames of `importlib`, which say nothing.
They are shown as one frame: `<import NAME>` if the body of a module is below them, otherwise `<import>`, for finding,
reading and unmarshalling modules. Other code that runs in between (an import hook) stays below it.

Lines of `.pth` files, which `site` executes under the name `<string>`, get no frame either: their time counts for
`site`. footfall itself is started by such a line.

Pure except for `is_file`. Used by everything that shows a profile; the data file has the original frames.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import PurePath

from footfall.analyze.profile.calltree import IMPORT_PATH, Cost, CostKey, Frame, Function, Profile
from footfall.record.data.timelines import TreeNode

__all__ = ["MACHINERY_PATHS", "UNNAMED_IMPORT", "executed_texts", "fold_imports", "machinery_frames", "site_frames"]

MACHINERY_PATHS = (
    r"<frozen importlib\._bootstrap(?:_external)?>|<builtin>/frozen importlib\._bootstrap(?:_external)?"
    r"|.*/importlib/_bootstrap(?:_external)?\.py"
)
"""The names of importlib's files on CPython, on PyPy (one of its two is CPython's), and when they are not frozen: a
regular expression."""
_MACHINERY = re.compile(MACHINERY_PATHS)
_SITE = re.compile(r"<frozen site>|.*/lib/(?:python|pypy)\d+\.\d+t?/site\.py")
_FROZEN = re.compile(r"<frozen ([\w.]+)>")
_EXECUTED_TEXT = ("<string>", "<module>")
_LIBRARY = re.compile(r".*/(?:site|dist)-packages/|.*/lib/(?:python|pypy)\d+\.\d+t?/(?:lib-dynload/)?")


def fold_imports(profile: Profile, is_file: Callable[[str], bool]) -> Profile:
    """Return the profile with one frame for each run of import machinery frames, and none for lines of `.pth` files.

    `is_file` says whether a path is a file, which is needed for the names of packages.
    """
    machinery, site = machinery_frames(profile.frames), site_frames(profile.frames)
    if not machinery and not site:
        return profile
    texts = executed_texts(profile.frames)
    folded = _Folded(profile, is_file)
    numbers = [0]
    for node in profile.nodes[1:]:
        parent = numbers[node.parent]
        if node.frame in machinery:
            numbers.append(parent if parent in folded.imports else folded.add_import(parent, ""))
            continue
        frame = profile.frames[node.frame]
        if node.frame in texts and folded.nodes[parent].frame in site:
            numbers.append(parent)
            continue
        if parent in folded.imports and frame.function.qualname == "<module>":
            parent = folded.add_import(folded.imports[parent], folded.module_name(frame.function.path))
        numbers.append(folded.add(parent, node.frame))
    costs: dict[CostKey, Cost] = {}
    for (number, thread, context), cost in profile.costs.items():
        costs.setdefault((numbers[number], thread, context), Cost()).add(cost)
    timelines = profile.timelines.replace_nodes(dict(enumerate(numbers)))
    return replace(profile, frames=folded.frames, nodes=folded.nodes, costs=costs, timelines=timelines)


def machinery_frames(frames: Sequence[Frame]) -> set[int]:
    """Return the numbers of the frames of importlib."""
    return _frames_of(frames, _MACHINERY)


def site_frames(frames: Sequence[Frame]) -> set[int]:
    """Return the numbers of the frames of `site`."""
    return _frames_of(frames, _SITE)


def executed_texts(frames: Sequence[Frame]) -> set[int]:
    """Return the numbers of the frames of texts like the lines of `.pth` files, which are those that `site` calls."""
    return {number for number, frame in enumerate(frames) if frame.function[:2] == _EXECUTED_TEXT}


def _frames_of(frames: Sequence[Frame], paths: re.Pattern[str]) -> set[int]:
    matches: dict[str, bool] = {}  # many frames are of the same file
    found = set()
    for number, frame in enumerate(frames):
        path = frame.function.path
        is_match = matches.get(path)
        if is_match is None:
            is_match = matches[path] = paths.fullmatch(path) is not None
        if is_match:
            found.add(number)
    return found


def _import_frame(shown: str) -> Frame:
    return Frame(Function(IMPORT_PATH, shown, 0), 0, 0, None, None)


UNNAMED_IMPORT = _import_frame("<import>")
"""The frame of machinery that loads no module which is known."""


class _Folded:
    """The new tree. `imports`: the caller of each node that represents the machinery."""

    def __init__(self, profile: Profile, is_file: Callable[[str], bool]) -> None:
        self.frames = list(profile.frames)
        self.nodes = [TreeNode(-1, -1)]
        self.imports: dict[int, int] = {}
        self._is_file = is_file
        self._node_ids: dict[TreeNode, int] = {}
        self._frame_ids: dict[str, int] = {}
        self._names: dict[str, str] = {}

    def add(self, parent: int, frame: int) -> int:
        """Return the number of the node with this caller and frame."""
        node = TreeNode(parent, frame)
        number = self._node_ids.get(node)
        if number is None:
            number = self._node_ids[node] = len(self.nodes)
            self.nodes.append(node)
        return number

    def add_import(self, caller: int, name: str) -> int:
        """Return the number of the node for the machinery that `caller` called to load `name` ("": not known)."""
        shown = f"<import {name}>" if name else UNNAMED_IMPORT.function.qualname
        frame = self._frame_ids.get(shown)
        if frame is None:
            frame = self._frame_ids[shown] = len(self.frames)
            self.frames.append(_import_frame(shown))
        number = self.add(caller, frame)
        self.imports[number] = caller
        return number

    def module_name(self, path: str) -> str:
        """Return the name of the module in a file, as far as the packages that contain it tell."""
        name = self._names.get(path)
        if name is None:
            name = self._names[path] = self._find_module_name(path)
        return name

    def _find_module_name(self, path: str) -> str:
        frozen = _FROZEN.fullmatch(path)
        if frozen is not None:
            return frozen[1]
        library = _LIBRARY.match(path)
        if library is not None:
            parts = list(PurePath(path[library.end() :]).parts)
        else:
            file = PurePath(path)
            parts = [file.name]
            for directory in file.parents:
                if not directory.name or not self._is_file(str(directory / "__init__.py")):
                    break
                parts.insert(0, directory.name)
        parts[-1] = parts[-1].partition(".")[0]
        if parts[-1] == "__init__" and len(parts) > 1:
            parts.pop()
        return ".".join(parts)
