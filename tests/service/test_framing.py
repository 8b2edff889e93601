"""Frames as language servers have them: whatever arrives, and in whatever pieces, the next good frame is found."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from footfall.service.framing import MAX_MESSAGE_BYTES, BadFrame, FrameReader, frame

pytestmark = pytest.mark.any_python


def _read(*pieces: bytes) -> list[bytes | None]:
    """The messages in the pieces; None for each bad frame."""
    frames = FrameReader()
    return [None if isinstance(each, BadFrame) else each for piece in pieces for each in frames.feed(piece)]


@given(st.lists(st.binary(max_size=50), max_size=5), st.data())
def test_messages_come_back_however_the_stream_is_cut(messages, data) -> None:
    """Cut anywhere; other fields of the header do not matter, nor does the case of its names."""
    stream = b"".join(frame(each) if data.draw(st.booleans()) else b"X-A: b\r\n" + frame(each) for each in messages)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=4)))
    pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert _read(*pieces) == messages
    assert _read(frame(b"x").lower()) == [b"x"]


@pytest.mark.parametrize(
    "wrong",
    [
        b"hello\n",
        b'{"jsonrpc": "2.0"}',
        b"Content-Length: 3\n\nabc",
        b"Content-Length: many\r\n\r\n",
        b"Content-Length: -3\r\n\r\n",
        b"Content-Length: +3\r\n\r\nabc",
        b"Content-Type: json\r\n\r\n",
        b"Content-Length: " + b"9" * 4000 + b"\r\n\r\n",
        b"Content-Length: %d\r\n\r\n" % (MAX_MESSAGE_BYTES + 1),
        b"Content-Length: 99999999999999999\r\n\r\n" + b"x" * 1000,
        b"A: " + b"b" * 5000 + b"\r\n\r\n",
        b"A: " + b"b" * 5000,
        b"\0" * 100,
    ],
    ids=lambda wrong: repr(wrong[:24]),
)
def test_a_wrong_frame_is_one_error(wrong) -> None:
    """It is told at once, not when more arrives, and the next frame is read."""
    assert _read(wrong) == [None]
    assert _read(wrong, frame(b"next")) == [None, b"next"]
    assert _read(wrong + frame(b"next")[:5], frame(b"next")[5:]) == [None, b"next"]


def test_a_message_of_the_largest_size_is_read() -> None:
    """In pieces too."""
    message = b"x" * MAX_MESSAGE_BYTES
    framed = frame(message)
    assert _read(framed) == [message]
    assert _read(*(framed[at : at + 65536] for at in range(0, len(framed), 65536))) == [message]


@given(st.binary(max_size=200))
def test_any_bytes_are_survived(noise) -> None:
    """And while no frame begins, nothing is kept."""
    frames = FrameReader()
    list(frames.feed(noise))
    list(frames.feed(b"\0" * 6000))
    list(frames.feed(b"\0" * 6000))
    assert len(frames._pending) < 100
