"""The binary format of CPython 3.15's `profiling.sampling` (`--binary`), with or without zstd.

https://github.com/python/cpython/blob/main/InternalDocs/profiling_binary_format.md. For each sample the format has its
moment and, if the profiler looked, whether the thread held the GIL and was on a CPU. Its time is the time since the
thread's previous sample.
"""

from __future__ import annotations

import struct
from typing import Final

from footfall.analyze.profile.calltree import Profile
from footfall.analyze.profile.clocks import Clock
from footfall.errors import FootfallError
from footfall.load.profiles.binary.varint import Damaged, read_varint
from footfall.load.profiles.stack_tree import StackTree, Weight

__all__ = ["MAGICS", "read_tachyon"]

MAGICS: Final = {b"HCAT": "<", b"TACH": ">"}
"""The beginning of a file, and the byte order that it implies."""
_FORMAT: Final = "profiling.sampling's binary"
_VERSION: Final = 1
_HEADER: Final = "IIBBBBQQQIQQII"
_FOOTER: Final = "IIQ16s"
_NS_PER_US: Final = 1000
_ZSTD: Final = 1
_MAX_SAMPLE_BYTES: Final = 1 << 30
_REPEAT, _FULL, _SUFFIX, _POP_PUSH = range(4)
_HAS_GIL, _ON_CPU = 1, 2
_NO_FILE: Final = "~"


def read_tachyon(content: bytes) -> Profile:
    """Read the samples; if they are damaged, those before the damage.

    Raises FootfallError: `profile-damaged`, `profile-empty`, `profile-packed`, `profile-version`.
    """
    order = MAGICS[content[:4]]
    header_size, footer_size = struct.calcsize("<" + _HEADER), struct.calcsize("<" + _FOOTER)
    if len(content) < header_size + footer_size:
        raise _cut()
    header = struct.unpack_from(order + _HEADER, content)
    version, interval_us = header[1], header[7]
    strings_at, frames_at, compression = header[10], header[11], header[12]
    if version != _VERSION:
        text = f"The file of profiling.sampling has version {version}, and this footfall reads {_VERSION}."
        help = "Update footfall, or convert it: python -m profiling.sampling replay."
        raise FootfallError("profile-version", text, help)
    n_strings, n_frames, size, _ = struct.unpack_from(order + _FOOTER, content, len(content) - footer_size)
    if size != len(content) or not header_size <= strings_at <= frames_at <= size - footer_size:
        raise _cut()  # the tables are at the file's end, so without it nothing has a name
    tree = StackTree()
    try:
        frames = _read_frames(tree, content, strings_at, n_strings, frames_at, n_frames)
    except Damaged as error:
        raise _cut() from error
    tree.profile.interval_ns = interval_us * _NS_PER_US if interval_us < 1 << 40 else 0
    packed = content[header_size:strings_at]
    samples = _Samples(tree, frames, order)
    try:
        samples.read(_unpack(packed) if compression == _ZSTD else packed)
    except Damaged as error:
        tree.note_damage(f"The file is damaged ({error}): read up to there.")
    known = {clock for bit, clock in ((_ON_CPU, Clock.CPU), (_HAS_GIL, Clock.GIL)) if samples.states & bit}
    return tree.finish(_FORMAT, {Clock.WALL, Clock.SAMPLES} | known)


def _cut() -> FootfallError:
    text = "The file of profiling.sampling is cut off or damaged: its names, which stand at its end, are not there."
    return FootfallError("profile-damaged", text, "Record it again, or get a complete copy.")


def _unpack(packed: bytes) -> bytes:
    try:
        from compression import zstd  # type: ignore[import-not-found, unused-ignore]  # of CPython 3.14 and later
    except ImportError as error:
        raise FootfallError(
            "profile-packed",
            "The file is compressed by zstd, which this Python can't unpack.",
            "Run footfall under CPython 3.14 or later, or record with --compression none.",
        ) from error
    try:
        found: bytes = zstd.ZstdDecompressor().decompress(packed, _MAX_SAMPLE_BYTES)
    except zstd.ZstdError as error:
        raise Damaged(str(error)) from error
    return found


def _signed(content: bytes, at: int) -> tuple[int, int]:
    number, at = read_varint(content, at)
    return (number >> 1) ^ -(number & 1), at


