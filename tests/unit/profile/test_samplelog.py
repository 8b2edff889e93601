"""The readers of segment logs and sample logs, on bytes made by hand: whole, cut off, damaged, foreign."""

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from footfall.analyze.profile.calltree import profile_of_logs
from footfall.errors import FootfallError
from footfall.record.run.node_table import Node
from footfall.record.run.process_logs import read_sample_logs
from footfall.record.run.sample_log import Sample, SampledCode, SampledThread, read_sample_log
from footfall.record.run.segments import read_entries

MS = 1_000_000


def entry(kind: int, payload: bytes) -> bytes:
    """One entry of a segment log."""
    return struct.pack("<II", kind, len(payload)) + payload + bytes(-len(payload) % 8)


def text(value: bytes) -> bytes:
    """A sized field."""
    return struct.pack("<I", len(value)) + value


def header(version: int = 1) -> bytes:
    """A sample log's header: 40 ticks, 30 samples, 2 torn, 3 unreadable, 1 late."""
    counters = [40, 30, 2, 3, 1] + [0] * 11
    return entry(1, struct.pack("<8sII4Q16Q", b"FOOTFALL", version, 0x030E00F0, 77, 1000, 500, MS, *counters))


def sample(thread: int, node: int, time_ms: int, cpu_ms: int, flags: int = 0, repeat: int = 1) -> bytes:
    """A SAMPLE entry."""
    return entry(5, struct.pack("<IIQQIHH", thread, node, time_ms * MS, cpu_ms * MS, 4, flags, repeat))


WHOLE = (
    header()
    + entry(3, struct.pack("<IIQ", 0, 0, 77) + text(b"python"))
    + entry(2, struct.pack("<II", 1, 12) + text(b"/p/a\xff.py") + text(b"f") + text(b"\x80\x00"))
    + entry(4, struct.pack("<4I", 1, 0, 1, 0))
    + entry(0xFFFFFFFF, bytes(24))
    + sample(0, 1, 3, 10, flags=1)
    + sample(0, 1, 9, 12, repeat=6, flags=6)
    + bytes(64)
)


def test_whole_log(tmp_path: Path) -> None:
    """Every entry is read; a sample stands for the time since the thread's last one, or one interval."""
    path = tmp_path / "77-0.smp"
    path.write_bytes(WHOLE)
    log = read_sample_log(str(path))
    assert (log.pid, log.version, log.interval_ns, log.n_ticks, log.n_dropped, log.n_late) == (
        77,
        0x030E00F0,
        MS,
        40,
        5,
        1,
    )
    assert log.codes == {1: SampledCode("/p/a\udcff.py", "f", 12, b"\x80\x00")}
    assert log.nodes == {1: Node(0, 1, 0)}
    assert log.threads == {0: SampledThread(77, "python")}
    assert log.samples == [
        Sample(0, 1, 3 * MS, MS, 0, 4, True, 1),
        Sample(0, 1, 9 * MS, 6 * MS, 2 * MS, 4, False, 6, True),
    ]
    assert log.damage == []


def test_a_long_log_gives_what_a_short_one_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Samples that are read again when they are asked for are those that a log which is held has, also beside damage."""
    path = tmp_path / "77-0.smp"
    waiting = entry(6, struct.pack("<IIQQII", 0, 1, 20 * MS, 5 * MS, 3, 0))
    impossible = entry(5, struct.pack("<IIQQIHH", 0, 1, 1 << 60, 0, 4, 0, 1))
    dangling = sample(0, 9, 12, 13) + sample(5, 1, 12, 13)
    path.write_bytes(WHOLE[:-64] + impossible + dangling + sample(0, 0, 14, 14) + waiting)
    held = read_sample_log(str(path))
    monkeypatch.setattr("footfall.record.run.sample_log._MAX_HELD", 2)
    log = read_sample_log(str(path))
    with path.open("ab") as file:  # the process goes on
        file.write(sample(0, 1, 30, 20))
    assert not isinstance(log.samples, list)
    assert [*log.samples] == [*log.samples] == [*held.samples]
    assert len(log.samples) == len(held.samples) == 4
    assert log.damage == held.damage
    assert profile_of_logs([log]) == profile_of_logs([held])


def test_samples_are_folded_as_they_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a profile of many samples takes while it is made does not grow with their number."""
    tracemalloc = pytest.importorskip("tracemalloc", reason="PyPy has none")
    monkeypatch.setattr("footfall.record.run.sample_log._MAX_HELD", 2_000)  # a tenth, since tracing memory takes long
    path = tmp_path / "77-0.smp"
    peaks = []
    for n_samples in (3_000, 9_000):
        path.write_bytes(WHOLE[:-64] + b"".join(sample(0, 1, 10 + n, 12 + n) for n in range(n_samples)))
        tracemalloc.start()
        profile = profile_of_logs([read_sample_log(str(path))])
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert profile is not None and profile.n_samples == n_samples + 7
    assert peaks[1] < 1.3 * peaks[0]


