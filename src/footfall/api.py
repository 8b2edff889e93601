"""Measuring a part of a program from inside: `footfall.start()` and `footfall.stop()`.

For programs that can't be started by `footfall run`. Coverage only; what was imported before counts as imported, and
is marked as inferred by a message (`lines-inferred`).
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from footfall.config import Config, read_config
from footfall.errors import FootfallError
from footfall.record.rundir import make_run_directory, open_run_directory, remove_run_directory, settings_from_config

__all__ = ["start", "start_configured", "stop", "stop_configured"]


def start(source: list[str] | None = None, *, branch: bool | None = None) -> None:
    """Measure this process from now on; settings that are not given come from the configuration.

    `source` are directories and packages. Raises FootfallError: `already-measured`,
    or what a wrong configuration says.
    """
    config = read_config()
    if source is not None:
        config = replace(config, source=source)
    if branch is not None:
        config = replace(config, branch=branch)
    start_configured(config)


def start_configured(config: Config) -> None:
    """Measure this process from now on as a configuration says; for footfall's own use. Raises as `start`."""
    from footfall.observe.late import start_late

    directory = make_run_directory(replace(settings_from_config(config), profile=False))
    try:
        _, settings = open_run_directory(directory.path)
        start_late(settings)
    except RuntimeError as error:
        remove_run_directory(directory)
        raise FootfallError(
            "already-measured", f"This process is measured already: {error}.", "Stop that first."
        ) from error


def stop(data_file: str | os.PathLike[str] | None = None) -> Path:
    """Stop measuring, write the data file (default: the configured one) and return its path.

    Raises FootfallError: `not-measured` without a `start`, or why the data file can't be written; the run directory
    is then kept, and the error names it.
    """
    config = read_config()
    return stop_configured(config, os.path.abspath(config.data_file if data_file is None else data_file))


def stop_configured(config: Config, data_file: str, *, append: bool = False) -> Path:
    """Stop measuring and write the data file, or add to it, as a configuration says; for footfall's own use.

    Raises as `stop`.
    """
    from footfall.cli.finish import finish_run
    from footfall.observe.late import stop_late

    stopped = stop_late()
    if stopped is None:
        raise FootfallError("not-measured", "There is no measuring to stop.", "Call `footfall.start()` first.")
    directory, settings = open_run_directory(stopped)
    finish_run(directory, settings, config, data_file, append=append, is_quiet=True)
    return Path(data_file)
