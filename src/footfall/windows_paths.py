"""Paths of Windows: drive letters, two kinds of slash, no difference between small and capital letters.

Loaded where Python runs on Windows, alone. The functions on names give the same everywhere, so tests can ask them.
"""

import ntpath

from footfall.own_builtins import keep_builtins

keep_builtins(globals())

__all__ = ["absolute_path", "comparable_path", "is_absolute", "real_path"]

# as they are when measuring begins: the program may replace them
_join, _split_drive, _normal_path, _real_path = ntpath.join, ntpath.splitdrive, ntpath.normpath, ntpath.realpath


def is_absolute(path: str) -> bool:
    """Return whether a path has a drive, or a server and a share, and begins at its root."""
    drive, rest = _split_drive(path)
    return bool(drive) and (rest[:1] in ("/", "\\") or drive[:1] in ("/", "\\"))


def absolute_path(path: str, directory: str) -> str:
    """Return an absolute path with backslashes, without `.` and `..`, as `os.path.abspath` does in that directory."""
    return _normal_path(_join(directory, path))


def real_path(path: str, directory: str) -> str:
    """Return the same with links resolved, in the spelling that the file system has."""
    return _real_path(absolute_path(path, directory))


def comparable_path(path: str) -> str:
    """Return a form that is equal for paths of the same file name: with slashes and small letters."""
    return path.replace("\\", "/").lower()
