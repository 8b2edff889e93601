"""Options that several commands share, and how their values reach the configuration."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterable
from typing import Final, TypeVar

import click

from footfall.cli.output import say, show_parts
from footfall.config import Config, read_config
from footfall.errors import FootfallError

__all__ = [
    "config_option",
    "data_file_option",
    "load_config",
    "split_list",
    "warn",
    "warn_of_dynamic_context",
    "write_output",
    "write_parts",
]

_Command = TypeVar("_Command", bound=Callable[..., object])


def config_option(function: _Command) -> _Command:
    """Add --config, with coverage.py's name for it."""
    return click.option(
        "--config",
        "--rcfile",
        "config_file",
        metavar="FILE",
        help="Configuration file. [default: .coveragerc, setup.cfg, tox.ini or pyproject.toml]",
    )(function)


def data_file_option(function: _Command) -> _Command:
    """Add --data-file."""
    return click.option("--data-file", metavar="FILE", help="The data file. [default: .coverage]")(function)


def split_list(value: str | None) -> list[str] | None:
    """Split a comma-separated option; None when it was not given."""
    return None if not value else value.split(",")


def load_config(config_file: str | None, quiet: bool = False, **given: object) -> Config:
    """Read the configuration and put the options that were given (not None) in place of its values."""
    config = read_config(config_file)
    for name, value in given.items():
        if value is not None:
            setattr(config, name, value)
    if not quiet:
        warn(config.warnings, config.disable_warnings)
    return config


def warn_of_dynamic_context(config: Config, words: Iterable[str]) -> None:
    """Say that coverage.py's setting has no effect, unless a pytest is told to record contexts by its command line."""
    if config.dynamic_context and not any(word.startswith(("--footfall-context", "--cov-context")) for word in words):
        text = "dynamic_context has no effect: contexts are recorded by footfall's pytest plugin, "
        text += "`pytest --footfall-context=test`, and by `footfall.context(label)`."
        warn([("dynamic-context-ignored", text)], config.disable_warnings)


# coverage.py's slugs of what has another name here
_SLUGS_OF_COVERAGE: Final = {"couldnt-parse": "not-python", "dynamic-conflict": "dynamic-context-ignored"}


def warn(warnings: Iterable[tuple[str, str]], disabled: Iterable[str] = ()) -> None:
    """Print warnings, (slug, text) each, once each, on stderr. `disabled` slugs may be coverage.py's."""
    disabled = {_SLUGS_OF_COVERAGE.get(slug, slug) for slug in disabled}
    for slug, text in dict.fromkeys(warnings):
        if slug not in disabled:
            ending = "" if text.endswith(f"[{slug}]") else f" [{slug}]"
            say(f"footfall: {text}{ending}")


def write_output(output: str, text: str, what: str, *, is_quiet: bool = False, option: str = "-o") -> None:
    """Write a report to a file, whose directory is made, or for "-" to stdout.

    Raises FootfallError (`output-unwritable`), which names the `option` that says where; no half-written file is left.
    """
    if output == "-":
        # the bytes are the report's alone, but on a terminal the prompt that follows has a line of its own
        is_cut = sys.stdout is not None and sys.stdout.isatty() and not text.endswith("\n")
        show_parts([_encode(text + "\n" * is_cut)])
        return
    _write_file(output, [_encode(text)], what, is_quiet, option)


def _encode(text: str) -> bytes:
    """As all reports of fixed formats, whatever the encoding of stdout."""
    return text.encode("utf-8", "surrogateescape")


def write_parts(output: str, parts: Iterable[str] | Iterable[bytes], what: str, *, is_quiet: bool = False) -> None:
    """As `write_output`, for what is made while it is written, as it may be too large to be kept. Text is UTF-8."""
    encoded = (_encode(part) if isinstance(part, str) else part for part in parts)
    if output == "-":
        show_parts(encoded)
        return
    _write_file(output, encoded, what, is_quiet, "-o")


def _write_file(output: str, parts: Iterable[bytes], what: str, is_quiet: bool, option: str) -> None:
    try:
        os.makedirs(os.path.dirname(os.path.abspath(output)), exist_ok=True)
        with open(output, "wb") as file:
            try:
                file.writelines(parts)
                file.flush()
            except BaseException:
                if os.path.isfile(output):
                    with contextlib.suppress(OSError):
                        os.unlink(os.path.realpath(output))  # a link stays: the user made it
                raise
    except OSError as error:
        raise FootfallError(
            "output-unwritable",
            f"Can't write the {what} to {output}: {error.strerror or error}.",
            f"Choose another place with {option}.",
        ) from error
    if not is_quiet:
        say(f"Wrote {what} to {output}")
