"""Programs that change the constants of functions that are measured: lines are those that ran, or a message names the file."""

import pytest

from engines import IS_CPYTHON, Engine, Measured, each_engine, measured  # noqa: F401, a fixture
from footfall.analyze.resolve import resolve

_MODULE = """\
def steps(words):
    total = 0
    for word in words:
        if word:
            total += 3
        else:
            total -= 1
    try:
        total.nothing
    except AttributeError:
        total = 5
    return [800 if word else 900 for word in words]
def other():
    return 12
"""
_LINES = {1, 2, 3, 4, 5, 8, 9, 10, 11, 12, 13}
_REWRITE = """\
import module
def rewrite(code, change):
    return code.replace(co_consts=tuple(
        rewrite(value, change) if isinstance(value, type(code)) else change(value) for value in code.co_consts))
def run(change):
    module.steps.__code__ = rewrite(module.steps.__code__, change)
    return module.steps("ab")
"""


def _lines(measured: Measured) -> set[int]:  # noqa: F811
    return set().union(*resolve(measured.run_directory).files[str(measured.work / "module.py")].lines.values())


@pytest.mark.skipif(not IS_CPYTHON, reason="on PyPy probes are numbered by integers, for speed")
@each_engine
def test_integers_that_a_program_changes_are_its_own(measured: Measured, engine: Engine) -> None:  # noqa: F811
    """No probe is numbered by one of them: every engine tells the lines that ran, and the program gets its result."""
    (measured.work / "module.py").write_text(_MODULE)
    for change in "value + 1", "value - 10 ** 30":
        done = measured.run(f"{_REWRITE}print(run(lambda value: {change} if type(value) is int else value))\n")
        expected = eval(change, {"value": 800})
        assert (done.returncode, done.stdout, done.stderr) == (0, f"{[expected] * 2}\n", "")
    assert _lines(measured) == _LINES


@pytest.mark.skipif(not IS_CPYTHON, reason="on PyPy probes are numbered by integers, for speed")
@each_engine
def test_changed_probes_are_reported(measured: Measured, engine: Engine) -> None:  # noqa: F811
    """What changes texts, too, leaves probes that nobody can tell apart: no line is taken for another's."""
    (measured.work / "module.py").write_text(_MODULE)
    done = measured.run(_REWRITE + "print(run(lambda value: value[1:] if type(value) is str else value))\n")
    assert (done.returncode, done.stdout, done.stderr) == (0, "[800, 800]\n", "")
    reported = [text for slug, text in resolve(measured.run_directory).messages if slug == "probes-changed"]
    if engine.name == "probes" and not engine.is_pure:  # there armed code has no texts of ours
        assert len(reported) == 1 and reported[0].startswith(str(measured.work / "module.py"))
        assert _lines(measured) == {1, 13}
    else:
        assert reported == []
        assert _lines(measured) == _LINES
