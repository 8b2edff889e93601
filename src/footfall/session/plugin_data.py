"""What plugins of coverage.py that act through its objects do to a run's data. Called by `write_run`.

Such a plugin may have written data in measured processes (observe/file_tracers/saving.py), which is taken over, and may
have replaced what coverage.py calls to write data, which is then called with all of the run's.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from footfall.analyze.resolved_run import FileData
from footfall.config.acting_plugins import changes_data
from footfall.config.configuration import Config
from footfall.errors import FootfallError, describe_error
from footfall.load.contents import Contents, read_contents
from footfall.model import PLUGIN_DATA, PLUGIN_FILES
from footfall.record.data.coverage_tables import arcs_with_lines
from footfall.record.data.parallel_files import base_of_parallel_name
from footfall.record.run.untrusted_file import open_recorded_file

__all__ = ["leave_plugin_files", "pass_through_plugins", "take_plugin_data"]

_PASSED = "passed.coverage"


def take_plugin_data(
    directory: Path, files: Mapping[str, FileData], *, has_arcs: bool
) -> tuple[dict[str, FileData], list[tuple[str, str]]]:
    """Return the files with what plugins have saved in a run directory, and (slug, text) of what can't be read.

    In data without branches, of plugins' arcs only the lines are kept.
    """
    merged = dict(files)
    messages: list[tuple[str, str]] = []
    for path in sorted([*directory.glob(f"{PLUGIN_DATA}.*"), *directory.glob(f"{PLUGIN_FILES}.*")]):
        try:
            found = _read_saved(path)
        except (FootfallError, OSError) as error:
            why = error.message if isinstance(error, FootfallError) else f"{describe_error(error)}."
            messages.append(("plugin-failed", f"What a plugin of coverage.py saved is left out: {why}"))
            continue
        for name, data in _data_of(found, has_arcs=has_arcs):
            merged[name] = _joined(merged.get(name) or FileData(), data)
    return merged, messages


def _read_saved(path: Path) -> Contents:
    """Read a data file that a plugin has saved. Raises FootfallError, OSError.

    SQLite opens files by name, where there may be another by then: it gets a copy that nobody else can change.
    """
    with tempfile.NamedTemporaryFile(prefix="footfall-", suffix=f"-{path.name}") as copy:
        with open_recorded_file(str(path)) as saved:
            shutil.copyfileobj(saved, copy)
        copy.flush()
        try:
            return read_contents(copy.name)
        except FootfallError as error:
            raise FootfallError(error.slug, error.message.replace(copy.name, str(path)), error.help) from error


def leave_plugin_files(directory: Path, data_file: str) -> None:
    """Copy the data files that plugins have written on their own beside the data file, where coverage.py has them.

    Scripts go on to `combine` them. A link that someone put there is not followed: the copy is readable for others.
    Never raises: the run's results have their contents.
    """
    base = base_of_parallel_name(data_file) or data_file
    for path in directory.glob(f"{PLUGIN_FILES}.*"):
        target = base + path.name.removeprefix(PLUGIN_FILES)
        with (
            contextlib.suppress(FootfallError, OSError),
            open_recorded_file(str(path)) as found,
            open(target, "wb") as copy,
        ):
            shutil.copyfileobj(found, copy)


def pass_through_plugins(
    config: Config, directory: Path, files: Mapping[str, FileData], touched: Collection[str], *, has_arcs: bool
) -> tuple[dict[str, FileData], set[str], list[tuple[str, str]]]:
    """Return files, touched files and messages after plugins had a run's whole data written by coverage.py.

    `touched` are the files in the sources, whether they ran or not, as coverage.py names them all when it saves.
    Nothing changes if no plugin has replaced any of what coverage.py calls for that, or if it fails.
    """
    acting = [name for name, replaced in config.acting_plugins.items() if changes_data(replaced)]
    unchanged = dict(files), set(touched).difference(files)
    if not acting:
        return (*unchanged, [])
    try:
        found = _written_by_coverage(config, directory / _PASSED, files, touched, has_arcs=has_arcs)
    except (Exception, SystemExit) as error:  # a plugin's may be any
        what = f"coverage.py's plugin {' or '.join(acting)} failed to save the run's data: {describe_error(error)}."
        return (*unchanged, [("plugin-failed", f"{what} What it changes when it saves is not in these results.")])
    passed = dict(_data_of(found, has_arcs=has_arcs))
    for name, data in passed.items():
        data.inferred = files[name].inferred if name in files else set()
    left = {name for name, data in passed.items() if name in touched and data == FileData()}
    return {name: data for name, data in passed.items() if name not in left}, left, []


def _written_by_coverage(
    config: Config, path: Path, files: Mapping[str, FileData], touched: Collection[str], *, has_arcs: bool
) -> Contents:
    """Let coverage.py, with what plugins replaced in it, write a data file, and read that."""
    from footfall.config.plugin_coverage import make_coverage  # needs coverage.py

    cov = make_coverage(config, str(path))
    data = cov.get_data()
    labels = {label for each in files.values() for label in (*each.lines, *each.arcs)}
    for label in sorted(labels):
        data.set_context(label)
        if has_arcs:
            data.add_arcs({name: arcs for name, each in files.items() if (arcs := _arcs_of(each, label))})
        else:
            data.add_lines({name: each.lines[label] for name, each in files.items() if label in each.lines})
    data.set_context(config.context)
    data.add_file_tracers({name: each.tracer for name, each in files.items() if each.tracer and _has_run(each)})
    if labels:
        by_plugin: dict[str, list[str]] = {"": list(touched)}
        for name, each in files.items():
            if not _has_run(each):
                by_plugin.setdefault(each.tracer, []).append(name)
        for plugin, names in by_plugin.items():
            data.touch_files(names, plugin)
    cov.save()
    with _closed(data):
        return read_contents(data.data_filename())


@contextlib.contextmanager
def _closed(data: object) -> Iterator[None]:
    """Close coverage.py's data and remove its file."""
    close = getattr(data, "close", None)
    if close is not None:
        close(force=True)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            os.unlink(str(data.data_filename()))  # type: ignore[attr-defined]


def _data_of(contents: Contents, *, has_arcs: bool) -> Iterator[tuple[str, FileData]]:
    for name, data in contents.files.items():
        data.tracer = contents.tracers.get(name, "")
        if not has_arcs:
            for label, arcs in data.arcs.items():
                data.lines.setdefault(label, set()).update(line for arc in arcs for line in arc if line > 0)
            data.arcs = {}
        yield name, data


def _joined(into: FileData, other: FileData) -> FileData:
    joined = FileData(
        lines={label: set(lines) for label, lines in into.lines.items()},
        arcs={label: set(arcs) for label, arcs in into.arcs.items()},
        inferred=into.inferred,
        tracer=into.tracer or other.tracer,
    )
    for label, lines in other.lines.items():
        joined.lines.setdefault(label, set()).update(lines)
    for label, arcs in other.arcs.items():
        joined.arcs.setdefault(label, set()).update(arcs)
    return joined


def _has_run(data: FileData) -> bool:
    return any(data.lines.values()) or any(data.arcs.values())


def _arcs_of(data: FileData, label: str) -> set[tuple[int, int]]:
    return arcs_with_lines(data.arcs.get(label, set()), data.lines.get(label, set()))
