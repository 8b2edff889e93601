"""The log of entries that processes without the C core write, where signal handlers of the program raise in it."""

import pathlib

import pytest

from footfall.formats import MAGIC, RECORD_HEADER, RECORD_MESSAGE
from footfall.observe.pure import segments
from footfall.observe.pure.segments import SegmentLog
from footfall.record.run.segments import read_entries


class Alarm(TimeoutError):
    """What a signal handler raises."""


@pytest.mark.parametrize("at_call", [1, 2])
def test_entries_behind_an_interrupted_one_are_read(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, at_call: int
) -> None:
    """The place that was reserved for it is skipped."""
    log = SegmentLog(str(tmp_path / "1-0.rec"))
    log.append(RECORD_HEADER, MAGIC + bytes(64))
    calls = 0

    def pack(*arguments: object, pack: object = segments.pack_into) -> None:
        nonlocal calls
        calls += 1
        if calls == at_call:
            raise Alarm
        pack(*arguments)  # type: ignore[operator]

    monkeypatch.setattr(segments, "pack_into", pack)
    with pytest.raises(Alarm):
        log.append(RECORD_MESSAGE, b"interrupted")
    log.append(RECORD_MESSAGE, b"complete")
    found = [(kind, bytes(payload)) for kind, payload in read_entries(log.path)]
    assert found[1:] == [(RECORD_MESSAGE, b"complete")]
