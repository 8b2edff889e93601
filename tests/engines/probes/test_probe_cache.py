"""Instrumented bytecode that is kept is used only while nothing that it was made from has changed."""

import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

import footfall
from footfall.observe.engines import probe_cache
from footfall.observe.engines.instrument import Instrumenter
from footfall.observe.engines.probe_cache import ProbeCache

_CODE = compile("x = 1", "m.py", "exec")


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    """A source file whose code is in the cache `tmp_path / "cache"`, mode 1."""
    source = tmp_path / "m.py"
    source.write_text("x = 1\n")
    cache = ProbeCache(str(tmp_path / "cache"), 1)
    key = cache.key(str(source))
    _let_settle(cache)
    cache.store(str(source), key, _CODE)
    return source


def _let_settle(cache: ProbeCache) -> None:
    """Wait until a file just written may be cached: its clock must have ticked on."""
    while probe_cache._was_just_changed(str(Path(cache._directory).parent.parent / "m.py")):
        pass


def _load(source: Path, mode: int = 1) -> object:
    return ProbeCache(str(source.parent / "cache"), mode).load(str(source))


def test_an_unchanged_file_is_found(stored: Path) -> None:
    """The code comes back as it was stored."""
    assert _load(stored) == _CODE


def test_an_edit_of_the_file_is_noticed(stored: Path) -> None:
    """Also when size and modification time are put back to what they were."""
    before = stored.stat()
    stored.write_text("y = 2\n")
    os.utime(stored, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert _load(stored) is None


def test_another_mode_has_entries_of_its_own(stored: Path) -> None:
    """Code with branch probes is not used for lines alone."""
    assert _load(stored, mode=0) is None


def test_another_version_of_footfall_has_entries_of_its_own(stored: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Probes are numbered by the installed code, so what other code numbered is not used."""
    monkeypatch.setattr(probe_cache, "code_state", lambda: "other")
    assert _load(stored) is None


def test_any_file_of_the_probe_compiler_makes_another_version(monkeypatch: pytest.MonkeyPatch) -> None:
    """An edit of what numbers probes, or puts them in, changes the state that entries are kept under."""
    package = Path(footfall.__file__).parent
    files = [*(package / "probes").rglob("*.py"), package / "observe" / "engines" / "instrument.py"]
    before = probe_cache.code_state()
    for edited in map(str, files):

        def state_of(path: str, edited: str = edited) -> object:
            found = os.stat(path)
            return SimpleNamespace(st_size=found.st_size + (path == edited), st_mtime_ns=found.st_mtime_ns)

        monkeypatch.setattr(probe_cache, "file_state", state_of)
        assert probe_cache.code_state() != before, edited
    assert "blocks.py" in {path.name for path in files}


def test_a_damaged_entry_is_no_entry(stored: Path) -> None:
    """Code that was cut short is not loaded."""
    [entry] = (path for path in (stored.parent / "cache").rglob("*") if path.is_file())
    entry.write_bytes(entry.read_bytes()[:-7])
    assert _load(stored) is None


def test_another_interpreter_has_entries_of_its_own(stored: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An upgrade of Python finds none of the old entries."""
    monkeypatch.setattr(sys, "hexversion", sys.hexversion + 1)
    assert _load(stored) is None


def test_code_from_the_cache_is_loaded_without_a_compilation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even to learn how this compiler numbers lines, which costs a process's start."""
    source = tmp_path / "m.py"
    source.write_text("x = 1\n")
    first = Instrumenter(str(tmp_path / "cache"), True, lambda make: make())
    _let_settle(first._cache)
    code = first.code_of_file(str(source), str(source))

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("compiled")

    instrument = "observe.engines.instrument"
    for place in (f"{instrument}.extra_lines_here", "probes.mode.extra_lines_here", f"{instrument}.compile_plainly"):
        monkeypatch.setattr(f"footfall.{place}", refuse)
    second = Instrumenter(str(tmp_path / "cache"), True, lambda make: make())
    assert second.code_of_file(str(source), str(source)) == code
