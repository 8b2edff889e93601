"""`footfall tests --audit`: what the choice of tests for a change misses, by real runs of pytest in a real repository."""

import json
import os
import pathlib
import subprocess
import sys

import pytest

from repository import footfall, git

pytestmark = pytest.mark.any_python

_OTHERS = ("PYTEST_ADDOPTS", "PYTEST_XDIST_WORKER", "COVERAGE_FILE")

SHOP = """\
import pathlib

seen = []


def price(n):
    return n * 2


def text():
    return pathlib.Path("words.txt").read_text().split()


def special():
    return 1
"""
TESTS = {
    "test_price.py": "import shop\n\n\ndef test_price():\n    assert shop.price(2) == 4\n",
    "test_words.py": """\
import pathlib

import pytest

import shop


def test_words():
    assert shop.text() == ["good"]


@pytest.mark.parametrize("word", shop.text())
def test_word(word):
    assert word == "good"


def test_ways():
    assert shop.special() if "special" in shop.text() else True
""",
    "test_order.py": "import shop\n\n\ndef test_order():\n    assert shop.price(0) == 0\n    assert not shop.seen\n",
    "test_first.py": "import shop\n\n\ndef test_first():\n    shop.seen.extend(shop.text()[1:])\n",
    "test_stays.py": "def test_stays():\n    pass\n",
}


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A repository with the data of its tests."""
    folder = tmp_path_factory.mktemp("shop")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name, text in {"shop.py": SHOP, "words.txt": "good", ".gitignore": ".coverage\n*pyc\n", **TESTS}.items():
            pathlib.Path(name).write_text(text, encoding="utf-8")
        pathlib.Path("pyproject.toml").write_text("[tool.pytest.ini_options]\naddopts = '-p no:cacheprovider'\n")
        git("init")
        git("add", ".")
        git("commit", "-m", "first")
        git("tag", "first")
        options = ["-q", "--footfall", "--footfall-context=test", "--footfall-no-profile", "--footfall-report=none"]
        environment = {name: value for name, value in os.environ.items() if name not in _OTHERS}
        subprocess.run([sys.executable, "-m", "pytest", *options], env=environment, check=True, capture_output=True)
    return folder


@pytest.fixture
def shop(measured: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """The same, with the sources as they were measured."""
    monkeypatch.chdir(measured)
    for name in _OTHERS:
        monkeypatch.delenv(name, raising=False)
    git("reset", "--hard", "first")
    git("clean", "-fdq")
    return measured


def _edit(name: str, old: str, new: str) -> None:
    path = pathlib.Path(name)
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def _audit(*options: str, status: int) -> dict:
    done = subprocess.run(
        [sys.executable, "-m", "footfall", "tests", "--changed", "--format=json", *options],
        capture_output=True,
        text=True,
    )
    assert done.returncode == status, done.stderr
    return json.loads(done.stdout)


def test_what_fails_and_was_not_chosen_is_a_miss(shop) -> None:
    """Each with why it was missed; so is a test that fails only beside others; what passed on a new way is affected."""
    data = pathlib.Path(".coverage").read_bytes()
    _edit("shop.py", "return n * 2", "return n * 3")  # touches test_price and test_order
    _edit("shop.py", "return 1", "return 2")  # no test has run it
    pathlib.Path("words.txt").write_text("good special")
    pathlib.Path("test_broken.py").write_text("import nowhere\n")
    git("add", "--intent-to-add", "test_broken.py")
    found = _audit("--audit", status=1)
    assert found["missed"] == [
        {"name": "test_order.py::test_order", "reason": "passes-alone"},
        {"name": "test_words.py::test_word[special]", "reason": "unknown"},
        {"name": "test_words.py::test_words", "reason": "not-chosen"},
    ]
    broken = str(shop / "test_broken.py")
    assert found["failed"] == sorted(["test_price.py::test_price", *(each["name"] for each in found["missed"])]) + [
        broken
    ]
    assert found["affected"] == ["test_words.py::test_ways"]
    assert (found["tests"], found["chosen_tests"]) == (8, 2)
    assert pathlib.Path(".coverage").read_bytes() == data


def test_a_choice_that_shows_all_failures_is_a_success(shop) -> None:
    """A rule for the data file chooses what reads it, and its tests are run by any pytest that is named."""
    _edit("shop.py", "return n * 2", "return n * 3")
    pathlib.Path("words.txt").write_text("bad")
    _edit("pyproject.toml", "[tool", "[tool.footfall]\ntests_by_file = ['*.txt=test_words.py']\n\n[tool")
    found = _audit(f"--audit={sys.executable} -m pytest -q -x", status=0)
    assert found["missed"] == found["affected"] == []
    assert (len(found["failed"]), found["tests"], found["chosen_tests"]) == (3, 7, 5)


def test_an_audit_of_what_was_not_run_is_none(shop, capfd) -> None:
    """A run that ends before its tests do tells nothing of them."""
    assert footfall("tests", "--changed", f"--audit={sys.executable} -c pass") == 3
    assert "of all tests, no test ran" in capfd.readouterr().err
    assert footfall("tests", "--changed", f"--audit={sys.executable} -m pytest nowhere.py") == 3
    assert "ended with status 4. COMMAND" in capfd.readouterr().err
    assert footfall("tests", "--changed", "--audit='") == 2
    assert footfall("tests", "--audit") == 2
    assert "[changed-missing]" in capfd.readouterr().err


def test_what_is_always_chosen_and_what_there_is_time_for(shop, capsys) -> None:
    """Tests by rule and new files are chosen whole; a limit of time leaves out the slowest of the others, and says so."""
    chosen = ["test_order.py::test_order", "test_price.py::test_price"]
    _edit("shop.py", "return n * 2", "return n * 3")
    assert footfall("tests", "--changed") == 0
    assert sorted(capsys.readouterr().out.splitlines()) == chosen
    pathlib.Path("test_new.py").write_text("")
    _edit("pyproject.toml", "[tool", "[tool.footfall]\ntests_always = ['./test_stays.py', 'test_order.py']\n\n[tool")
    assert footfall("tests", "--changed", "--time=1h") == 0
    assert capsys.readouterr() == ("test_price.py::test_price\ntest_new.py\ntest_order.py\ntest_stays.py\n", "")
    assert footfall("tests", "--changed", "--time=0s") == 0
    out, err = capsys.readouterr()
    assert out == "test_new.py\ntest_order.py\ntest_stays.py\n"
    assert "1 test that the change affects" in err and "[tests-left-out]" in err
    assert footfall("tests", "--changed", "--time=soon") == 2
    _edit("pyproject.toml", "tests_always", "tests_by_file = ['a.txt']\ntests_always")
    assert footfall("tests", "--changed") == 2
    assert "[bad-test-rule]" in capsys.readouterr().err


def test_tests_that_are_gone_are_not_named(shop, capsys) -> None:
    """pytest would run nothing if it were told to run a test that is not there; its file's new name is."""
    git("mv", "test_price.py", "test_cost.py")
    git("rm", "-q", "test_order.py")
    _edit("shop.py", "return n * 2", "return n * 3")
    assert footfall("tests", "--changed") == 0
    assert capsys.readouterr().out == "test_cost.py\n"


def test_changes_of_which_the_data_knows_nothing_are_named(shop, capsys) -> None:
    """A changed module that was not measured chooses no test, which is no reason to trust the choice."""
    pathlib.Path("settings.py").write_text("A = 1\n")
    git("add", "settings.py")
    git("commit", "-m", "more")
    _edit("settings.py", "1", "2")
    assert footfall("tests", "--changed") == 0
    out, err = capsys.readouterr()
    assert out == "" and "settings.py: the data has nothing of it" in err and "[changes-unmeasured]" in err
