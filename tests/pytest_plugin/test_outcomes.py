"""`--footfall-outcomes`: the tests that pytest finds, and what becomes of each, as lines of JSON."""

import json
import os
import pathlib
import subprocess
import sys

import pytest

pytestmark = pytest.mark.any_python

_TESTS = """\
import os

import pytest


@pytest.fixture
def broken_end():
    yield
    raise OSError("at the end")


@pytest.mark.parametrize("name", ["a: b [c] - d", "e\\nf"])
def test_names(name):
    pass


def test_fails():
    assert 1 == 2


def test_ends_badly(broken_end):
    pass


def test_skipped():
    pytest.skip("not today")


@pytest.mark.xfail
def test_expected():
    assert False


class TestGroup:
    def test_last(self):
        if os.environ.get("DIES"):
            os._exit(3)
"""


def _outcomes(root: pathlib.Path, *options: str, below: str = "", **variables: str) -> list[dict]:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "footfall.pytest_plugin.outcomes"]
    found = root / "found.jsonl"
    found.unlink(missing_ok=True)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FOOTFALL_")}
    subprocess.run(
        [*command, f"--footfall-outcomes={found}", *options],
        cwd=root / below,
        env={**environment, **variables},
        capture_output=True,
        timeout=60,
        check=False,
    )
    return [json.loads(line) for line in found.read_text().splitlines()]


def test_each_test_has_its_outcome(tmp_path) -> None:
    """Whatever is in its name and wherever it failed, measured and under pytest-xdist too; not where pytest died."""
    name = "a dir/test_it.py"
    (tmp_path / "a dir").mkdir()
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / name).write_text(_TESTS)
    expected = {
        "test_names[a: b [c] - d]": ("passed", ""),
        "test_names[e\\nf]": ("passed", ""),
        "test_fails": ("failed", "assert 1 == 2"),
        "test_ends_badly": ("failed", "at the end"),
        "test_skipped": ("skipped", "not today"),
        "test_expected": ("passed", ""),
        "TestGroup::test_last": ("passed", ""),
    }
    for options in ([], ["-n2"], ["--footfall", "--footfall-context=test"]):
        found = {each["test"]: each for each in _outcomes(tmp_path, *options)}
        assert set(found) == {f"{name}::{test}" for test in expected}
        for test, (outcome, part) in expected.items():
            each = found[f"{name}::{test}"]
            assert (each["outcome"], part in each["message"]) == (outcome, True), each
        failed = found[f"{name}::test_fails"]
        assert (failed["failed_path"], failed["failed_line"]) == (str(tmp_path / name), 18)
    died = [each["test"] for each in _outcomes(tmp_path, DIES="1")]
    assert died == [f"{name}::{test}" for test in expected][:-1]
    places = [(each["test"], each["path"], each["line"]) for each in _outcomes(tmp_path, "--collect-only")]
    lines = (12, 12, 17, 21, 25, 29, 35)
    names = [f"{name}::{test}" for test in expected]
    assert places == [(test, str(tmp_path / name), line) for test, line in zip(names, lines, strict=True)]


@pytest.mark.parametrize("options", [[], ["-n2"]], ids=["alone", "xdist"])
def test_a_name_runs_the_test_again_below_the_root_directory(tmp_path, options) -> None:
    """Of two files that it could mean, it is the one whose test has this name; what isn't there is as pytest has it."""
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "sub/sub").mkdir(parents=True)
    test = "import pytest\n@pytest.mark.parametrize('x', ['::'])\ndef test_a(x):\n    pass\n"
    for file in ("sub/test_a.py", "sub/test_b.py", "sub/sub/test_a.py"):
        (tmp_path / file).write_text(test)
    collected = [each["test"] for each in _outcomes(tmp_path, "--collect-only", "test_a.py", "test_b.py", below="sub")]
    assert collected == ["sub/test_a.py::test_a[::]", "sub/test_b.py::test_a[::]"]
    ran = _outcomes(tmp_path, *options, collected[0], below="sub")
    assert [(each["test"], each["path"]) for each in ran] == [(collected[0], str(tmp_path / "sub/test_a.py"))]
    ran = _outcomes(tmp_path, *options, "test_b.py::test_a", below="sub")
    assert [each["test"] for each in ran] == collected[1:]


def test_tests_are_chosen_by_a_file(tmp_path) -> None:
    """By whole names, whatever the command's own arguments are; what is gone is not run, and keeps none from running."""
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "sub").mkdir()
    for file in ("sub/test_a.py", "sub/test_b.py"):
        (tmp_path / file).write_text("def test_a():\n    pass\n\n\ndef test_ab():\n    pass\n")
    choice = tmp_path / "choice"

    def ran(content: object, *options: str) -> list[str]:
        choice.write_text(json.dumps(content))
        return sorted(each["test"] for each in _outcomes(tmp_path, f"--footfall-tests={choice}", *options, below="sub"))

    gone = [f"{file}::test_gone" for file in ("sub/test_b.py", "sub/test_gone.py")]
    assert ran({"only": ["sub/test_b.py::test_a", *gone]}, "test_a.py", "-n2") == ["sub/test_b.py::test_a"]
    assert ran({"except": ["sub/test_b.py::test_a"]}, "test_b.py") == ["sub/test_b.py::test_ab"]
    assert ran({"only": gone[1:]}) == []
    for wrong in ([], {"only": "all"}, {"except": [1]}):
        choice.write_text(json.dumps(wrong))
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-p",
            "footfall.pytest_plugin.outcomes",
            f"--footfall-tests={choice}",
        ]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
        assert (done.returncode, "[tests-unreadable]" in done.stderr) == (4, True), done.stderr


def test_a_file_whose_tests_can_not_be_collected_has_its_error(tmp_path) -> None:
    """Beside the tests of the others; in a run that is an outcome of no test."""
    (tmp_path / "test_a.py").write_text("def test_a():\n    pass\n")
    (tmp_path / "test_b.py").write_text("def test_b(:\n")
    failed, found = sorted(_outcomes(tmp_path, "--collect-only"), key=lambda each: "test" in each)
    assert (failed["path"], "SyntaxError" in failed["error"]) == (str(tmp_path / "test_b.py"), True)
    assert found["test"] == "test_a.py::test_a"
    assert _outcomes(tmp_path) == []
