"""docs/ci.md: the commands of each recipe, run in their order in a real repository, shards in directories of their own.

Programs of the services are stand-ins that note what they get; artifacts are copied.
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
from collections.abc import Callable

import pytest

from conftest import REPOSITORY
from footfall.record.data.contexts_of_lines import read_contexts
from repository import git

yaml = pytest.importorskip("yaml")
pytestmark = [pytest.mark.any_python, pytest.mark.slow]

PAGE = (REPOSITORY / "docs" / "ci.md").read_text(encoding="utf-8")
SHOP = "def price(n):\n    if n > 1:\n        return n\n    return 1\n"
CHANGE = "def price(n):\n    if n > 1:\n        return n * 1\n    return 1\n\n\ndef free():\n    return 0\n"
TESTS = {
    "unit": "from shop import price\n\n\ndef test_price():\n    assert price(2) == 2\n",
    "web": "from shop import price\n\n\ndef test_one():\n    assert price(0) == 1\n",
}
STANDS_IN = {
    "pip": "",
    "gh": 'cp "${!#}" "$NOTES/comment.md"',
    "curl": 'for word; do case $word in body=*) cp "${word#body=<}" "$NOTES/comment.md";; esac; done',
    "buildkite-agent": 'case $1 in artifact) cp "$STORE"/$3 "$4";; annotate) cat > "$NOTES/comment.md";; esac',
}


def _block(heading: str) -> str:
    """The first code block below a heading."""
    return re.search(rf"^## {heading}$.*?^```\w+\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)[1]


def _github() -> tuple[list[str], list[str], str]:
    jobs = yaml.safe_load(_block("GitHub Actions"))["jobs"]
    shard, report = ([step["run"] for step in jobs[name]["steps"] if "run" in step] for name in ("test", "report"))
    paths = [step["with"]["path"] for step in jobs["report"]["steps"] if "download" in step.get("uses", "")]
    return [line.replace("${{ matrix.shard }}", "$SHARD") for line in shard], report, *paths


def _gitlab() -> tuple[list[str], list[str], str]:
    jobs = yaml.safe_load(_block("GitLab"))
    return jobs["test"]["script"], jobs["report"]["script"], "."


def _jenkins() -> tuple[list[str], list[str], str]:
    shard, report = _block("Jenkins").split("stage('Report')")
    report = report.replace("script { pullRequest.comment(readFile('comment.md')) }", "sh 'gh comment.md'")
    return re.findall(r"\bsh '(.*)'", shard), re.findall(r"\bsh '(.*)'", report), "."


def _buildkite() -> tuple[list[str], list[str], str]:
    shard, report = (step["command"] for step in yaml.safe_load(_block("Buildkite"))["steps"] if "command" in step)
    return [line.replace("{{matrix}}", "$SHARD") for line in shard], [line.replace("$$", "$") for line in report], ""


RECIPES = [_github, _gitlab, _jenkins, _buildkite]


def _make_repository(origin: pathlib.Path) -> None:
    """The branches main, and change, which is checked out."""
    for name, text in TESTS.items():
        (origin / "tests" / name).mkdir(parents=True)
        (origin / "tests" / name / f"test_{name}.py").write_text(text)
    (origin / "shop").mkdir()
    (origin / "shop" / "__init__.py").write_text(SHOP)
    settings = re.search(r"^```toml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)[1]
    (origin / "pyproject.toml").write_text(settings)
    git("init", str(origin))
    at = ("-C", str(origin))
    git(*at, "add", ".")
    git(*at, "commit", "-m", "first")
    git(*at, "checkout", "-q", "-b", "change")
    (origin / "shop" / "__init__.py").write_text(CHANGE)
    free = "\n\ndef test_free():\n    import shop\n\n    assert shop.free() == 0\n"
    (origin / "tests" / "web" / "test_web.py").write_text(TESTS["web"] + free)
    git(*at, "commit", "-qam", "change")


class Service:
    """Stand-ins for a service's programs, and what the commands get."""

    def __init__(self, folder: pathlib.Path, origin: pathlib.Path) -> None:
        self.folder, self.origin = folder, origin
        self.notes, programs = folder / "notes", folder / "programs"
        for each in (self.notes, programs):
            each.mkdir()
        for name, script in STANDS_IN.items():
            (programs / name).write_text(f'#!/bin/bash\necho "$0 $*" >> "$NOTES/calls"\n{script}\n')
            (programs / name).chmod(0o755)
        kept = {
            key: value for key, value in os.environ.items() if not key.startswith(("COVERAGE", "FOOTFALL", "PYTEST"))
        }
        self.environment = {
            **kept, "PATH": f"{programs}:{pathlib.Path(sys.executable).parent}:{kept['PATH']}", "PYTHONPATH": ".",
            "NOTES": str(self.notes), "GITHUB_STEP_SUMMARY": str(self.notes / "summary"),
            "GITHUB_BASE_REF": "main", "PR": "7", "CI_MERGE_REQUEST_IID": "7", "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main",
            "COMMENT_TOKEN": "t", "CI_API_V4_URL": "http://localhost", "CI_PROJECT_ID": "1", "CHANGE_TARGET": "main",
            "BUILDKITE_PULL_REQUEST_BASE_BRANCH": "main",
        }  # fmt: skip

    def clone(self, name: str, branch: str) -> pathlib.Path:
        """Check a branch out in a directory of its own."""
        git("clone", "-q", "--branch", branch, str(self.origin), str(self.folder / name))
        return self.folder / name

    def run(self, where: pathlib.Path, lines: list[str], **variables: str) -> list[subprocess.CompletedProcess]:
        """Run commands, each of which has to succeed."""
        found = []
        for line in lines:
            done = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", line], cwd=where, env={**self.environment, **variables},
                capture_output=True, text=True,
            )  # fmt: skip
            assert done.returncode == 0, (line, done.stdout, done.stderr)
            found.append(done)
        return found


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A folder with the repository `origin`, and by branch the data files of its shards, each run in its own clone.

    The commands of a shard are the same in all recipes.
    """
    folder = tmp_path_factory.mktemp("measured")
    _make_repository(folder / "origin")
    service = Service(folder, folder / "origin")
    commands, *others = ([line for line in recipe()[0] if not line.startswith("pip ")] for recipe in RECIPES)
    assert [commands] * len(others) == others and len(commands) == 1
    for branch in ("main", "change"):
        (folder / branch).mkdir()
        for shard in TESTS:
            where = service.clone(f"{branch}-{shard}", branch)
            service.run(where, commands, SHARD=shard)
            for path in where.glob(".coverage.*"):
                shutil.move(path, folder / branch / path.name)
        assert sorted(os.listdir(folder / branch)) == [".coverage.unit", ".coverage.web"]
    return folder


@pytest.fixture
def service(measured: pathlib.Path, tmp_path: pathlib.Path) -> Service:
    return Service(tmp_path, measured / "origin")


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_combines_shards_and_comments(
    service, measured, recipe: Callable[[], tuple[list[str], list[str], str]]
) -> None:
    """The report has what both shards ran, the comment is on what changed, and a threshold that is reached ends well."""
    _, report, place = recipe()
    where = service.clone("report", "change")
    if place:
        shutil.copytree(measured / "change", where / place, dirs_exist_ok=True)
    of_change = [line for line in report if not line.startswith("mkdir -p base")]  # that is of the main branch: below
    service.run(where, of_change, STORE=str(measured / "change"))
    contexts = {label.partition("|")[0] for label in read_contexts(str(where / ".coverage"))}
    assert contexts >= {"tests/unit/test_unit.py::test_price", "tests/web/test_web.py::test_free"}
    comment = (service.notes / "comment.md").read_text()
    assert "shop/" in comment and "100%" in comment
    assert any("--fail-under-patch 90" in line for line in report)
    assert "pip install footfall" in (service.notes / "calls").read_text()
    if recipe is _gitlab:
        _takes_the_percentage(service, where)


def _takes_the_percentage(service: Service, where: pathlib.Path) -> None:
    """GitLab's expression finds the total in the report as it is printed."""
    pattern = yaml.safe_load(_block("GitLab"))["report"]["coverage"].strip("/")
    printed, total = service.run(where, ["footfall report", "footfall report --format total"])
    assert re.findall(pattern, printed.stdout) == [total.stdout.strip()]
    assert (where / "coverage.xml").exists()


