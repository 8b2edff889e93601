"""The report of `footfall tests --audit`, as text and JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from footfall.analyze.audit import LEFT_OUT, NOT_CHOSEN, PASSES_ALONE, UNCOLLECTED, UNKNOWN, Audit
from footfall.report.words import plural

__all__ = ["audit_report", "render_audit"]

_WORDS: Final[Mapping[str, str]] = {
    NOT_CHOSEN: "not chosen: by the data it ran nothing that changed",
    UNKNOWN: "not chosen: the data has no such test",
    LEFT_OUT: "not chosen: left out by --time",
    PASSES_ALONE: "chosen, but it does not fail when the chosen tests run alone",
    UNCOLLECTED: "its tests could not be collected, and none of them was chosen",
}


def render_audit(audit: Audit, revision: str) -> str:
    """Return the report: a line for each miss, for what is affected and was not chosen, and the numbers."""
    lines = [f"missed {miss.name}: {_WORDS[miss.reason]}" for miss in audit.missed]
    lines += [f"affected {name}: it ran changed lines in the run of all tests, and passed" for name in audit.affected]
    n_found = len(audit.failed) - len(audit.missed)
    lines.append(
        f"Since {revision}, {audit.n_chosen} of {plural(audit.n_tests, 'test')} are chosen:"
        f" {audit.chosen_seconds:.1f} of {audit.seconds:.1f} s."
        f" Of {plural(len(audit.failed), 'failure')} in the run of all, the chosen show {n_found};"
        f" {len(audit.missed)} missed."
    )
    return "\n".join(lines) + "\n"


def audit_report(audit: Audit, revision: str) -> dict[str, object]:
    """Return the report for JSON."""
    return {
        "revision": revision,
        "tests": audit.n_tests,
        "chosen_tests": audit.n_chosen,
        "seconds": audit.seconds,
        "chosen_seconds": audit.chosen_seconds,
        "failed": audit.failed,
        "missed": [{"name": miss.name, "reason": miss.reason} for miss in audit.missed],
        "affected": audit.affected,
    }
