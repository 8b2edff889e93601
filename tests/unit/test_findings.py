"""What each block of a series adds, when threads or a finalizer ask for it at the same time."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from footfall.observe.capture.findings import Findings

N_PLACES = 40
PLACES = [(number,) for number in range(N_PLACES)]


def _line_of(number: int) -> int:
    """Each line is reached by two places that follow each other, so it is new at the first of them."""
    return number // 2


EXPECTED = [
    ("module.py", frozenset(() if number % 2 else {_line_of(number)}), frozenset[tuple[int, int]]())
    for number in range(N_PLACES)
]


def test_each_place_is_looked_at_once_by_threads_that_ask_together() -> None:
    """All threads get the same news, in order, though each translation lets the others run."""
    together = threading.Barrier(4)
    looked_at: list[int] = []

    def translate(place: tuple[Any, ...]) -> Any:
        looked_at.append(place[0])
        pause.wait(0.001)  # the other threads' turn
        return "module.py", frozenset({_line_of(place[0])}), frozenset()

    def ask() -> None:
        together.wait()
        answers.append(findings.found(0, N_PLACES, None))

    pause = threading.Event()
    findings = Findings(translate, False, PLACES)
    answers: list[Any] = []
    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert looked_at == list(range(N_PLACES))
    assert answers == [EXPECTED] * 4


class _Asking(frozenset[int]):
    """Lines that ask for all news when they are compared with those seen before, as a finalizer could there."""

    ask: Callable[[], None]

    def __sub__(self, other: Any) -> frozenset[int]:
        self.ask()
        return frozenset(self) - other


@pytest.mark.parametrize("when", ["translated", "compared"])
def test_a_finalizer_that_asks_meanwhile_changes_nothing(when: str) -> None:
    """A finalizer, or a signal's handler, may run between any two steps of its thread: both get the same news."""
    inner: list[Any] = []
    is_inside = False

    def ask() -> None:
        nonlocal is_inside
        if is_inside:
            return
        is_inside = True
        inner.append(findings.found(0, N_PLACES, None))
        is_inside = False

    def translate(place: tuple[Any, ...]) -> Any:
        lines = _Asking({_line_of(place[0])})
        lines.ask = ask if when == "compared" else lambda: None
        if when == "translated":
            ask()
        return "module.py", lines, frozenset()

    findings = Findings(translate, False, PLACES)
    assert findings.found(0, N_PLACES, None) == EXPECTED
    assert inner
    assert all(news == EXPECTED for news in inner)
