"""File system access through the functions that were there when measuring began, whatever the program replaces later.

Tests run their program on another file system (pyfakefs replaces `os` and `open` in every module), or forbid blocking
calls (blockbuster). Neither may affect what footfall looks up and keeps, or make the program fail because of it. So
this module finds nothing by a name that such tools know: not `os`, not `open`, not a function of `posix` in a module's
globals.
"""

import posix
import time
from _io import FileIO

from footfall.own_builtins import keep_builtins

keep_builtins(globals())

TYPE_CHECKING = False
if TYPE_CHECKING:
    from os import stat_result

__all__ = [
    "absolute_path",
    "current_directory",
    "file_state",
    "is_file",
    "is_there",
    "list_directory",
    "make_directory",
    "now_ns",
    "own_user",
    "read_file",
    "real_path",
    "write_file",
]

_KIND = 0o170000
_REGULAR = 0o100000
_LINK = 0o120000
_WITHOUT_WAITING = posix.O_NONBLOCK | posix.O_NOCTTY | posix.O_CLOEXEC


class _Functions:
    __slots__ = (
        "close", "descriptor", "fstat", "getcwd", "getpid", "listdir", "lstat", "mkdir", "now_ns", "open", "readlink",
        "replace", "stat", "unlink",
    )  # fmt: skip

    def __init__(self) -> None:
        self.close = posix.close
        self.descriptor = posix.open
        self.fstat = posix.fstat
        self.getcwd = posix.getcwd
        self.getpid = posix.getpid
        self.listdir = posix.listdir
        self.lstat = posix.lstat
        self.mkdir = posix.mkdir
        self.now_ns = time.time_ns
        self.open = FileIO
        self.readlink = posix.readlink
        self.replace = posix.replace
        self.stat = posix.stat
        self.unlink = posix.unlink


_KEPT = _Functions()


def now_ns() -> int:
    """Return the current time as file timestamps record it."""
    return _KEPT.now_ns()


def own_user() -> int:
    """Return the user that owns what this process creates. Some systems know one user of a process only (WASM)."""
    return getattr(posix, "geteuid", posix.getuid)()


def current_directory() -> str:
    """Return the working directory; "/" if it was removed, because relative names mean nothing then."""
    try:
        return _KEPT.getcwd()
    except OSError:
        return "/"


def file_state(path: str) -> "stat_result":
    """Return what `os.stat` gives. Raises OSError, or ValueError for a name that no file can have."""
    return _KEPT.stat(path)


def is_there(path: str) -> bool:
    """Return whether a path exists."""
    try:
        _KEPT.stat(path)
    except (OSError, ValueError):
        return False
    return True


def is_file(path: str) -> bool:
    """Return whether a path leads to a regular file."""
    try:
        return (_KEPT.stat(path).st_mode & _KIND) == _REGULAR
    except (OSError, ValueError):
        return False


def list_directory(path: str) -> list[str]:
    """Return the names in a directory, in no order. Raises OSError."""
    return _KEPT.listdir(path)


def _open_regular(path: str, flags: int) -> int:
    descriptor = _KEPT.descriptor(path, flags | _WITHOUT_WAITING)
    if (_KEPT.fstat(descriptor).st_mode & _KIND) != _REGULAR:
        _KEPT.close(descriptor)
        raise OSError(path + " is no regular file")
    return descriptor


def read_file(path: str) -> bytes:
    """Return a regular file's content; never waits for a pipe of that name.

    Raises OSError, or ValueError for a name that no file can have.
    """
    with _KEPT.open(path, "rb", opener=_open_regular) as file:
        return file.read()


def write_file(path: str, content: bytes) -> None:
    """Create or replace a file in one step, so that nobody sees part of it. Raises OSError, ValueError."""
    temporary = f"{path}.{_KEPT.getpid()}"
    with _KEPT.open(temporary, "xb") as file:  # not through a link that another user has put there
        try:
            file.write(content)
            _KEPT.replace(temporary, path)
        except BaseException:
            _KEPT.unlink(temporary)
            raise


def make_directory(path: str) -> None:
    """Make a directory and its parents, unless they exist. Raises OSError."""
    if is_there(path):
        return
    above = path.rstrip("/").rpartition("/")[0]
    if above:
        make_directory(above)
    try:
        _KEPT.mkdir(path)
    except FileExistsError:
        pass  # another process was faster


def absolute_path(path: str, directory: str | None = None) -> str:
    """Return an absolute path without `.`, `..` and double slashes, as `os.path.abspath` does."""
    if not path.startswith("/"):
        path = (directory if directory is not None else current_directory()) + "/" + path
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            del parts[-1:]
        elif part not in ("", "."):
            parts.append(part)
    return "/" + "/".join(parts)


def real_path(path: str, directory: str | None = None) -> str:
    """Return an absolute path with links resolved, as `os.path.realpath` does; a loop of links stays.

    A relative path starts from `directory`, or the working directory. Raises ValueError for a name that no file can
    have.
    """
    if not path.startswith("/"):
        path = (directory if directory is not None else current_directory()) + "/" + path
    return _resolve("", path, {})[0] or "/"


def _resolve(base: str, path: str, seen: "dict[str, str | None]") -> tuple[str, bool]:
    """Join the link-free path `base` ("" for the root) with `path`; also return whether all links could be resolved."""
    parts = path.split("/")
    for number, part in enumerate(parts):
        if part in ("", "."):
            continue
        if part == "..":
            base = base.rpartition("/")[0]
            continue
        joined = base + "/" + part
        try:
            is_link = (_KEPT.lstat(joined).st_mode & _KIND) == _LINK
        except OSError:
            is_link = False
        if not is_link:
            base = joined
            continue
        if joined in seen:
            found = seen[joined]
            if found is None:  # a loop
                return "/".join([joined, *parts[number + 1 :]]), False
            base = found
            continue
        seen[joined] = None
        try:
            target = _KEPT.readlink(joined)
        except OSError:  # it was removed just now
            base = joined
            continue
        base, is_whole = _resolve("" if target.startswith("/") else base, target, seen)
        if not is_whole:
            return "/".join([base, *parts[number + 1 :]]), False
        seen[joined] = base
    return base, True
