"""Every error and warning has a slug, every slug an entry in docs/messages.md, and every entry a use."""

import ast
import pathlib
import re
from collections.abc import Iterator

import pytest

from conftest import REPOSITORY
from footfall.errors import FootfallError, UsageError

pytestmark = pytest.mark.any_python

SLUG = r"[a-z]+(?:-[a-z]+)+"
DOCUMENT = REPOSITORY / "docs" / "messages.md"


def _called_name(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def _constant(node: ast.AST | None) -> str:
    """The node's slug, "" when it is none."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and re.fullmatch(SLUG, node.value):
        return node.value
    return ""


def _slugs_in_python(path: pathlib.Path) -> Iterator[str]:
    """Slugs as an error's or report's first argument, in pairs with a text, and in brackets at a text's end."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and node.args and not _called_name(node).startswith(("open", "get", "option")):
            is_error = _called_name(node).endswith("Error") or _called_name(node).lstrip("_") in (
                "report",
                "error",
                "keep_message",
                "report_at_end",
            )
            if is_error and _constant(node.args[0]):
                yield _constant(node.args[0])
        elif isinstance(node, ast.Tuple) and len(node.elts) == 2 and not _constant(node.elts[1]):
            if _constant(node.elts[0]):
                yield _constant(node.elts[0])
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from re.findall(rf"\[({SLUG})\]\"?\n?$", node.value)


def _slugs_in_c(path: pathlib.Path) -> Iterator[str]:
    text = path.read_text(encoding="utf-8")
    yield from re.findall(rf"\[({SLUG})\](?:\\n)?\"", text)
    yield from re.findall(rf"add_message\([^;]*?\"({SLUG})\"", text)


def _used() -> dict[str, str]:
    """Slug -> a file that has it."""
    found = {}
    for path in sorted((REPOSITORY / "src" / "footfall").rglob("*.py")):
        found.update(dict.fromkeys(_slugs_in_python(path), path.name))
    for path in sorted((REPOSITORY / "native").rglob("*.[ch]")):
        found.update(dict.fromkeys(_slugs_in_c(path), path.name))
    return found


def _documented() -> list[str]:
    return re.findall(rf"^### ({SLUG})$", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE)


def test_every_slug_is_documented() -> None:
    """An error or warning that a user meets has an entry that says what to do."""
    documented = _documented()
    assert {slug: name for slug, name in _used().items() if slug not in documented} == {}


def test_every_entry_is_in_use() -> None:
    """docs/messages.md describes nothing that footfall never says."""
    assert set(_documented()) - set(_used()) == set()


def test_entries_are_unique_and_in_order() -> None:
    """Each section's entries are sorted, so that one is found and none is there twice."""
    assert len(set(_documented())) == len(_documented())
    for section in DOCUMENT.read_text(encoding="utf-8").split("\n## ")[1:]:
        entries = re.findall(rf"^### ({SLUG})$", section, re.MULTILINE)
        assert entries == sorted(entries), section.splitlines()[0]


@pytest.mark.parametrize("kind", [FootfallError, UsageError])
def test_an_error_reads_as_what_happened_then_what_to_do(kind: type[FootfallError]) -> None:
    """The text is message, next step and slug; the exit status goes with the kind."""
    error = kind("some-slug", "It broke.", "Mend it.")
    assert str(error) == "It broke. Mend it. [some-slug]"
    assert error.exit_code == (2 if kind is UsageError else 3)
