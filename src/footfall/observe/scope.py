"""Which files are measured: the same answers as coverage.py's source, include and omit give.

The engines ask once for each file name, inside the measured process; imports only `sys`.
"""

import sys
from sys import _getframe  # as it is now: the program may replace it

from footfall.files import (
    absolute_path,
    comparable_path,
    current_directory,
    file_name,
    is_absolute,
    is_there,
    read_file,
    real_path,
)
from footfall.observe.installed import ThirdParty, is_in, is_in_any, standard_library
from footfall.observe.module_names import find_module_name, find_running_namespace, importable_name, source_name
from footfall.own_builtins import keep_builtins
from footfall.patterns import glob_matches
from footfall.settings import Settings

keep_builtins(globals())

TYPE_CHECKING = False
if TYPE_CHECKING:  # typing is not imported in measured processes
    from types import FrameType

    from footfall.observe.file_tracers.files import FileTracers
    from footfall.observe.module_names import Namespace

__all__ = ["Scope"]

_UNREAL = ("<", "memory:")  # file names that begin like this are no files
_CYTHON = (".pyx", ".pxd", ".pxi")  # compiled by Cython, which may report its lines like Python's
_START_FILES = ("sitecustomize.py", "usercustomize.py")
_MEASURING = ("observe", "probes")  # our folders that are loaded before measuring begins, and our modules in none
_SHIM_FILES = ("/coverage/__init__.py", "/coverage/__main__.py")  # as `footfall shim` names them
_SHIM_MARK = b"Written by `footfall shim`."  # in their first line
_START_FUNCTIONS = ("execsitecustomize", "execusercustomize")


