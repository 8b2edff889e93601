"""Which tests to run: those that a change affects by name, and arguments of pytest that are run as a whole. Pure.

An argument is a folder, a file, or a test as its name begins: a class, or a function with all its parameters.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from footfall.errors import UsageError

__all__ = ["Selection", "Rule", "choose", "covers", "parse_rule"]


class Rule(NamedTuple):
    """A changed file that `pattern` matches means that `argument` is run."""

    pattern: str
    argument: str


class Selection(NamedTuple):
    """What to run: names of tests, then arguments; and what a limit of time left out."""

    names: list[str]
    arguments: list[str]
    left_out: list[str]
    left_out_ns: int

    @property
    def all(self) -> list[str]:
        """What pytest takes as its arguments."""
        return self.names + self.arguments


def parse_rule(text: str) -> Rule:
    """Read PATTERN=TESTS. Raises UsageError (`bad-test-rule`)."""
    pattern, equals, argument = text.partition("=")
    if not equals or not pattern.strip() or not argument.strip():
        raise UsageError(
            "bad-test-rule",
            f"{text!r} in tests_by_file is no rule.",
            "Write PATTERN=TESTS, as templates/*.html=tests/web or *.sql=tests/test_store.py.",
        )
    return Rule(pattern.strip(), argument.strip())


def covers(argument: str, name: str) -> bool:
    """Return whether running an argument runs a test, or another argument, of that name."""
    argument = argument.rstrip("/") or "/"
    if argument in (".", name):
        return True
    following = name[len(argument) : len(argument) + 2]
    if not name.startswith(argument):
        return False
    return following == "::" or following[:1] == ("[" if "::" in argument else "/")


def choose(
    times: Mapping[str, int],
    found: Collection[str],
    arguments: Iterable[str],
    *,
    gone: Collection[str] = (),
    limit_ns: int | None = None,
) -> Selection:
    """Choose of the recorded tests (by name, what each takes) those `found`, the fastest first.

    What an argument runs is not named again, and tests of the files in `gone` are not there any more. With a limit,
    arguments are run in any case, and as many of the others as there is time for.
    """
    distinct = sorted(set(arguments))
    wholes = [each for each in distinct if not any(covers(other, each) for other in distinct if other != each)]
    names: list[str] = []
    left_out: list[str] = []
    covered_ns = left_out_ns = 0
    for name in sorted(times, key=lambda name: (times[name], name)):
        if name.partition("::")[0] in gone:
            continue
        if any(covers(each, name) for each in wholes):
            covered_ns += times[name]
        elif name in found:
            names.append(name)
    if limit_ns is not None:
        spent_ns = covered_ns
        for at, name in enumerate(names):
            spent_ns += times[name]
            if spent_ns > limit_ns:
                names, left_out = names[:at], names[at:]
                left_out_ns = sum(times[each] for each in left_out)
                break
    return Selection(names, wholes, left_out, left_out_ns)
