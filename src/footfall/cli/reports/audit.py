"""`footfall tests --changed --audit`: what the selection of tests would have missed, by running all of them."""

from __future__ import annotations

import os
import tempfile

from footfall.analyze.audit import compare
from footfall.analyze.changes import touched_tests
from footfall.analyze.selection import Selection
from footfall.analyze.test_costs import name_of_test
from footfall.cli.reports.changed_tests import lines_by_file
from footfall.cli.reports.report_files import write_output
from footfall.cli.reports.touched import changes_since, lines_that_count
from footfall.config.configuration import Config, canonical_path
from footfall.errors import EXIT_FINDINGS
from footfall.record.data.contexts_of_lines import read_contexts
from footfall.report.audit import audit_report, render_audit
from footfall.report.jsontext import render_json
from footfall.session.audit import run_all, run_chosen, suite_command
from footfall.session.git import top_directory

__all__ = ["audit"]


def audit(config: Config, revision: str, selection: Selection, command: str, format_: str, output: str) -> int:
    """Run the tests chosen, then all, and write the report; return the exit status, 1 if a failure was missed."""
    words = suite_command(command)
    with tempfile.TemporaryDirectory(prefix="footfall-audit-") as folder:
        chosen = run_chosen(words, selection.all, folder)
        whole, data_file = run_all(words, config.config_file, folder)
        affected = _affected(config, revision, data_file)
    known = {name_of_test(label) for label in read_contexts(config.data_file)}
    found = compare(chosen, whole, known, selection.left_out, affected)
    if format_ == "json":
        text = render_json(audit_report(found, revision), indent=4) + "\n"
    else:
        text = render_audit(found, revision)
    write_output(output, text, "audit")
    return EXIT_FINDINGS if found.missed else 0


def _affected(config: Config, revision: str, data_file: str) -> set[str]:
    """Return the tests that ran lines that are new or changed since the revision, by data of the present sources."""
    ran = lines_by_file(config, data_file)
    top = top_directory()
    found: set[str] = set()
    for change in changes_since(revision):
        path = canonical_path(os.path.join(top, change.new_name)) if change.new_name else ""
        if path in ran and change.new_lines:
            found |= touched_tests(ran[path], lines_that_count(change.new_name, _read(path), change.new_lines))
    return found


def _read(path: str) -> bytes | None:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return None