class Scope:
    """Decides by file name, and by module name if packages were selected.

    As in coverage.py, the first decision about a file name (`co_filename`) stays, whatever name its code is loaded
    under later.
    """

    def __init__(self, settings: Settings) -> None:
        self._start_directory = current_directory()
        self._source_dirs = settings.source_dir
        self._source_pkgs = settings.source_pkg
        self._include = settings.include
        self._omit = settings.omit
        self._decisions: dict[str, str | None] = {}
        self._before_run: dict[str, tuple[str | None, bool]] = {}
        self._has_source = bool(self._source_dirs or self._source_pkgs)
        self._third_party = ThirdParty()
        self._standard_library = standard_library()
        own = absolute_path(__file__ + "/../..")
        self._own = (own, real_path(own))
        self.file_tracers: FileTracers | None = None
        """The plugins, which come first: code of a file that one of them takes is not measured as Python."""
        self._measures_own = any(name.partition(".")[0] == "footfall" for name in settings.source_pkg)

    def decide(self, filename: str, module_name: str | None = None, namespace: "Namespace | None" = None) -> str | None:
        """Return the canonical absolute path if the file is measured, else None.

        The module's name is `module_name`, or that of a module with the globals `namespace`, or else that of the
        running frame of the file. Without any of these, a None is not final.
        """
        if filename in self._decisions:
            return self._decisions[filename]
        if not filename or filename.startswith(_UNREAL) or self._are_plugins_loading(filename, module_name):
            return None
        if module_name is None and namespace is None:
            namespace = find_running_namespace(filename)
            if namespace is None and self._source_pkgs:
                return None if self._is_taken(filename, None) else self._path_if_measured(filename, "")
        if self._is_taken(filename, namespace):
            return self._settle(filename, None)
        source = filename if namespace is None else source_name(filename, namespace)
        if not self._source_pkgs:
            return self._settle(filename, self._path_if_measured(source, ""))
        path = self._canonical(source)
        if module_name is not None:
            name = importable_name(path, module_name)
        else:
            name = find_module_name(path, namespace or {})
        return self._settle(filename, self._path_if_measured(source, name))

    def decide_before_run(self, filename: str) -> tuple[str | None, bool]:
        """Decide about code that does not run yet, of a module whose name is not known.

        Returns (path, True) if it is measured, (None, True) if it is not; (path, False) if that depends on the name:
        `decide` can tell once the code runs.
        """
        if filename in self._decisions:
            return self._decisions[filename], True
        if self._are_plugins_loading(filename, ""):
            return None, True
        if filename not in self._before_run and self._is_taken(filename, None):
            return None, True
        if filename not in self._before_run:
            path = self._path_if_measured(filename, "")
            by_name = self._path_if_measured(filename, None) if path is None and self._source_pkgs else None
            self._before_run[filename] = (by_name, False) if by_name is not None else (path, True)
        return self._before_run[filename]

    def decide_traced(self, filename: str, namespace: "Namespace") -> str | None:
        """Return the canonical absolute path of a source that a plugin names if it is measured, else None.

        `namespace` is the globals of the code that runs for it.
        """
        path = self._canonical(filename)
        if not self._can_be_named(path):
            return None
        return self._path_if_wanted(path, filename, find_module_name(path, namespace))

    def canonical_name(self, filename: str, namespace: "Namespace | None") -> str:
        """Return the canonical absolute path of the file of code with these globals; "" if there can't be one."""
        return self._canonical(filename if namespace is None else source_name(filename, namespace))

    def _are_plugins_loading(self, filename: str, module_name: str | None) -> bool:
        """Return whether the current import is a plugin's, and not the program's.

        The name is None if the file runs already; else an engine asks before it changes the code.
        """
        if self.file_tracers is None or not self.file_tracers.is_loading:
            return False
        if module_name is not None:
            self.file_tracers.passed_over.add(filename)
        return True

    def _is_taken(self, filename: str, namespace: "Namespace | None") -> bool:
        return self.file_tracers is not None and self.file_tracers.find(filename, namespace) is not None

    def _settle(self, filename: str, path: str | None) -> str | None:
        return self._decisions.setdefault(filename, path)

    def _canonical(self, filename: str) -> str:
        """Return the absolute path; "" for an impossible name: with a NUL, or a surrogate that stands for no byte."""
        try:
            return real_path(self._from_root(filename))
        except ValueError:
            return ""

    def _from_root(self, filename: str) -> str:
        """Make a name absolute.

        A relative one is looked up as coverage.py does, in the program's working directory and in `sys.path`; and also
        where the program began, because code may be met later than it was compiled.
        """
        if is_absolute(filename):
            return filename
        here = current_directory()
        for directory in [here, *sys.path, self._start_directory]:
            if isinstance(directory, str):
                named = absolute_path(directory, here) + "/" + filename
                if is_there(named):
                    return named
        return here + "/" + filename

    def _path_if_measured(self, filename: str, module_name: str | None) -> str | None:
        """As `decide`; None as the module name counts as a name in the selected packages."""
        if not filename or filename.startswith(_UNREAL):
            return None
        path = self._canonical(filename)
        if not self._is_candidate(path) or _is_start_file(path):
            return None
        return self._path_if_wanted(path, filename, module_name)

    def _path_if_wanted(self, path: str, filename: str, module_name: str | None) -> str | None:
        """Return the path if the settings select a file that could be measured."""
        if self._has_source:
            if not self._is_in_source(path, module_name):
                return None
        elif self._include:
            if not any(glob_matches(pattern, path) for pattern in self._include):
                return None
        elif self._is_installed(path, absolute_path(self._from_root(filename))):
            return None
        if any(glob_matches(pattern, path) for pattern in self._omit):
            return None
        return path

    def _is_candidate(self, path: str) -> bool:
        return not path.endswith(_CYTHON) and self._can_be_named(path)

    def _can_be_named(self, path: str) -> bool:
        if not path or "\0" in path or self._is_own(path):
            return False
        try:
            path.encode("utf-8")
        except UnicodeEncodeError:
            return False  # the data file could not name it
        return True

    def _is_own(self, path: str) -> bool:
        """Return whether a file is ours and not to be measured.

        These are all our files, or, where they are selected, only those that measure; and the package of a shim, which
        may be inside the project.
        """
        for own in self._own:
            if is_in(path, own):
                folder, _, inner = comparable_path(path[len(own) + 1 :]).partition("/")
                return not self._measures_own or not inner or folder in _MEASURING
        return comparable_path(path).endswith(_SHIM_FILES) and _is_of_shim(path)

    def _is_in_source(self, path: str, module_name: str | None) -> bool:
        if self._source_pkgs and (module_name is None or self._is_in_packages(module_name)):
            return True
        if not is_in_any(path, self._source_dirs):
            return False
        third_party = self._third_party.directories()
        if not is_in_any(path, third_party):
            return True
        return any(is_in(path, source) and is_in_any(source, third_party) for source in self._source_dirs)

    def _is_in_packages(self, name: str) -> bool:
        return any(name == package or name.startswith(package + ".") for package in self._source_pkgs)

    def _is_installed(self, path: str, named: str) -> bool:
        """Return whether a file is not the project's: the standard library's, a package's, or an installed script."""
        # a distributor may keep a file of the standard library elsewhere, with a link to it, as Debian does
        if is_in_any(path, self._standard_library) or is_in_any(named, self._standard_library):
            return True
        return is_in_any(path, self._third_party.directories())


def _is_of_shim(path: str) -> bool:
    try:
        return _SHIM_MARK in read_file(path).partition(b"\n")[0]
    except (OSError, ValueError):
        return False


def _is_start_file(path: str) -> bool:
    """Return whether `site` is running this file now: it ends before the program begins, so it is not part of it."""
    if file_name(path) not in _START_FILES:
        return False
    frame: FrameType | None = _getframe(1)
    while frame is not None:
        if frame.f_code.co_name in _START_FUNCTIONS and frame.f_globals.get("__name__") == "site":
            return True
        frame = frame.f_back
    return False
