"""pyinstrument's saved sessions (`.pyisession`), and the output of its JSON renderer.

A session has every sample with its stack and time; the renderer's tree has sums, from which self times are computed.
"""

from __future__ import annotations

from typing import Final

from footfall.analyze.profile.calltree import Profile
from footfall.analyze.profile.clocks import Clock
from footfall.load.profiles.json.content import Json, integer, list_of, nanoseconds, text_of
from footfall.load.profiles.stack_tree import StackTree, Weight

__all__ = ["is_pyinstrument", "read_pyinstrument"]

_SESSION: Final = "pyinstrument's session"
_TREE: Final = "pyinstrument's JSON"
_SECOND_NS: Final = 1e9
_THREAD: Final = "<thread>"
_LINE: Final = "l"
"""The attribute of a frame that gives its line."""


def is_pyinstrument(content: Json) -> bool:
    """Return whether parsed JSON is in this format."""
    return isinstance(content, dict) and ("frame_records" in content or "root_frame" in content)


def read_pyinstrument(content: Json) -> Profile:
    """Read either form. Raises FootfallError (`profile-empty`)."""
    tree = StackTree()
    interval = nanoseconds(content.get("min_interval"), _SECOND_NS)
    tree.profile.interval_ns = max(interval or 0, 0)
    if "frame_records" in content:
        _read_session(tree, list_of(content["frame_records"]))
        return tree.finish(_SESSION, {Clock.WALL, Clock.SAMPLES})
    _read_tree(tree, content["root_frame"])
    return tree.finish(_TREE, {Clock.WALL})


def _read_session(tree: StackTree, records: list[Json]) -> None:
    n_unread = 0
    ends_ns: dict[int, int] = {}
    frames: dict[str, int] = {}
    for record in records:
        identifiers, seconds = record if isinstance(record, list) and len(record) == 2 else (None, None)
        spent_ns = nanoseconds(seconds, _SECOND_NS)
        if spent_ns is None or spent_ns < 0 or not isinstance(identifiers, list):
            n_unread += 1
            continue
        texts = list(map(text_of, identifiers))
        thread = _thread(tree, texts[0]) if texts and f"\0{_THREAD}\0" in texts[0] else None
        if thread is None:
            thread = tree.thread()
        else:
            texts = texts[1:]
        for text in texts:
            if text not in frames:
                frames[text] = _frame(tree, text)
        ends_ns[thread] = ends_ns.get(thread, 0) + spent_ns
        weight = Weight(samples=1, wall_ns=spent_ns)
        n_unread += not tree.add(tree.stack(map(frames.__getitem__, texts)), thread, weight, end_ns=ends_ns[thread])
    tree.note_unread(n_unread, "sample")


def _thread(tree: StackTree, text: str) -> int:
    name, _, native_id = text.split("\0", 2)
    return tree.thread(native_id=int(native_id) if native_id.isdecimal() and len(native_id) < 20 else 0, name=name)


def _frame(tree: StackTree, text: str) -> int:
    r"""Return the frame of `NAME\0FILE\0FIRST LINE\1ATTRIBUTE...`."""
    identifier, *attributes = text.split("\1")
    name, path, first_line = [*identifier.split("\0"), "", ""][:3]
    lines = [each[1:] for each in attributes if each.startswith(_LINE)]
    return tree.frame(name, path, _line(lines[0] if lines else ""), first_line=_line(first_line))


def _line(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0


def _read_tree(tree: StackTree, root: Json) -> None:
    """Add a tree of frames with their cumulative times."""
    thread = tree.thread()
    n_unread = 0
    todo: list[tuple[Json, int]] = [(root, 0)]
    while todo:
        entry, parent = todo.pop()
        total_ns = nanoseconds(entry.get("time"), _SECOND_NS) if isinstance(entry, dict) else None
        if total_ns is None:
            n_unread += 1
            continue
        line = integer(entry.get("line_no"))
        frame = tree.frame(text_of(entry.get("function")), text_of(entry.get("file_path")), first_line=line)
        node = tree.node(parent, frame)
        children = list_of(entry.get("children"))
        below = [nanoseconds(each.get("time"), _SECOND_NS) or 0 for each in children if isinstance(each, dict)]
        own_ns = max(total_ns - sum(below), 0)
        n_unread += not tree.add(node, thread, Weight(wall_ns=own_ns))
        todo += [(child, node) for child in children]
    tree.note_unread(n_unread, "frame")
