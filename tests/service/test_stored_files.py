"""What the service keeps of a data file is what the data file has."""

import os
import pathlib
from unittest import mock

import pytest

from footfall.record.data.coverage_tables import FileData, read_coverage, write_coverage
from footfall.service import stored_files
from footfall.service.server import Server
from footfall.service.stored_files import StoredFiles
from footfall.service.workspace import Workspace

pytestmark = pytest.mark.any_python

FIRST = {
    "a.py": FileData(arcs={"one": {(-1, 1), (1, 2)}, "two": {(-1, 1), (1, 3)}}),
    "b.py": FileData(arcs={"one": {(-1, 1), (1, -1)}}, tracer="plugin"),
}
SECOND = {"a.py": FileData(arcs={"one": {(-1, 1), (1, 4)}}), "c.py": FileData(arcs={"two": {(-1, 1)}})}


@pytest.fixture
def data(tmp_path: pathlib.Path) -> str:
    with write_coverage(tmp_path / "data", FIRST, has_arcs=True):
        pass
    return str(tmp_path / "data")


def is_a(name: str) -> bool:
    """Return whether this is the file that is asked for."""
    return name == "a.py"


def test_files_are_those_of_the_data(data: str) -> None:
    """One, then all, then those of one context, then one again: always as if it were read for the first time."""
    stored = StoredFiles()
    for contexts, is_wanted in ([], is_a), ([], None), (["one"], is_a), (["one"], None), ([], is_a):
        found = stored.read(data, contexts, is_wanted)
        expected = read_coverage(data, contexts, is_wanted)
        assert found.files["a.py"] == expected.files["a.py"]
        assert is_wanted or found == expected
        assert found.files.keys() == expected.files.keys()


def test_what_was_read_is_not_read_again(data: str) -> None:
    """Until the file is replaced; a data file that is too large is not kept."""
    stored = StoredFiles()
    with mock.patch.object(stored_files, "read_coverage", wraps=read_coverage) as read:
        stored.read(data, [], is_a)
        stored.read(data, [], is_a)
        assert read.call_count == 1
        stored.read(data, [])
        stored.read(data, [], lambda name: name == "b.py")
        assert read.call_count == 2
        with write_coverage(data, SECOND, has_arcs=True):
            pass
        assert stored.read(data, []) == read_coverage(data)
        with mock.patch.object(stored_files, "_MOST_KEPT", 2):
            stored.read(data, [])
        n_calls = read.call_count
        assert stored.read(data, []) == read_coverage(data)
        assert read.call_count == n_calls + 1


def test_a_file_that_is_replaced_meanwhile_is_not_mixed(data: str) -> None:
    """What was read of the earlier file is not given out beside what the later one has."""
    stored = StoredFiles()
    stored.read(data, [], lambda name: name == "b.py")
    real_state = stored_files.file_state

    def replace_after(path: str) -> tuple[int, int, int, int] | None:
        state = real_state(path)
        if not os.path.exists(f"{data}.replaced"):
            pathlib.Path(f"{data}.replaced").touch()
            with write_coverage(data, SECOND, has_arcs=True):
                pass
        return state

    with mock.patch.object(stored_files, "file_state", replace_after):
        assert stored.read(data, []) == read_coverage(data)
    assert stored.read(data, []) == read_coverage(data)


@pytest.mark.parametrize("n_contexts", [1, 200])
def test_data_of_many_contexts_is_read_ahead(tmp_path, monkeypatch, n_contexts: int) -> None:
    """While there are no questions, once; other data is read when it is asked for."""
    monkeypatch.chdir(tmp_path)
    server = Server(Workspace())
    server.answer(b'{"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"protocol_version": 1}}')
    with mock.patch.object(stored_files, "read_coverage", wraps=read_coverage) as read:
        server.read_ahead()
        assert read.call_count == 0
        files = {"a.py": FileData(arcs={str(number): {(-1, 1)} for number in range(n_contexts)})}
        with write_coverage(".coverage", files, has_arcs=True):
            pass
        assert b"data/changed" in (server.note_changes() or b"")
        server.read_ahead()
        server.read_ahead()
        assert read.call_count == (n_contexts > 100)
        pathlib.Path(".coverage").write_bytes(b"no data")
        server.note_changes()
        server.read_ahead()
