"""Source files that could have run but did not, so that a report counts them, as coverage.py does.

Called once when a run is resolved, with what the run was told to measure.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Iterator

from footfall.config.configuration import canonical_paths
from footfall.patterns import glob_matches

__all__ = ["find_package_directory", "find_source_directories", "find_source_files", "find_unexecuted_files"]

# Editors' backup files have characters that no module name has.
_is_module_name = re.compile(r"[^.#~!$@%^&*()+=,]+\.pyw?").fullmatch


def find_source_files(directory: str, *, namespace_packages: bool = False) -> Iterator[str]:
    """Yield the files in `directory` that could be imported, in no particular order.

    Subfolders count if they contain an `__init__.py`; with `namespace_packages` all of them count.
    """
    for index, (folder, subfolders, names) in enumerate(os.walk(directory)):
        if index and not namespace_packages and "__init__.py" not in names:
            subfolders.clear()
            continue
        for name in names:
            if _is_module_name(name):
                yield os.path.join(folder, name)


def find_package_directory(package: str, measured: Iterable[str]) -> str | None:
    """Return the directory of a package whose files were measured; None for a plain module or one that never ran.

    An imported package ran a file in its own directory, so its place need not be guessed.
    """
    ending = "/" + package.replace(".", "/")
    for path in measured:
        folder = os.path.dirname(path)
        while len(folder) > 1:
            if folder.endswith(ending) and os.path.isfile(os.path.join(folder, "__init__.py")):
                return folder
            folder = os.path.dirname(folder)
    return None


def find_source_directories(
    measured: Iterable[str], source_dirs: Iterable[str], source_pkgs: Iterable[str]
) -> list[str]:
    """Return the directories to measure: the given ones, and those of packages of which something was measured."""
    found = [find_package_directory(package, measured) for package in source_pkgs]
    return [*source_dirs, *(directory for directory in found if directory is not None)]


def find_unexecuted_files(
    measured: Collection[str],
    source_dirs: Iterable[str],
    source_pkgs: Iterable[str],
    omit: Collection[str],
    *,
    namespace_packages: bool = False,
) -> tuple[set[str], list[str]]:
    """Return the files under the sources that are not in `measured`, and the packages that were never imported.

    Paths are absolute; `omit` are absolute glob patterns.
    """
    never_imported: list[str] = []
    directories = list(source_dirs)
    for package in source_pkgs:
        found = find_package_directory(package, measured)
        if found is not None:
            directories.append(found)
        elif not any(_is_module(path, package) for path in measured):
            never_imported.append(package)
    files: set[str] = set()
    for directory in directories:
        for path in canonical_paths(find_source_files(directory, namespace_packages=namespace_packages)):
            if not any(glob_matches(pattern, path) for pattern in omit):
                files.add(path)
    return files.difference(measured), never_imported


def _is_module(path: str, name: str) -> bool:
    """Return whether `path` may be the module, or part of the namespace package, of that dotted name."""
    inner = "/" + name.replace(".", "/")
    return path.endswith(inner + ".py") or f"{inner}/" in path
