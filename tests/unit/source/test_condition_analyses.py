"""The conditions of sources as reports keep them: packed and unpacked, by content, the same as when found anew."""

import contextlib
import json
import pathlib
import sqlite3
import sys
import zlib

import pytest

from footfall.analyze.conditions.analysis import find_conditions
from footfall.load import condition_analyses
from footfall.load.analysis_codec import CodecError
from footfall.load.condition_analyses import find_all_conditions
from footfall.load.conditions_codec import bytes_from_conditions, conditions_from_bytes
from programs.condition_constructs import MEASURED

pytestmark = pytest.mark.skipif(
    sys.version_info < (3, 14) or sys.implementation.name != "cpython", reason="branch events came with CPython 3.14"
)

SOURCES = {f"{number}.py": f"{text}\n".encode() for number, (text, _) in enumerate(MEASURED.values())}


@pytest.fixture
def found_again(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The sources that were analysed, in their order."""
    found: list[str] = []

    def find(text: str) -> object:
        found.append(text)
        return find_conditions(text)

    monkeypatch.setattr(condition_analyses, "find_conditions", find)
    return found


def _packed(rows: object) -> bytes:
    """Pack what is JSON with a true checksum, but no conditions."""
    body = json.dumps(rows).encode()
    return zlib.crc32(body).to_bytes(4, "little") + body


@pytest.mark.parametrize("path", SOURCES)
def test_conditions_become_bytes_and_back(path: str) -> None:
    """Nothing is lost, not even the order in which operands are tested."""
    conditions = find_conditions(SOURCES[path].decode())
    again = conditions_from_bytes(bytes_from_conditions(conditions))
    assert again == conditions and list(again.owners) == list(conditions.owners)


def test_damage_is_detected() -> None:
    """A changed, cut or foreign text raises instead of giving other conditions."""
    packed = bytes_from_conditions(find_conditions("def f(a, b):\n    return a and b or f(b, a)\n"))
    damaged = [packed[:-1], packed[:3], b"", packed.replace(b"1", b"2", 1), packed[:4] + b"[]"]
    damaged += [_packed(rows) for rows in ([], [[[1]], [], []], [[], [[[], [5], [], 0]], []], 7)]
    for data in damaged:
        with pytest.raises(CodecError):
            conditions_from_bytes(data)


def test_a_second_report_uses_the_cache(tmp_path, monkeypatch, found_again: list[str]) -> None:
    """Only a source that has changed is analysed; what is kept is what was found."""
    monkeypatch.chdir(tmp_path)
    sources = dict(SOURCES)
    first = find_all_conditions(sources, ".coverage")
    assert len(found_again) == len(sources)
    found_again.clear()
    assert find_all_conditions(sources, ".coverage") == first and found_again == []
    sources["0.py"] += b"x = 1\ny = x and x\n"
    changed = find_all_conditions(sources, ".coverage")
    assert found_again == [sources["0.py"].decode()]
    assert len(changed.pop("0.py").owners) == len(first.pop("0.py").owners) + 1 and changed == first


def test_a_damaged_entry_is_computed_again(tmp_path, monkeypatch, found_again: list[str]) -> None:
    """As if it had not been kept."""
    monkeypatch.chdir(tmp_path)
    first = find_all_conditions(SOURCES, ".coverage")
    (cache,) = pathlib.Path(".footfall").rglob("*.sqlite")
    with contextlib.closing(sqlite3.connect(cache)) as connection, connection:
        connection.execute("update analysis set data = substr(data, 1, length(data) - 1)")
    found_again.clear()
    assert find_all_conditions(SOURCES, ".coverage") == first
    assert len(found_again) == len(SOURCES)
