"""Options that several commands share, and how their values reach the configuration."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar

import click

from footfall.cli.accepted import notes_on_options
from footfall.cli.face import current_face
from footfall.config.configuration import Config
from footfall.config.reading import read_config
from footfall.session.output import warn

__all__ = [
    "FiniteRange",
    "config_option",
    "data_file_option",
    "load_config",
    "process_argument",
    "split_list",
    "text_or_json_option",
]

_Command = TypeVar("_Command", bound=Callable[..., object])


def config_option(function: _Command) -> _Command:
    """Add --config, also under coverage.py's name for it."""
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


class FiniteRange(click.FloatRange):
    """A number in a range. It rejects "nan", and "inf" even if the range has no upper end."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a finite number.", param, ctx)
        return number


class _ProcessNumber(click.IntRange):
    """A process id, with its own error message."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            return int(super().convert(value, param, ctx))
        except click.BadParameter:
            self.fail(f"{value!r} is not the number of a process. Find it with `pgrep -a python` or `ps`.", param, ctx)


def text_or_json_option(function: _Command) -> _Command:
    """Add --format, as `format_`."""
    kinds = click.Choice(["text", "json"])
    return click.option("--format", "format_", type=kinds, default="text", show_default=True)(function)


def process_argument(function: _Command) -> _Command:
    """Add PID."""
    return click.argument("pid", type=_ProcessNumber(min=1), metavar="PID")(function)


def split_list(value: str | None) -> list[str] | None:
    """Split a comma-separated option; None if it was not given."""
    return None if not value else value.split(",")


def load_config(config_file: str | None, quiet: bool = False, **given: object) -> Config:
    """Read the configuration and override its values with the options that were given (not None).

    `quiet` hides notes about options that have no effect, but not warnings about what the numbers lack.
    """
    config = read_config(config_file, branch=not current_face().is_as_coverage)
    for name, value in given.items():
        if value is not None:
            setattr(config, name, value)
    warn([*([] if quiet else notes_on_options()), *config.warnings], config.disable_warnings)
    return config