def _read_frames(
    tree: StackTree, content: bytes, strings_at: int, n_strings: int, frames_at: int, n_frames: int
) -> list[int]:
    strings = []
    at = strings_at
    for _ in range(n_strings):
        size, at = read_varint(content, at)
        if at + size > frames_at:
            raise Damaged("a text is cut off")
        strings.append(content[at : at + size].decode("utf-8", "replace"))
        at += size
    found = []
    at = frames_at
    for _ in range(n_frames):
        file, at = read_varint(content, at)
        name, at = read_varint(content, at)
        line, at = _signed(content, at)
        more_lines, at = _signed(content, at)
        column, at = _signed(content, at)
        more_columns, at = _signed(content, at)
        at += 1  # skip the instruction
        if max(file, name) >= n_strings:
            raise Damaged("a frame has no name")
        path = "" if strings[file] == _NO_FILE else strings[file]
        has_column = column >= 0
        found.append(
            tree.frame(
                strings[name],
                path,
                line,
                end_line=line + more_lines,
                column=column if has_column else None,
                end_column=column + more_columns if has_column else None,
            )
        )
    return found


class _Samples:
    """The samples of all threads. Each sample is relative to its thread's previous one."""

    def __init__(self, tree: StackTree, frames: list[int], order: str) -> None:
        self.states = 0
        """The thread states that any sample has reported."""
        self._tree = tree
        self._frames = frames
        self._head = struct.Struct(order + "QIB")
        self._stacks: dict[tuple[int, int], list[int]] = {}
        """For each thread, the nodes of its stack, outermost first."""
        self._ends_us: dict[tuple[int, int], int] = {}

    def read(self, content: bytes) -> None:
        """Add all samples. Raises Damaged."""
        at = 0
        while at < len(content):
            if at + self._head.size > len(content):
                raise Damaged("it ends early")
            thread, interpreter, encoding = self._head.unpack_from(content, at)
            key = (thread, interpreter)
            at += self._head.size
            if encoding == _REPEAT:
                count, at = read_varint(content, at)
                node = self._node(key)
                for _ in range(count):
                    at = self._add(content, at, key, node)
                continue
            if encoding not in (_FULL, _SUFFIX, _POP_PUSH):
                raise Damaged(f"there is no record of the kind {encoding}")
            moment = at
            _, at = read_varint(content, at)
            at += 1
            at = self._change_stack(content, at, key, encoding)
            self._add(content, moment, key, self._node(key))

    def _change_stack(self, content: bytes, at: int, key: tuple[int, int], encoding: int) -> int:
        """Update a thread's stack. The cost depends on what changes, not on the depth of the stack."""
        nodes = self._stacks.setdefault(key, [])
        n_kept = 0
        if encoding != _FULL:
            number, at = read_varint(content, at)
            n_kept = min(number, len(nodes)) if encoding == _SUFFIX else max(len(nodes) - number, 0)
        del nodes[n_kept:]
        count, at = read_varint(content, at)
        if count > len(content) - at:
            raise Damaged("a stack is cut off")
        new = []
        for _ in range(count):
            number, at = read_varint(content, at)
            if number >= len(self._frames):
                raise Damaged("a stack has a frame that is not there")
            new.append(self._frames[number])
        for frame in reversed(new):
            nodes.append(self._tree.node(nodes[-1] if nodes else 0, frame))
        return at

    def _node(self, key: tuple[int, int]) -> int:
        nodes = self._stacks.get(key)
        return nodes[-1] if nodes else 0

    def _add(self, content: bytes, at: int, key: tuple[int, int], node: int) -> int:
        delta_us, at = read_varint(content, at)
        if at >= len(content):
            raise Damaged("it ends early")
        state = content[at]
        # a thread's first delta counts from the start of the profile, which says nothing about the thread
        is_first = key not in self._ends_us
        self._ends_us[key] = self._ends_us.get(key, 0) + delta_us
        spent_ns = 0 if is_first else delta_us * _NS_PER_US
        self.states |= state
        weight = Weight(
            samples=1,
            wall_ns=spent_ns,
            cpu_ns=spent_ns if state & _ON_CPU else 0,
            gil_ns=spent_ns if state & _HAS_GIL else 0,
        )
        thread = self._tree.thread(native_id=key[0])
        if not self._tree.add(node, thread, weight, end_ns=self._ends_us[key] * _NS_PER_US):
            raise Damaged("a time can't be")
        return at + 1