def test_the_main_branch_is_what_a_change_is_compared_with(service, measured) -> None:
    """Its data is kept with its revision, from which later the comparison and the tests to run are made."""
    _, report, place = _github()
    main = service.clone("main", "main")
    shutil.copytree(measured / "main", main / place)
    service.run(main, [line for line in report if line.startswith(("footfall combine", "mkdir -p base"))])
    here = service.clone("here", "change")
    shutil.copytree(main / "base", here / "base")
    commands = re.search(
        r"^## Only the tests.*?^```sh\n(.*?)^```$.*?^```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL
    )
    affected, audit = commands.groups()
    service.run(here, [affected])
    assert (here / "touched.txt").read_text().split() == [
        "tests/unit/test_unit.py::test_price",
        "tests/web/test_web.py",
    ]
    (done,) = service.run(here, [f"{audit.strip()} --format json"])
    found = json.loads(done.stdout)
    assert (found["missed"], found["tests"], found["chosen_tests"]) == ([], 3, 3)
    shutil.copytree(measured / "change", here / place)
    service.run(here, [line for line in report if line.startswith(("footfall combine", "footfall report"))])
    comment = (service.notes / "comment.md").read_text()
    assert comment == (service.notes / "summary").read_text()
    assert "### Patch coverage: 100%" in comment and "### Coverage 100% -> 100%" in comment
