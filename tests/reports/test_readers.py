"""Tools that people read coverage and profiles with take footfall's files: each runs, and says what the file says.

`pip install .[readers]` has those of Python, without which all is skipped; `genhtml` is in Debian's lcov, pprof in `go`. CI has the extra in
one environment, so there is no `any_python` here.
"""

from __future__ import annotations

import importlib.util
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree

import pytest

pytestmark = pytest.mark.skipif(importlib.util.find_spec("diff_cover") is None, reason="needs the extra `readers`")

MODULE = "def half(x):\n    if x:\n        return x / 2\n    return 0\n"
MAIN = "import time\nfrom lib.numbers import half\nprint(half(2))\nend = time.monotonic() + 0.1\nwhile time.monotonic() < end: pass\n"
NEW = "def twice(x):\n    return 2 * x\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A repository with a function that was committed and one that was not, and the files of a run."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "lib").mkdir()
    for name, text in (
        ("lib/__init__.py", ""),
        ("lib/numbers.py", MODULE),
        ("main.py", MAIN),
        (".gitignore", "*\n!*/\n!*.py\n"),
    ):
        (folder / name).write_text(text, encoding="utf-8")
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org"]
    for command in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-q", "-m", "one"]):
        subprocess.run([*git, *command], cwd=folder, check=True, timeout=60)
    with open(folder / "lib/numbers.py", "a", encoding="utf-8") as file:
        file.write(NEW)
    footfall = os.path.join(os.path.dirname(sys.executable), "footfall")
    for arguments in (
        "run --branch main.py",
        "xml",
        "lcov",
        "json",
        "export -o run.pb.gz",
        "export -o run.speedscope.json",
    ):
        done = subprocess.run([footfall, *arguments.split()], cwd=folder, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
    return folder


def _run(folder: pathlib.Path, command: str, needs: str) -> str:
    """Return what a command prints, stderr too; it must end with 0. `needs` is the module of a Python tool."""
    name, *arguments = command.split()
    path = shutil.which(name, path=os.pathsep.join([os.path.dirname(sys.executable), os.environ["PATH"]]))
    if path is None or (needs and importlib.util.find_spec(needs) is None):
        pytest.skip(f"needs {name}")
    environment = {**os.environ, "COVERALLS_REPO_TOKEN": "none", "NO_COLOR": "1", "HOME": str(folder)}
    done = subprocess.run(
        [path, *arguments],
        cwd=folder,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout
    return " ".join(done.stdout.split())


@pytest.mark.parametrize(
    ("command", "needs", "reported"),
    [
        ("diff-cover coverage.xml --compare-branch main", "diff_cover", "lib/numbers.py (50.0%): Missing lines 6"),
        ("diff-cover coverage.lcov --compare-branch main", "diff_cover", "lib/numbers.py (50.0%): Missing lines 6"),
        ("pycobertura show coverage.xml", "pycobertura", "TOTAL 11 3 72.73%"),
        ("coveralls --service=github debug", "coveralls", "lib/numbers.py - 4/6"),
        (
            "codecovcli --disable-telem do-upload --dry-run --disable-search -f coverage.xml -t none -C 0123456789 --slug a/b"
            " --git-service github",
            "codecov_cli",
            "Found 1 coverage files to report",
        ),
        ("genhtml --branch-coverage -o genhtml coverage.lcov", "", "lines......: 81.8% (9 of 11 lines)"),
        ("go tool pprof -top -sample_index=wall run.pb.gz", "", "Type: wall"),
    ],
    ids=["diff-cover, XML", "diff-cover, LCOV", "pycobertura", "coveralls", "codecov-cli", "genhtml", "pprof"],
)
def test_a_tool_reads_what_we_write(folder: pathlib.Path, command: str, needs: str, reported: str) -> None:
    """Status 0, and the numbers are those of the report."""
    assert reported in _run(folder, command, needs)


def test_codacys_reporter_reads_the_xml(folder: pathlib.Path) -> None:
    """What it would upload: the share of lines, and each line of each file."""
    pytest.importorskip("codacy")
    code = "import json; from codacy.reporter import parse_report_file as read; print(json.dumps(read('coverage.xml', '')))"
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["codeLines"], round(report["total"])) == (11, 82)
    lines = {pathlib.Path(file["filename"]).name: file["coverage"] for file in report["fileReports"]}
    assert lines["numbers.py"] == {"1": 1, "2": 1, "3": 1, "4": 0, "5": 1, "6": 0}


def test_what_sonarqube_and_jenkins_ask_of_cobertura(folder: pathlib.Path) -> None:
    """Their readers (CoberturaParser of sonar-python and of coverage-model) refuse or leave out files otherwise.

    A file is below one source alone, has all its lines, each with numbers, and covers no more branches than it has.
    """
    root = xml.etree.ElementTree.parse(folder / "coverage.xml").getroot()
    sources = [pathlib.Path(each.text or "") for each in root.iter("source")]
    assert all(source.is_dir() for source in sources)
    names = []
    for each in root.iter("class"):
        (path,) = (
            source / each.attrib["filename"] for source in sources if (source / each.attrib["filename"]).exists()
        )
        names.append((path.parent, each.attrib["name"]))
        n_lines = len(path.read_text(encoding="utf-8").splitlines())
        numbers = [int(line.attrib["number"]) for line in each.iter("line")]
        assert all(0 < number <= n_lines for number in numbers) and len(set(numbers)) == len(numbers)
        for line in each.iter("line"):
            assert int(line.attrib["hits"]) >= 0
            if line.get("branch") == "true":
                covered, total = re.findall(r"\d+", line.attrib["condition-coverage"].partition("%")[2])
                assert int(covered) <= int(total)
    assert len(names) == len(set(names)) == 3


def test_a_tool_that_imports_coverage_reads_the_data_file(folder: pathlib.Path) -> None:
    """coverage.py's own report and HTML, from the file of a run with a profile."""
    pytest.importorskip("coverage")
    assert _run(folder, "coverage report", "coverage").endswith("TOTAL 11 2 2 1 77%")
    _run(folder, "coverage html -q -d theirs", "coverage")
    assert (folder / "theirs" / "index.html").exists()


def test_the_pattern_for_gitlab_finds_the_total(folder: pathlib.Path) -> None:
    """That of the docs, in the table with times, and in coverage.py's."""
    docs = pathlib.Path(__file__).parents[2] / "docs" / "compatibility.md"
    (pattern,) = re.findall(r"^coverage: '/(.+)/'$", docs.read_text(encoding="utf-8"), re.MULTILINE)
    for command in ("footfall report", "footfall-coverage report"):
        table = subprocess.run(
            [os.path.join(os.path.dirname(sys.executable), command.split()[0]), *command.split()[1:]],
            cwd=folder, capture_output=True, text=True, timeout=120,
        ).stdout  # fmt: skip
        assert re.findall(pattern, table, re.MULTILINE) == ["77"], table
