"""Where the standard library and installed packages are: in all the schemes of `sysconfig`, as for coverage.py.

`sysconfig` itself is not loaded in a measured process, so its schemes are copied here, and a test compares them. What a
distributor has added (Debian, Fedora) is derived from the directories that `site` knows.
"""

import os
import sys

from footfall.files import IS_WINDOWS, absolute_path, comparable_path, is_there, real_path
from footfall.own_builtins import keep_builtins
from footfall.pythons import OWN, version_name
from footfall.tier import IS_FREE_THREADED

keep_builtins(globals())

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["ThirdParty", "is_in", "is_in_any", "standard_library"]

_NAME = "PyPy" if sys.implementation.name == "pypy" else "Python"
_LOWER = _NAME.lower()
# builds without the GIL have directories of their own
_VERSIONED = _LOWER + version_name(OWN) + ("t" if IS_FREE_THREADED else "")


def is_in(path: str, directory: str) -> bool:
    """Return whether a path is a directory or below it."""
    if IS_WINDOWS:
        path, directory = comparable_path(path), comparable_path(directory)
    return path == directory or path.startswith(directory.rstrip("/") + "/")


def is_in_any(path: str, directories: "Iterable[str]") -> bool:
    """Return whether a path is in one of several directories."""
    return any(is_in(path, directory) for directory in directories)


def standard_library() -> list[str]:
    """Return the directories of the standard library, each as it is named and with its links resolved."""
    versioned = sys.platlibdir + "/" + _VERSIONED
    named = [os.path.dirname(os.__file__)]
    for prefix in {sys.base_prefix, sys.prefix, sys.exec_prefix}:
        named += _below(prefix, versioned, "lib/" + _LOWER, "Lib")
    user = _user_base()
    if user:
        named += _below(user, versioned, "lib/" + _LOWER, _NAME)
    return list({form for path in named for form in (absolute_path(path), _resolved(path))})


class ThirdParty:
    """The directories that packages and their scripts are installed in; some follow from the present `sys.path`."""

    def __init__(self) -> None:
        self._by_scheme = {_resolved(path) for path in _scheme_directories()}
        self._environments: dict[str, str] = {}
        self._search_path: list[str] | None = None
        self._directories = sorted(self._by_scheme - {""})

    def directories(self) -> list[str]:
        """Return the directories with their links resolved; the same list as long as `sys.path` is the same."""
        if self._search_path != sys.path:
            search_path = list(sys.path) if isinstance(sys.path, list | tuple) else []
            in_environments = {self._in_environment(entry) for entry in search_path if isinstance(entry, str)}
            self._directories = sorted((self._by_scheme | in_environments) - {""})
            self._search_path = search_path
        return self._directories

    def _in_environment(self, entry: str) -> str:
        """Return the directory of a virtual environment, resolved, if one is in `sys.path`; else ""."""
        found = self._environments.get(entry)
        if found is None:
            if not is_there(entry):
                return ""  # it may be created later
            found = self._environments[entry] = real_path(entry) if _has_environment_above(entry) else ""
        return found


def _has_environment_above(directory: str) -> bool:
    while True:
        directory = os.path.dirname(directory)
        if directory == os.path.dirname(directory):
            return False  # the root, which is skipped
        if is_there(directory + "/pyvenv.cfg"):
            return True


def _scheme_directories() -> list[str]:
    found: list[str] = []
    prefixes = {sys.prefix, sys.exec_prefix}
    for prefix in prefixes:
        found += _below(
            prefix,
            "bin",
            "lib/" + _VERSIONED + "/site-packages",
            sys.platlibdir + "/" + _VERSIONED + "/site-packages",
            "lib/" + _LOWER,
            "Lib/site-packages",
            "Scripts",
        )
    user = _user_base()
    if user:
        found += _below(
            user,
            "bin",
            "lib/" + _VERSIONED + "/site-packages",
            "lib/" + _LOWER + "/site-packages",
            _NAME + "/site-packages",
            _NAME + "/Scripts",
        )
    for directory in getattr(sys.modules.get("site"), "getsitepackages", list)():
        for prefix in prefixes:
            # not those of another prefix: what an environment may use of the system's packages is not in its schemes
            if is_in(directory, prefix) and not is_in(directory, prefix + "/" + sys.platlibdir + "/" + _VERSIONED):
                found.append(directory)
                if is_in(directory, prefix + "/local"):
                    found.append(prefix + "/local/bin")
    return found


def _below(prefix: str, *directories: str) -> list[str]:
    return [prefix + "/" + directory for directory in directories]


def _user_base() -> str:
    """Return where users install packages for themselves; "" if it is not known."""
    known = getattr(sys.modules.get("site"), "USER_BASE", None) or os.environ.get("PYTHONUSERBASE")
    if isinstance(known, str):
        return known
    home = os.environ.get("HOME")
    return home + "/.local" if home else ""


def _resolved(path: str) -> str:
    # most of these directories do not exist; checking that takes less work than resolving links
    return real_path(path) if is_there(path) else absolute_path(path)
