"""`footfall lake`: its commands, each in a module of this folder that is imported when it is called."""

from __future__ import annotations

from typing import Final

import click

from footfall.cli.lazy_group import LazyGroup

__all__ = ["command"]

_COMMANDS: Final = {
    "add": "Add data files to a lake.",
    "extract": "Make a data file from shards of a lake.",
    "who-tests": "Name the tests that ran a line, some lines or a file.",
    "tests": "Name the tests that a change affects.",
    "report": "Show the coverage of a commit, all its shards together.",
    "gaps": "Rank untested code of a commit by the time it takes.",
    "history": "Show the coverage and the time of a function over commits.",
    "flaky": "List tests that ran other code in one run than in another.",
    "minimize": "Choose few tests that run all that the tests run.",
}

_MODULES: Final = {name: ("footfall.cli.lake", text) for name, text in _COMMANDS.items()}

_EXAMPLES = """\b
Examples:
  footfall lake add coverage-lake .coverage
  footfall lake extract coverage-lake --commit 4f0c2d1 -o .coverage
  footfall lake who-tests src/app.py:120
  footfall lake tests --changed -o touched.txt && pytest @touched.txt
  footfall lake report --sql | duckdb
"""


@click.group("lake", cls=LazyGroup, modules=_MODULES, epilog=_EXAMPLES)
def command() -> None:
    """Keep the data of many runs, machines and commits as Parquet.

    A lake is a directory of Parquet files that any tool reads which knows Hive partitions: docs/lake.md describes the
    tables. It needs `pip install 'footfall[lake]'`.
    """
