"""Meanings of probes are kept from run to run, by content, and never believed when they are not what they should be."""

import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest

from footfall.analyze.probes.arcs import meanings_of_module, meanings_of_source
from footfall.load.probe_meanings_cache import KeptMeanings
from footfall.probes.mode import BRANCHES, NO_ASSERTS
from footfall.probes.source_text import digest_source
from footfall.record.run.record_file import ProbedModule

SOURCE = """
def f(x):
    while x:
        try:
            x -= 1
        finally:
            if x == 3: continue
    return [y for y in range(x) if y]
match f(5):
    case []: pass
    case _: f(0)
"""


@pytest.fixture
def module(tmp_path, monkeypatch) -> ProbedModule:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "measured.py"
    path.write_text(SOURCE)
    return _module(path)


def _module(path: Path) -> ProbedModule:
    source = path.read_bytes()
    events = bytes(len(meanings_of_source(source, BRANCHES)))
    return ProbedModule(str(path), sys.hexversion, BRANCHES, digest_source(source), "", events)


def _cache_rows() -> list[tuple[bytes, bytes]]:
    with closing(sqlite3.connect(".footfall/cache/analyses.sqlite")) as connection:
        return connection.execute("select key, data from analysis").fetchall()


def test_a_second_run_has_the_same_meanings_without_work(module, monkeypatch) -> None:
    """What the store gives back is equal, and no source is walked for it."""
    with KeptMeanings("data") as store:
        first = meanings_of_module(module, store)
    assert len(_cache_rows()) == 1
    monkeypatch.setattr("footfall.analyze.probes.arcs.meanings_of_source", None)
    with KeptMeanings("data") as store:
        assert meanings_of_module(module, store) == first


def test_other_sources_and_modes_have_other_meanings(module) -> None:
    """An edit, or another mode, finds nothing kept."""
    with KeptMeanings("data") as store:
        meanings_of_module(module, store)
    with KeptMeanings("data") as store:
        assert store.get(SOURCE.encode(), BRANCHES) is not None
        assert store.get(SOURCE.encode(), 0) is None
        assert store.get(SOURCE.encode(), BRANCHES | NO_ASSERTS) is None
        assert store.get(SOURCE.encode() + b"#", BRANCHES) is None


@pytest.mark.parametrize("cut", [-3, -8, 0])
def test_damaged_meanings_are_made_again(module, cut) -> None:
    """An entry that is cut, or holds other numbers, is not used."""
    with KeptMeanings("data") as store:
        first = meanings_of_module(module, store)
    ((key, data),) = _cache_rows()
    with closing(sqlite3.connect(".footfall/cache/analyses.sqlite", isolation_level=None)) as connection:
        connection.execute("update analysis set data = ? where key = ?", (data[:cut] + b"\xff" * 16, key))
    with KeptMeanings("data") as store:
        assert meanings_of_module(module, store) == first
    assert _cache_rows() == [(key, data)]


def test_nothing_is_made_where_nothing_was_probed(tmp_path, monkeypatch) -> None:
    """A run of another engine opens no cache."""
    monkeypatch.chdir(tmp_path)
    with KeptMeanings("data"):
        pass
    assert not list(tmp_path.iterdir())
