"""Joining data files into one, with messages: for `footfall combine`, and for reports that find files to join."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from footfall.config.configuration import Config
from footfall.record.data.combine import Combined, combine_files, remove_inputs
from footfall.record.data.parallel_files import base_of_parallel_name, find_parallel_files
from footfall.report.words import plural
from footfall.session.output import print_message, warn
from footfall.session.terminal import progress_bar

__all__ = ["combine_before_report", "combine_named", "combined_files", "shown_path"]


def combine_named(
    inputs: Sequence[str],
    config: Config,
    *,
    base: str | None,
    keep: bool,
    is_quiet: bool,
    as_coverage: bool = False,
    urls: Mapping[str, str] = MappingProxyType({}),
) -> Combined:
    """Combine files into the configured data file, remove the used ones unless `keep`, and report the result.

    `base` is the data file itself if data is added to it; with `as_coverage` the messages are coverage.py's.
    `urls` are those of which some inputs are copies: what is there stays. Raises as `combine_files`.
    """
    target = os.path.abspath(config.data_file)
    started = time.monotonic()
    with progress_bar("Combining", is_quiet=is_quiet) as progress:
        result = combine_files(
            inputs,
            target,
            base=base,
            paths=config.paths.values(),
            is_relative=config.relative_files,
            progress=progress,
        )
    _warn(result, config, urls)
    if not keep:
        done = [path for path in (*result.used, *result.duplicates) if path not in urls]
        for path, error in remove_inputs(done, target):
            text = f"{shown_path(path)} was combined but can't be removed: {error.strerror or error}."
            warn([("input-kept", text)], config.disable_warnings)
    if not is_quiet and (result.used or result.duplicates):
        if as_coverage:
            print_message(combined_files(len(result.used), len(result.duplicates), len(result.failed)))
        else:
            print_message(_summary(result, config.data_file, time.monotonic() - started))
    return result


def combine_before_report(config: Config, *, keep: bool, is_quiet: bool, as_coverage: bool) -> None:
    """Join the files of parallel-mode runs into the data file, as coverage.py 7.14 and later do before each report.

    Only files with the names that such runs make are joined: a `.coverage.old`, for example, is the user's own. With
    `as_coverage` every file named after the data file is joined and removed.
    """
    target = os.path.abspath(config.data_file)
    found = [path for path in find_parallel_files(target) if as_coverage or base_of_parallel_name(path) == target]
    if found:
        base = target if os.path.exists(target) else None
        combine_named(found, config, base=base, keep=keep, is_quiet=is_quiet, as_coverage=as_coverage)


def _warn(result: Combined, config: Config, urls: Mapping[str, str]) -> None:
    for path, error in result.failed:
        # not a warning that can be turned off: the result lacks that file
        message = error.message.replace(path, urls.get(path, path))
        print_message(f"footfall: {message} It is left out, and left where it is. [{error.slug}]")
    warn(result.warnings, config.disable_warnings)


def shown_path(path: str) -> str:
    return os.path.relpath(path) if path.startswith(os.getcwd() + os.sep) else path


def combined_files(n_used: int, n_skipped: int, n_failed: int) -> str:
    """Return coverage.py's message about combined files."""
    text = f"Combined {plural(n_used, 'file')}"
    if n_skipped:
        text += f", skipped {n_skipped}"
    if n_failed:
        text += f", {plural(n_failed, 'file')} errored"
    return text


def _summary(result: Combined, data_file: str, seconds: float) -> str:
    text = f"Combined {plural(len(result.used), 'file')} into {data_file} in {seconds:.1f} s"
    if result.duplicates:
        text += f", skipped {plural(len(result.duplicates), 'duplicate')}"
    if result.n_known_runs:
        text += f", {plural(result.n_known_runs, 'profile')} already in it"
    if result.failed:
        text += f"; {plural(len(result.failed), 'file')} could not be used"
    return text
