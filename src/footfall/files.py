"""File system access through the functions that were there when measuring began, whatever the program replaces later.

Tests run their program on another file system (pyfakefs replaces `os` and `open` in every module), or forbid blocking
calls (blockbuster). Neither may affect what footfall looks up and keeps, or make the program fail because of it. So
this module finds nothing by a name that such tools know: not `os`, not `open`, not a function of `posix` in a module's
globals.

`system` is the module of the system's functions that every interpreter has loaded: `posix`, or `nt` on Windows. Modules
that run inside the program take functions from there.
"""

import sys
import time
from _io import FileIO

from footfall.own_builtins import keep_builtins

try:
    import posix as system
except ImportError:  # Windows
    import nt as system  # type: ignore[no-redef]

keep_builtins(globals())

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from os import stat_result

IS_WINDOWS = sys.platform == "win32"
if IS_WINDOWS:
    from footfall import windows_paths

__all__ = [
    "IS_WINDOWS",
    "absolute_path",
    "at_fork",
    "comparable_path",
    "current_directory",
    "file_name",
    "file_state",
    "is_absolute",
    "is_file",
    "is_there",
    "list_directory",
    "make_directory",
    "now_ns",
    "open_flags",
    "own_user",
    "read_file",
    "real_path",
    "system",
    "write_file",
]

_KIND = 0o170000
_REGULAR = 0o100000
_LINK = 0o120000


def open_flags(*names: str) -> int:
    """Return the flags of `os.open` with these names, for a file of bytes that no other program inherits.

    What a system lacks (Windows: most of them) it has no need of.
    """
    flags = 0
    for name in (*names, "O_CLOEXEC", "O_NOINHERIT", "O_BINARY"):
        flags |= getattr(system, name, 0)
    return flags


def at_fork(**functions: "Callable[[], object]") -> None:
    """Call functions at each fork, as `os.register_at_fork`, where processes can fork: on Windows they can't."""
    register = getattr(system, "register_at_fork", None)
    if register is not None:
        register(**functions)


_WITHOUT_WAITING = open_flags("O_NONBLOCK", "O_NOCTTY")


class _Functions:
    __slots__ = (
        "close", "descriptor", "fstat", "getcwd", "getpid", "listdir", "lstat", "mkdir", "now_ns", "open", "readlink",
        "replace", "stat", "unlink",
    )  # fmt: skip

    def __init__(self) -> None:
        self.close = system.close
        self.descriptor = system.open
        self.fstat = system.fstat
        self.getcwd = system.getcwd
        self.getpid = system.getpid
        self.listdir = system.listdir
        self.lstat = system.lstat
        self.mkdir = system.mkdir
        self.now_ns = time.time_ns
        self.open = FileIO
        self.readlink = system.readlink
        self.replace = system.replace
        self.stat = system.stat
        self.unlink = system.unlink


_KEPT = _Functions()


def now_ns() -> int:
    """Return the current time as file timestamps record it."""
    return _KEPT.now_ns()


def own_user() -> int:
    """Return the user that owns what this process creates.

    Some systems know one user of a process only (WASM), or none (Windows): there 0, as in what `os.stat` returns.
    """
    find = getattr(system, "geteuid", None) or getattr(system, "getuid", None)
    return 0 if find is None else find()


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
    file = _KEPT.open(temporary, "xb")  # not through a link that another user has put there
    try:
        with file:
            file.write(content)
        _KEPT.replace(temporary, path)  # Windows replaces by no file that is open
    except BaseException:
        _KEPT.unlink(temporary)
        raise


def make_directory(path: str) -> None:
    """Make a directory and its parents, unless they exist. Raises OSError."""
    if is_there(path):
        return
    above = path.rstrip("/")
    above = above[: len(above) - len(file_name(above))].rstrip("/\\" if IS_WINDOWS else "/")
    if above and above != path:
        make_directory(above)
    try:
        _KEPT.mkdir(path)
    except FileExistsError:
        pass  # another process was faster


def is_absolute(path: str) -> bool:
    """Return whether a path names the same file from everywhere."""
    return windows_paths.is_absolute(path) if IS_WINDOWS else path.startswith("/")


def comparable_path(path: str) -> str:
    """Return a form of a path for comparing: on Windows it has slashes and small letters, elsewhere it is the path."""
    return windows_paths.comparable_path(path) if IS_WINDOWS else path


def file_name(path: str) -> str:
    """Return the last part of a path."""
    return (path.replace("\\", "/") if IS_WINDOWS else path).rpartition("/")[2]


def absolute_path(path: str, directory: str | None = None) -> str:
    """Return an absolute path without `.`, `..` and double slashes, as `os.path.abspath` does."""
    if IS_WINDOWS:
        return windows_paths.absolute_path(path, current_directory() if directory is None else directory)
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
    if IS_WINDOWS:
        return windows_paths.real_path(path, current_directory() if directory is None else directory)
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
