"""The documentation keeps its word: links lead to files and headings, and what it tells to make or to open is there."""

import pathlib
import re
from collections.abc import Iterator

import pytest

from conftest import REPOSITORY

pytestmark = pytest.mark.any_python

PAGES = sorted([*REPOSITORY.glob("*.md"), *REPOSITORY.glob("docs/**/*.md"), *REPOSITORY.glob(".github/**/*.md")])
CONTRIBUTORS = [page for page in PAGES if page.name == "CONTRIBUTING.md" or page.parent.name == "contributing"]
ROOTS = [REPOSITORY, REPOSITORY / "src" / "footfall", REPOSITORY / "tests", REPOSITORY / "native" / "core"]


def _name(page: pathlib.Path) -> str:
    return str(page.relative_to(REPOSITORY))


def _text_without_code(page: pathlib.Path) -> str:
    return re.sub(r"^( *)```.*?^\1```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


def _anchors(page: pathlib.Path) -> Iterator[str]:
    """The names that a page's headings have in links."""
    for heading in re.findall(r"^#+ (.*)$", _text_without_code(page), re.MULTILINE):
        yield re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-")


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_links_lead_to_files_and_headings(page) -> None:
    """Each relative link names a file or folder, and a heading of it where it says so."""
    for link in re.findall(r"\]\((?!https?:)([^)\s]+)\)", _text_without_code(page)):
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), link
        assert not anchor or anchor in _anchors(target), link


@pytest.mark.parametrize("page", CONTRIBUTORS, ids=_name)
def test_files_named_for_contributors_exist(page) -> None:
    """Each path in a page for contributors that begins with a folder of ours, and each file name, leads to one."""
    paths = re.findall(r"`((?:[\w.]+/)+[\w.]*|\w+\.(?:py|c|h))`", _text_without_code(page))
    examples = re.compile(r"\.footfall/|build/|.*/csv\.py|.*COMMAND|.*NAME|.*NN")  # or made by a run
    folders = [*ROOTS, *(REPOSITORY / "src" / "footfall").iterdir()]
    names = {file.name for folder in ("src", "native", "tests", "tools") for file in (REPOSITORY / folder).rglob("*.*")}

    def is_missing(path: str) -> bool:
        first, slash, _ = path.partition("/")
        if not slash:
            return path not in names and not (REPOSITORY / path).exists()
        return any((root / first).exists() for root in folders) and not any((root / path).exists() for root in folders)

    assert paths
    assert [path for path in paths if is_missing(path) and not examples.match(path)] == []


def test_make_targets_named_for_contributors_exist() -> None:
    """Each `make TARGET` in the pages for contributors is in the Makefile, which explains all of its own."""
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    [phony] = re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    explained = re.findall(r"^([a-z-]+):.*## ", makefile, re.MULTILINE)
    assert sorted(phony.split()) == sorted(explained)
    named = {
        target
        for page in [*CONTRIBUTORS, REPOSITORY / ".github" / "pull_request_template.md"]
        for words in re.findall(r"(?:^|`|&& )make ((?:[a-z-]+ ?)+)", page.read_text(encoding="utf-8"), re.MULTILINE)
        for target in words.split()
    }
    assert named and named <= set(explained)


def test_the_quick_tests_are_there() -> None:
    """Each pattern of the Makefile's QUICK finds a file."""
    quick = re.search(r"^QUICK = ((?:.*\\\n)*.*)", (REPOSITORY / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert quick
    patterns = quick[1].replace("\\\n", " ").split()
    assert [pattern for pattern in patterns if not list(REPOSITORY.glob(pattern))] == []
