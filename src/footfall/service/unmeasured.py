"""Why the data has no coverage of a file: there is none, it was measured at another place, or it did not run."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from typing import Final

from footfall.config.configuration import Config, canonical_path, shown_path
from footfall.errors import FootfallError
from footfall.load.gather import absolute_path_mapper
from footfall.record.data.coverage_tables import read_paths
from footfall.record.data.qualifications import Message

__all__ = ["measured_elsewhere", "no_file", "not_measured"]

_NEXT_ELSEWHERE: Final = "Run the tests again here, or name both places in `[paths]` of the configuration."


def not_measured(config: Config, path: str) -> FootfallError:
    """Return the error for a file that the data file has no coverage of, with its next step. Raises as `read_paths`."""
    if error := no_file(path):
        return error
    here = os.path.abspath(os.curdir)
    what = f"{config.data_file} has no coverage of {shown_path(path)}."
    help = "No code of it ran, and it is not in what `source` names; or it is left out by the settings."
    measured = {*map(absolute_path_mapper(config), read_paths(config.data_file))}
    if place := _place_measured(path, measured, canonical_path(here)):
        what, help = f"{what} It was measured as {place}.", _NEXT_ELSEWHERE
    return FootfallError("file-not-measured", what, help)


def no_file(path: str) -> FootfallError | None:
    """Return the error for a path at which there is no file, with its next step; None if there is one."""
    if os.path.isdir(path):
        return FootfallError("file-not-measured", f"{shown_path(path)} is a directory.", "Ask about a file.")
    if not os.path.exists(path):
        help = f"Name it as it is from {os.path.abspath(os.curdir)}, or by its whole path."
        return FootfallError("file-not-measured", f"There is no file {shown_path(path)}.", help)
    return None


def measured_elsewhere(measured: Collection[str], root: str) -> Iterator[Message]:
    """Yield a warning if measured paths, all outside of the root, have one that ends as a file's here does."""
    if any(each.startswith(_below(root)) for each in measured):
        return
    for path in sorted(measured):
        pieces = path.split("/")
        for at in range(1, len(pieces)):
            here = os.path.join(root, *pieces[at:])
            if os.path.isfile(here) and _place_measured(here, measured, root) == path:
                what = f"The data are of another place: {shown_path(here)} was measured as {path}."
                yield "measured-elsewhere", f"{what} {_NEXT_ELSEWHERE}"
                return


def _place_measured(path: str, measured: Collection[str], root: str) -> str | None:
    """Return the measured path that ends as `path` does below the root, of data that are all from outside of it.

    None if there is no such path, as when the project is where it was measured, or if there are several.
    """
    below = _below(root)
    if not path.startswith(below) or any(each.startswith(below) for each in measured):
        return None
    alike = [each for each in measured if each.endswith("/" + path.removeprefix(below))]
    return alike[0] if len(alike) == 1 else None


def _below(root: str) -> str:
    return root.rstrip("/") + "/"
