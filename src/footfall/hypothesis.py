"""Makes Hypothesis look for inputs that run more code: `explore`.

Hypothesis draws inputs at random, and mutates those that score highest by `hypothesis.target`. Here an example's score
is the number of lines and branch directions that it executes.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Final, ParamSpec, TypeVar, overload

from hypothesis import target  # type: ignore[import-not-found, unused-ignore]

from footfall.api.capture import capture

__all__ = ["explore"]

_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")


_LABEL: Final = "footfall: lines and branches"


@overload
def explore(source: Callable[_Parameters, _Result], /) -> Callable[_Parameters, _Result]: ...
@overload
def explore(
    source: list[str] | None = None, *, label: str = _LABEL
) -> Callable[[Callable[_Parameters, _Result]], Callable[_Parameters, _Result]]: ...
def explore(
    source: list[str] | Callable[_Parameters, _Result] | None = None, *, label: str = _LABEL
) -> Callable[_Parameters, _Result] | Callable[[Callable[_Parameters, _Result]], Callable[_Parameters, _Result]]:
    """Return a decorator for a test below `@given`; Hypothesis then prefers examples that execute more of `source`.

    `source` is as for `capture`; `@explore` without parentheses is `@explore()`. Hypothesis keeps the best examples in
    its example database, where it has one, and continues from them in the next run. Examples that fail score nothing.
    `label` names the score for Hypothesis: a test that uses `target` itself needs another label for it. Raises what
    `capture` does when the test first runs.
    """
    if callable(source):
        return explore()(source)

    def decorate(test: Callable[_Parameters, _Result]) -> Callable[_Parameters, _Result]:
        @wraps(test)
        def explored(*args: _Parameters.args, **named: _Parameters.kwargs) -> _Result:
            with capture(source, series="hypothesis", full=True) as executed:
                result = test(*args, **named)
            target(len(executed.ids), label=label)
            return result

        return explored

    return decorate
