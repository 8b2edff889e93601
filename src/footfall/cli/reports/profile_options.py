"""Options that all commands showing a profile share: which part of it to show."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from footfall.analyze.profile.selection import Selection
from footfall.errors import FootfallError, UsageError

if TYPE_CHECKING:
    from footfall.analyze.profile.calltree import Profile

__all__ = ["choose_part", "selection_options"]


def selection_options(function: Callable[..., int]) -> Callable[..., int]:
    """Add --focus, --ignore, --root and --merge; the function gets them as `selection`.

    Calling it raises UsageError (`bad-pattern`).
    """

    @functools.wraps(function)
    def command(*args: Any, merge: bool, **given: Any) -> int:
        patterns = {name: _pattern(given.pop(name)) for name in ("focus", "ignore", "root")}
        return function(*args, selection=Selection(**patterns, merge=merge), **given)

    decorated: Callable[..., int] = command
    for decorate in (
        click.option("--merge", is_flag=True, help="Merge recursive calls: show a function once in each stack."),
        click.option("--root", metavar="REGEX", help="Begin stacks at the outermost function that matches."),
        click.option("--ignore", metavar="REGEX", help="Leave out stacks that have a matching function."),
        click.option(
            "--focus",
            metavar="REGEX",
            help="Only stacks that have a matching function; REGEX is searched in NAME (FILE).",
        ),
    ):
        decorated = decorate(decorated)
    return decorated


def _pattern(text: str | None) -> re.Pattern[str] | None:
    try:
        return None if text is None else re.compile(text)
    except (re.error, RecursionError, OverflowError) as error:
        what = f"{text!r} is not a regular expression: {error}."
        raise UsageError("bad-pattern", what, "The syntax is that of Python's re module.") from error


def choose_part(profile: Profile, selection: Selection) -> Profile:
    """Return the selected part of a profile. Raises FootfallError (`nothing-selected`)."""
    from footfall.analyze.profile.part import select  # half of all import time, needed only to show a profile

    found = select(profile, selection)
    if not selection.is_whole and not any(node for node, _, _ in found.costs):
        text = "No stack of the profile is left by --focus, --ignore and --root."
        raise FootfallError("nothing-selected", text, "`footfall report --by function -n 0` shows the names.")
    return found