@pytest.mark.parametrize("size", range(0, len(WHOLE), 7))
def test_cut_off_anywhere(tmp_path: Path, size: int) -> None:
    """A log cut off at any byte gives what is before the cut, or says that it is no log."""
    path = tmp_path / "1-0.smp"
    path.write_bytes(WHOLE[:size])
    try:
        log = read_sample_log(str(path))
    except FootfallError as error:
        assert error.slug == "record-corrupt"
        assert 8 <= size < 16
        return
    assert len(log.samples) <= 2
    assert all(found.node in log.nodes for found in log.samples)


@given(st.integers(8, len(WHOLE) - 1), st.integers(0, 255))
def test_one_wrong_byte(tmp_path_factory: pytest.TempPathFactory, place: int, value: int) -> None:
    """A log with any one byte changed is read without an exception other than ours, and is consistent."""
    path = tmp_path_factory.mktemp("damaged") / "1-0.smp"
    path.write_bytes(WHOLE[:place] + bytes([value]) + WHOLE[place + 1 :])
    try:
        log = read_sample_log(str(path))
    except FootfallError as error:
        assert error.slug == "record-corrupt"
        return
    for found in log.samples:
        assert found.wall_ns >= 0
        assert found.cpu_ns >= 0
        assert found.node == 0 or found.node in log.nodes
    assert all(node.code in log.codes for node in log.nodes.values())


@pytest.mark.parametrize("content", [b"SQLite format 3\0" * 4, entry(1, b"NOTFOOT!" * 3), entry(9, b"FOOTFALL")])
def test_foreign_files_are_refused(tmp_path: Path, content: bytes) -> None:
    """A file that is no segment log raises record-corrupt."""
    path = tmp_path / "x.smp"
    path.write_bytes(content)
    with pytest.raises(FootfallError, match="record-corrupt"):
        list(read_entries(str(path)))


def test_newer_format_is_refused(tmp_path: Path) -> None:
    """A sample log of another format names it."""
    path = tmp_path / "x.smp"
    path.write_bytes(header(version=2))
    with pytest.raises(FootfallError, match="format is 2"):
        read_sample_log(str(path))


def test_run_directory(tmp_path: Path) -> None:
    """Logs come in the order of their names; what cannot be read is said and skipped."""
    (tmp_path / "2-0.smp").write_bytes(WHOLE)
    (tmp_path / "1-0.smp").write_bytes(header())
    (tmp_path / "3-0.smp").write_bytes(b"garbage and more garbage")
    (tmp_path / "4-0.vmprof").write_bytes(b"garbage and more garbage")
    (tmp_path / "5-0.smp").write_bytes(b"")
    (tmp_path / "settings").write_text("cwd\t/\n")
    messages: list[tuple[str, str]] = []
    logs = read_sample_logs(str(tmp_path), messages)
    assert [Path(log.path).name for log in logs] == ["1-0.smp", "2-0.smp", "5-0.smp"]
    assert [slug for slug, _ in messages] == ["record-corrupt", "record-corrupt"]


def test_damage_is_reported(tmp_path: Path) -> None:
    """Where reading stopped is a sentence of `damage`."""
    path = tmp_path / "1-0.smp"
    path.write_bytes(WHOLE.rstrip(b"\0") + entry(200000, b""))
    assert len(read_sample_log(str(path)).damage) == 1


def test_names_that_are_none_are_stored_all_the_same(tmp_path):
    """A name that was read while its memory changed hands is bytes of anything: the data file is written with it."""
    import sqlite3
    from contextlib import closing

    from footfall.analyze.profile.calltree import profile_of_logs
    from footfall.analyze.profile.rows import rows_from_profile
    from footfall.record.data.profile_tables import write_profile
    from footfall.record.run.node_table import Node
    from footfall.record.run.sample_log import Sample, SampledCode, SampledThread, SampleLog, _text

    log = SampleLog("x.smp")
    garbage = _text(b"\xe0\xbb\x05\xf0\xcf\x7f\x00\x00\xed\xa0\x80")
    log.codes[1] = SampledCode("/p/a\udcff.py", garbage, 1, b"")
    log.nodes[1] = Node(0, 1, 0)
    log.threads[0] = SampledThread(1, garbage)
    log.samples.append(Sample(0, 1, 0, 1, 1, 0, False, 1))
    profile = profile_of_logs([log])
    assert profile is not None
    with closing(sqlite3.connect(tmp_path / "data")) as connection:
        write_profile(connection, rows_from_profile(profile), identity="x")
        row = connection.execute("select path, qualname from footfall_frame").fetchone()
    assert row == ("/p/a?.py", garbage)
