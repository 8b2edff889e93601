"""Reading a measured source: as much memory as it has bytes, whatever the file says of its size."""

import sys
from pathlib import Path

import pytest

from footfall.analyze.source.source_file import read_source_file


@pytest.mark.skipif(sys.implementation.name != "cpython", reason="needs tracemalloc")
def test_a_small_source_takes_little_memory(tmp_path: Path) -> None:
    """The most that a source may have is not taken for each."""
    import tracemalloc  # PyPy has none

    source = tmp_path / "small.py"
    source.write_bytes(b"x = 1\n")
    tracemalloc.start()
    content = read_source_file(str(source))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert content == b"x = 1\n"
    assert peak < 1 << 20


@pytest.mark.skipif(sys.platform != "linux", reason="needs procfs")
def test_a_file_with_more_than_its_size_is_read_whole() -> None:
    """The files of procfs have size 0; so does a file that grows while it is read."""
    content = read_source_file("/proc/self/status")
    assert content.startswith(b"Name:")
    assert content.count(b"\n") > 10
