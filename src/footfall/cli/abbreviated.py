"""Abbreviated long options, which coverage.py's parser accepts: `coverage run --parallel`.

A prefix of exactly one option of coverage.py's command stands for that option, whatever other options footfall's
command has, so that a command line means the same here as there. footfall's own options must be written in full.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import click

__all__ = ["COVERAGE_OPTIONS", "with_whole_options"]

_OF_MOST: Final = "--data-file --debug --help --rcfile "
_OF_REPORTS: Final = _OF_MOST + "--ignore-errors --include --keep-combined --omit "

COVERAGE_OPTIONS: Final = {
    name: frozenset(options.split())
    for name, options in {
        "annotate": _OF_REPORTS + "--directory",
        "combine": _OF_MOST + "--append --keep --quiet",
        "debug": "--debug --help --rcfile",
        "erase": _OF_MOST,
        "html": _OF_REPORTS
        + "--contexts --directory --fail-under --no-skip-covered --precision --quiet --show-contexts"
        " --skip-covered --skip-empty --title",
        "json": _OF_REPORTS + "--contexts --fail-under --pretty-print --quiet --show-contexts",
        "lcov": _OF_REPORTS + "--fail-under --quiet",
        "report": _OF_REPORTS + "--contexts --fail-under --format --no-skip-covered --precision --show-missing"
        " --skip-covered --skip-empty --sort",
        "run": _OF_MOST + "--append --branch --concurrency --context --include --module --omit --parallel-mode --pylib"
        " --save-signal --source --timid",
        "xml": _OF_REPORTS + "--fail-under --quiet --skip-empty",
    }.items()
}
"""The long options of coverage.py 7.17, by command."""


def with_whole_options(command: click.Command, words: Sequence[str]) -> list[str]:
    """Return the words after a command's name with each abbreviated option written in full.

    Raises click's UsageError for a prefix of several. Option values, and the command to run, are left as they are.
    """
    options = COVERAGE_OPTIONS.get(command.name or "", frozenset())
    takes_value = {
        name: not (isinstance(param, click.Option) and (param.is_flag or param.count))
        for param in command.params
        for name in (*param.opts, *param.secondary_opts)
    }
    is_interspersed = command.context_settings.get("allow_interspersed_args", True)
    whole: list[str] = []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word == "--" or (not _is_option(word) and not is_interspersed):
            return [*whole, word, *rest]
        if word.startswith("--"):
            name, equals, value = word.partition("=")
            name = _whole_option(name, options, takes_value)
            word = name + equals + value
            has_value = not equals and takes_value.get(name, False)
        else:
            has_value = _is_option(word) and _takes_next_word(word, takes_value)
        whole.append(word)
        if has_value and rest:
            whole.append(rest.pop(0))
    return whole


def _is_option(word: str) -> bool:
    return word.startswith("-") and word != "-"


def _takes_next_word(word: str, takes_value: dict[str, bool]) -> bool:
    """Return whether the last of some combined short options, such as `-mo`, takes the next word as its value."""
    for place, letter in enumerate(word[1:], 2):
        if takes_value.get(f"-{letter}", False):
            return place == len(word)
    return False


def _whole_option(name: str, options: frozenset[str], known: dict[str, bool]) -> str:
    if name in known or name in options:
        return name
    meant = sorted(option for option in options if option.startswith(name))
    if len(meant) > 1:
        raise click.UsageError(f"Option {name} may be {' or '.join(meant)}.", click.get_current_context(silent=True))
    return meant[0] if meant else name
