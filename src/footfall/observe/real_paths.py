"""A file's real path, also where the program has replaced functions of `os` by ones that raise.

blockbuster does so while a task runs, to find calls that block.
"""

import os
import posix

__all__ = ["real_path"]

_MAX_LINKS = 40  # as the kernel has it


def real_path(path: str) -> str:
    """Return an absolute path with its links resolved. Raises ValueError for what no file can be called."""
    try:
        return os.path.realpath(path)
    except ValueError:
        raise
    except Exception:  # the program's: `os` is not what it was
        return _resolved(path)


def _resolved(path: str) -> str:
    done = ""
    n_links = 0
    rest = path.split("/")[::-1]
    while rest:
        name = rest.pop()
        if name in ("", "."):
            continue
        if name == "..":
            done = done.rpartition("/")[0]
            continue
        done += "/" + name
        if n_links == _MAX_LINKS:
            continue
        try:
            target = posix.readlink(done)
        except OSError:
            continue
        n_links += 1
        done = "" if target.startswith("/") else done.rpartition("/")[0]
        rest += target.split("/")[::-1]
    return done or "/"
