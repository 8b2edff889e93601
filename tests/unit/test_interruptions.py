"""Signals are held back while footfall's own code runs in the program, and never for longer."""

import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from footfall.observe import interruptions
from footfall.observe.interruptions import Undisturbed


class Alarm(Exception):
    """What the handler raises."""


@pytest.fixture
def handler() -> Iterator[None]:
    """A handler of SIGUSR1 that raises."""

    def on_signal(number: int, frame: object) -> None:
        raise Alarm

    before = signal.signal(signal.SIGUSR1, on_signal)
    mask = _mask()
    yield
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    signal.signal(signal.SIGUSR1, before)


def _mask() -> set[int]:
    return set(signal.pthread_sigmask(signal.SIG_BLOCK, ()))


@pytest.mark.usefixtures("handler")
def test_a_signal_waits_for_the_end() -> None:
    """What its handler raises is raised where the block ends."""
    is_at_end = False
    with pytest.raises(Alarm), Undisturbed():
        signal.raise_signal(signal.SIGUSR1)
        is_at_end = True
    assert is_at_end
    assert signal.SIGUSR1 not in _mask()


@pytest.mark.usefixtures("handler")
@pytest.mark.parametrize("at_call", [1, 2, 3])
def test_no_signal_stays_blocked(at_call: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A signal arrives just before a change of the mask, whose call then runs its handler."""
    calls = 0

    def change_mask(
        how: int, signals: Iterable[int], change: "Callable[..., Any]" = interruptions.pthread_sigmask
    ) -> set[int]:
        nonlocal calls
        calls += 1
        before: set[int] = change(how, signals)
        if calls == at_call:
            raise Alarm
        return before

    monkeypatch.setattr(interruptions, "pthread_sigmask", change_mask)
    with pytest.raises(Alarm), Undisturbed():
        assert signal.SIGUSR1 in _mask()
    monkeypatch.undo()
    assert signal.SIGUSR1 not in _mask()
    assert at_call <= calls


@pytest.mark.usefixtures("handler")
def test_deciding_about_a_file_takes_no_signal_for_an_error_of_its_own() -> None:
    """The trace function in Python decides about a file: what a handler raises then is the program's."""
    from footfall.observe.pure.settrace import _Files

    def decide(filename: str, namespace: dict[str, object]) -> str | None:
        try:
            signal.raise_signal(signal.SIGUSR1)
        except Alarm:
            pass
        return None

    recorder: Any = None
    files = _Files(recorder, decide, True, lambda code: None)
    with pytest.raises(Alarm):
        files.adder(sys._getframe())
    assert signal.SIGUSR1 not in _mask()
