"""Programs that change the constants of functions that are measured: lines are those that ran, or a message names the file."""

import pytest

from engines import IS_CPYTHON, Engine, Measured, each_engine, measured  # noqa: F401, a fixture
from footfall.analyze.resolve import resolve
from marked import write_program

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
        done = measured.run(f"{_REWRITE}print(run(lambda value: {change} if isinstance(value, int) else value))\n")
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
    if engine.name == "probes" and not engine.is_pure:  # without the core, code that records has no texts of ours
        assert len(reported) == 1 and reported[0].startswith(str(measured.work / "module.py"))
        assert _lines(measured) == {1, 13}
    else:
        assert reported == []
        assert _lines(measured) == _LINES


@pytest.mark.skipif(not IS_CPYTHON, reason="on PyPy probes are numbered by integers, for speed")
@each_engine
def test_replaced_integers_are_the_programs_own_or_reported(measured: Measured, engine: Engine) -> None:  # noqa: F811
    """Where integers number probes, a message names the file whose probes got other numbers."""
    (measured.work / "module.py").write_text(_MODULE)
    done = measured.run(_REWRITE + "print(run(lambda value: int(value) + 1 if isinstance(value, int) else value))\n")
    assert (done.returncode, done.stdout, done.stderr) == (0, "[801, 801]\n", "")
    reported = [text for slug, text in resolve(measured.run_directory).messages if slug == "probes-changed"]
    if engine.name == "probes" and engine.is_pure:
        assert len(reported) == 1 and reported[0].startswith(str(measured.work / "module.py"))
    else:
        assert reported == []
        assert _lines(measured) == _LINES


_COUNTING = """
    def count(words):
        total = 0
        for word in words:
            try:
                if word.isdecimal() or total > 10:
                    total += 3
                else:
                    total -= 1
            except AttributeError:
                total = 7
        return total
"""
_PICKLE = """
    import pickle, module
    code = module.count.__code__
    names = "argcount nlocals stacksize flags code consts names varnames filename linetable exceptiontable".split()
    with open("copied", "wb") as file:
        pickle.dump({"co_" + name: getattr(code, "co_" + name) for name in names}, file)
"""
_RUN_COPY = """
    import pickle
    with open("copied", "rb") as file:
        parts = pickle.load(file)
    def count(words):
        pass  # missed
    count.__code__ = count.__code__.replace(**parts)
    print(count(["1", "a", None]), count("12"))
"""


@pytest.mark.skipif(not IS_CPYTHON, reason="on PyPy other objects stand in the constants")
@each_engine
def test_code_pickled_by_value_runs_elsewhere(measured: Measured, engine: Engine) -> None:  # noqa: F811
    """It computes the same in a process that is measured and in one that is not; no line is taken for another's."""
    if engine.name != "probes":
        pytest.skip("only code with probes has constants of ours")
    write_program(measured.work / "module.py", _COUNTING)
    pickled = measured.run(_PICKLE, name="pickling.py")
    copied = measured.run(_RUN_COPY)
    bare = measured.run_bare()
    for done in pickled, copied, bare:
        assert (done.returncode, done.stderr) == (0, "")
    assert copied.stdout == bare.stdout == "7 6\n"
    assert _lines(measured) == {1}
