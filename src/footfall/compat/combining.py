"""`Coverage.combine`: other data files combined with the data in memory, by the code of `footfall combine`."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable

from footfall.compat.data import CoverageData, mixed_kinds
from footfall.compat.errors import NoDataError
from footfall.compat.options import measures_children
from footfall.config.configuration import Config
from footfall.errors import FootfallError
from footfall.load.contents import read_contents
from footfall.record.data.combine import combine_files, find_inputs, remove_inputs
from footfall.session.combining import combined_files

__all__ = ["combine_into"]


def combine_into(
    data: CoverageData,
    config: Config,
    data_paths: Iterable[str] | None,
    *,
    strict: bool,
    keep: bool,
    warn: Callable[[str], None],
    message: Callable[[str], None],
) -> None:
    """Add data files to `data`, write its data file if it has one, and remove the added files unless `keep`.

    Raises NoDataError, DataError, FootfallError.
    """
    target = data.data_filename()
    inputs = [path for path in find_inputs(data.base_filename(), list(data_paths or ())) if path != target]
    if not inputs:
        if strict and not (measures_children(config) and data.measured_files()):
            raise NoDataError("No data to combine")
        return
    _check_kinds(data, inputs)
    with tempfile.TemporaryDirectory(prefix="footfall-") as directory:
        base = os.path.join(directory, "base")
        joined = os.path.join(directory, "joined")
        has_base = bool(data.measured_files())
        if has_base:
            data._write_to(base)
        result = combine_files(
            inputs,
            joined,
            base=base if has_base else None,
            paths=config.paths.values(),
            is_relative=config.relative_files,
        )
        for _, error in result.failed:
            warn(str(error))
        if result.used:
            data._contents = read_contents(joined)
            data.write()
    if strict and not result.used:
        raise NoDataError("No usable data files")
    if not keep:
        for path, problem in remove_inputs([*result.used, *result.duplicates], target):
            warn(f"{path} was combined but can't be removed: {problem.strerror or problem}.")
    message(combined_files(len(result.used), len(result.duplicates), len(result.failed)))


def _check_kinds(data: CoverageData, inputs: list[str]) -> None:
    """Refuse to mix lines and arcs, as coverage.py does: `footfall combine` would take lines for arcs."""
    known = data if data._contents.has_arcs is not None else None
    for path in inputs:
        other = CoverageData(path, read_only=True)
        try:
            other._contents = read_contents(path)
        except FootfallError:
            continue  # it is reported when the others are combined
        if other._contents.has_arcs is None:
            continue
        if known is not None and known.has_arcs() != other.has_arcs():
            raise mixed_kinds(known.data_filename(), other.data_filename(), has_arcs=known.has_arcs())
        known = known or other
