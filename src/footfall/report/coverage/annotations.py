"""Untested code of a patch, for services that show it at its lines: GitHub annotations, GitLab code quality. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import NamedTuple

from footfall.printable import printable
from footfall.report.coverage.json import Json
from footfall.report.coverage.patch import Patch, summarize_patch
from footfall.report.jsontext import readable_text

__all__ = ["gitlab_report", "render_github"]


class _Finding(NamedTuple):
    """`kind` is the name of the check, `path` is relative to the repository's top."""

    path: str
    first: int
    last: int
    kind: str
    text: str


def render_github(patch: Patch, percent: str) -> str:
    """Return a workflow command for each finding and each file without numbers, and one for the whole patch."""
    lines = [
        f"::warning file={_property(each.path)},line={each.first},endLine={each.last}"
        f",title={_property(_TITLES[each.kind])}::{_message(each.text)}"
        for each in _findings(patch)
    ]
    lines += [
        f"::warning file={_property(each.git_name)},title=Not in the patch coverage::{_message(each.reason)}"
        for each in patch.left_out
    ]
    summary = f"{percent} %: {summarize_patch(patch)}" if patch.files else summarize_patch(patch)
    return "".join(line + "\n" for line in [*lines, f"::notice title=Patch coverage::{_message(summary)}"])


def gitlab_report(patch: Patch) -> list[Json]:
    """Return the findings in the form that GitLab reads from `artifacts:reports:codequality`."""
    return [
        {
            "description": each.text,
            "check_name": f"footfall-{each.kind}",
            "fingerprint": _fingerprint(each),
            "severity": "major" if each.kind == "line" else "minor",
            "location": {"path": each.path, "lines": {"begin": each.first, "end": each.last}},
        }
        for each in _findings(patch)
    ]


_TITLES = {"line": "Not run", "branch": "Branch not taken", "condition": "Outcome never seen"}


def _findings(patch: Patch) -> Iterable[_Finding]:
    for file in patch.files:
        name = readable_text(file.git_name)
        for first, last in file.missing_ranges:
            text = f"line {first} did not run" if first == last else f"lines {first} to {last} did not run"
            yield _Finding(name, first, last, "line", text)
        for line, text in file.untaken:
            yield _Finding(name, line, line, "branch", printable(text))
        conditions = patch.conditions and patch.conditions[file.result.path]
        for each in conditions.missing if conditions else ():
            if each.has_run:
                text = f"{printable(each.text)} was never {str(each.never).lower()}"
                yield _Finding(name, each.line, each.end_line, "condition", text)


def _fingerprint(finding: _Finding) -> str:
    return hashlib.sha256(repr(tuple(finding)).encode("utf-8")).hexdigest()


def _message(text: str) -> str:
    """Escape as GitHub's toolkit does; a line end would start another command."""
    return readable_text(printable(text)).replace("%", "%25")


def _property(text: str) -> str:
    """Escape like `_message`, but keep every character of a name: GitHub looks for the file."""
    escapes = {"%": "%25", "\r": "%0D", "\n": "%0A", ":": "%3A", ",": "%2C"}
    return "".join(escapes.get(char, char) for char in readable_text(text))
