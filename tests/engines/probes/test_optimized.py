"""Under `-O` and `-OO`, asserts and docstrings that Python leaves out are not counted, whatever measures and whoever reports."""

import ast
import os
import pathlib
import subprocess
import sys

import pytest

from engines import IS_CPYTHON, Measured, each_engine, measured
from marked import write_program

__all__ = ["measured"]

PROGRAM = """
    '''Text.'''
    import sys
    def only():
        '''Text.'''
    def check(x):
        assert x is not None  # missed
        if x:  # false
            assert x > 0  # missed
        assert x >= 0; y = x
        if x:  # both
            return 1
        assert not x  # missed
        return y
    assert check(1) == 1  # missed
    if __debug__:  # any
        assert check(1)  # missed
    for x in 0, 1:  # both
        check(x)
    try:
        assert check(0) == 0  # missed
    finally:
        only()
    if not __debug__:  # any
        print(sys.flags.optimize, check.__doc__, __doc__)
"""


@each_engine
@pytest.mark.parametrize("options", [("-O",), ("-OO",), ("-O", "-m", "main")], ids=" ".join)
def test_what_is_left_out_did_not_run(measured: Measured, options: tuple[str, ...]) -> None:
    """Neither in the main script nor in a module; again from the cache of instrumented code, beside that of a plain run."""
    write_program(measured.work / "module.py", PROGRAM)
    arguments = options if "-m" in options else (*options, "main.py")
    for _ in range(2):
        done = measured.run(PROGRAM.replace("import sys", "import sys, module"), *arguments)
        assert (done.stdout, done.stderr) == (measured.run_bare(*arguments).stdout, "")
        assert done.stdout
        measured.check_marks()


@each_engine
def test_compile_with_a_level_of_its_own(measured: Measured) -> None:
    """`compile(..., optimize=N)` decides for what it compiles, whatever the interpreter was started with."""
    for level in 1, 2:
        write_program(measured.work / f"level{level}.py", PROGRAM)
    kept = "def f(x):\n    assert x\n    return x\nassert f(1)\n"
    for level in 0, -1:
        write_program(measured.work / f"level{level}.py", kept)
    done = measured.run(
        """
        import os
        for level in 0, 1, 2, -1:
            path = os.path.abspath(f"level{level}.py")
            exec(compile(open(path).read(), path, "exec", optimize=level), {"__name__": "level"})
        """
    )
    assert (done.returncode, done.stderr) == (0, "")
    measured.check_marks()


@each_engine
@pytest.mark.parametrize("option", ["-O", "-OO"])
def test_asserts_that_pytest_rewrites_run(measured: Measured, option: str) -> None:
    """They are other statements then; where a module keeps pytest from it, and in modules without tests, they are left out."""
    write_program(measured.work / "helper.py", "def helped(x):\n    assert x  # missed\n    return x\n")
    has_docstring = option == "-O" or ast.get_docstring(compile("'text'", "", "exec", ast.PyCF_ONLY_AST, optimize=2))
    if has_docstring:  # from 3.13 on the compiler leaves it out of the tree as well, and pytest rewrites the module
        plain = "'''PYTEST_DONT_REWRITE'''\ndef test_it():\n    assert 0  # missed\n    x = 1\n"
        write_program(measured.work / "test_plain.py", plain)
    text = (
        "'''Tests.'''\nimport helper\ndef test_it():\n    '''Text.'''\n    assert helper.helped(0) == 0\n    assert 1\n"
    )
    for _ in range(2):
        arguments = (option, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "ignore", ".")
        done = measured.run(text, *arguments, name="test_main.py")
        assert ("2 passed" if has_docstring else "1 passed") in done.stdout
        measured.check_marks()


@pytest.mark.any_python
def test_pytest_has_no_warning_of_ours_without_docstrings(tmp_path: pathlib.Path) -> None:
    """Where a project makes warnings errors, one about us would end its run."""
    settings = "[pytest]\nfilterwarnings =\n  error\n  ignore::pytest.PytestConfigWarning\n"
    (tmp_path / "pytest.ini").write_text(settings)
    (tmp_path / "test_it.py").write_text("def test_it():\n    pass\n")
    command = [
        sys.executable,
        "-m",
        "footfall",
        "run",
        "--quiet",
        "--no-profile",
        sys.executable,
        "-OO",
        "-m",
        "pytest",
        "-q",
    ]
    done = subprocess.run([*command, "-p", "no:asyncio"], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(not IS_CPYTHON, reason="coverage.py has no C tracer on PyPy")
@pytest.mark.parametrize("when", [(1, 0), (0, 1), (1, 1), (2, 2)], ids="run {0[0]}, report {0[1]}".format)
def test_reports_equal_coverage_py(tmp_path: pathlib.Path, when: tuple[int, int]) -> None:
    """With PYTHONOPTIMIZE at the run, at the report or at both, reports are those of coverage.py in the same place."""
    pytest.importorskip("coverage", minversion="7.17")
    write_program(tmp_path / "main.py", PROGRAM)
    ours = _run(tmp_path, "footfall", when, ["run", "--quiet", "--no-profile", sys.executable, "main.py"])
    theirs = _run(tmp_path, "coverage", when, ["run", "--branch", "main.py"])
    assert "%" in theirs
    assert ours == theirs


def _run(work: pathlib.Path, tool: str, when: tuple[int, int], command: list[str]) -> str:
    """Run a program and return the report."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("FOOTFALL", "COVERAGE"))}
    environment |= {"COVERAGE_CORE": "ctrace"}
    output = ""
    for level, arguments in zip(when, (command, ["report", "-m"]), strict=True):
        environment["PYTHONOPTIMIZE"] = str(level or "")
        done = subprocess.run(
            [sys.executable, "-m", tool, *arguments],
            cwd=work,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        output = done.stdout
    (work / ".coverage").unlink()
    return output
