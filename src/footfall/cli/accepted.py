"""coverage.py's options that have no effect here: they are accepted, with a note, so that its command lines work."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

import click

from footfall.cli.face import current_face

__all__ = ["accepted_options", "note_option", "notes_on_options"]

_Command = TypeVar("_Command", bound=Callable[..., object])
_Value = TypeVar("_Value")

# name -> (its value's name in coverage.py, "" for a flag; why it has no effect)
_NOTES: Final = {
    "--timid": ("", "there is no simpler way of measuring to choose."),
    "--pylib": ("", "the standard library is not measured."),
    "--concurrency": ("LIBS", "threads, greenlets, tasks and child processes are measured without it."),
    "--debug": ("OPTS", "`footfall debug sys` and `footfall debug config` show what was found."),
    "--skip-covered": ("", 'choose "not fully covered" above the table of files.'),
    "--no-skip-covered": ("", "the table lists all files."),
    "--skip-empty": ("", "the table of files can be sorted by statements."),
    "--show-contexts": ("", "the tests that ran a line are shown wherever the data has them."),
}
_NOT_NEEDED: Final = ("--timid", "--concurrency")
"""The results are the same without them, so `footfall-coverage`, used in place of coverage.py, prints no note."""
_SHORT: Final = {"--pylib": ["-L"]}
_KEY: Final = "footfall.notes_on_options"


def accepted_options(*names: str) -> Callable[[_Command], _Command]:
    """Add options that only record a note, which `load_config` prints."""

    def decorate(function: _Command) -> _Command:
        for name in names:
            value, _ = _NOTES[name]
            kind: dict[str, Any] = {"metavar": value} if value else {"is_flag": True}
            words = [*_SHORT.get(name, ()), name]
            add = click.option(*words, hidden=True, expose_value=False, callback=note_option, **kind)
            function = add(function)
        return function

    return decorate


def note_option(context: click.Context, option: click.Parameter, value: _Value) -> _Value:
    """Record the note for an option that was given, and return its value, as click's callbacks do."""
    name = option.opts[-1]
    if value and not (name in _NOT_NEEDED and current_face().is_as_coverage):
        context.meta.setdefault(_KEY, []).append(("option-ignored", f"{name} has no effect: {_NOTES[name][1]}"))
    return value


def notes_on_options() -> list[tuple[str, str]]:
    """Return the notes on options of the running command, as warnings."""
    context = click.get_current_context(silent=True)
    return [] if context is None else list(context.meta.get(_KEY, ()))
