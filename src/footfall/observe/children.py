"""Pass FOOTFALL_RUN on to processes that a measured program starts with an environment of its own.

The environment variable reaches every process that inherits the environment. A program may also pass another mapping,
or remove names from its own environment; so the system functions that do this get wrappers. A new program's environment
gets the variable if that program may run Python. If the program removes names, the variable stays in the process's
environment, though not in `os.environ`. The program's own mappings stay unchanged. An empty value is respected: it
means that a program must not be measured.

A program that `footfall run` gave a PYTHONPATH with our start hook, since its Python has no footfall, passes that on in
the same way.

A root process that becomes another user first opens the run directory to that user.
"""

import os

from footfall.files import open_flags, own_user, system
from footfall.model import RUN_VARIABLE
from footfall.own_builtins import keep_builtins
from footfall.tier import HAS_CORE

keep_builtins(globals())

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    Arguments = tuple[Any, ...]
    Named = dict[str, Any]
    Change = Callable[[Arguments, Named], tuple[Arguments, Named] | None]

__all__ = ["propagate_run"]

_PYTHON_NAMES = ("python", "pypy")
_PATH_VARIABLE = "PYTHONPATH"
_SHELLS = ("sh", "bash", "dash", "ash", "busybox", "ksh", "mksh", "zsh", "fish", "csh", "tcsh")
# positions in _posixsubprocess.fork_exec's arguments
_FORK_EXEC_ENVIRONMENT = 5
_FORK_EXEC_USER = 19
_USER_CHANGES = ("setuid", "seteuid", "setreuid", "setresuid")


def propagate_run(directory: str) -> None:
    """Tell programs that this one starts from now on about the run in `directory`."""
    passed_on = _PassedOn(directory)

    def change_fork_exec(args: "Arguments", named: "Named") -> "tuple[Arguments, Named] | None":
        if len(args) > _FORK_EXEC_USER and args[_FORK_EXEC_USER] not in (None, -1):
            share(args, named)
        listed = args[_FORK_EXEC_ENVIRONMENT]
        added = None if listed is None else passed_on.missing(dict(_split(entry) for entry in listed))
        if not added or not _may_run_python(args[1], args[0], args[4]):
            return None
        kept = [entry for entry in listed if _split(entry)[0] not in added]
        at = _FORK_EXEC_ENVIRONMENT
        return (*args[:at], [*kept, *(key + b"=" + value for key, value in added.items())], *args[at + 1 :]), named

    def change_environment(args: "Arguments", named: "Named") -> "tuple[Arguments, Named] | None":
        path, argv, env = (*args, *(named[key] for key in ("path", "argv", "env")[len(args) :]))[:3]
        if env is None:
            return None
        changed = dict(zip(env.keys(), env.values(), strict=True))
        added = passed_on.missing({os.fsencode(key): os.fsencode(value) for key, value in changed.items()})
        if not added or not _may_run_python([path], argv, None):
            return None
        # all keys need one type: the interpreter takes str or bytes
        is_bytes = any(type(key) is bytes for key in changed)
        for key, value in added.items():
            changed.update({key: value} if is_bytes else {os.fsdecode(key): os.fsdecode(value)})
        if len(args) >= 3:
            return (*args[:2], changed, *args[3:]), named
        return args, {**named, "env": changed}

    def put_back(args: "Arguments") -> None:
        for key, value in passed_on.missing({}).items():
            if not args or os.fsencode(args[0]) == key:
                system.putenv(key, value)

    def change_putenv(args: "Arguments", named: "Named") -> "tuple[Arguments, Named] | None":
        key, value = args
        added = passed_on.missing({passed_on.run_name: b"-", os.fsencode(key): os.fsencode(value)})
        return ((key, added[os.fsencode(key)]), named) if os.fsencode(key) in added else None

    def share(args: "Arguments", named: "Named") -> None:
        # a user that root switches to must be able to record there; the sticky bit protects the files of others
        if own_user() == 0:
            _open_to_all(directory, str(system.getpid()) + "-")

    try:
        import _posixsubprocess  # built in, or a small library that most programs load at some point
    except ImportError:  # on Windows
        pass
    else:
        _replace(_posixsubprocess, "fork_exec", change_fork_exec, None)
    for function in ("execve", "posix_spawn", "posix_spawnp"):
        _replace(system, function, change_environment, None)
    for function in ("unsetenv", "_clearenv"):
        _replace(system, function, None, put_back)
    if passed_on.hook:
        _replace(system, "putenv", change_putenv, None)
    for function in _USER_CHANGES:
        _replace(system, function, share, None)


class _PassedOn:
    """The variables that each Python program is to have."""

    def __init__(self, directory: str) -> None:
        self.run_name = os.fsencode(RUN_VARIABLE)
        self._run = os.fsencode(directory)
        own = os.path.join(os.path.dirname(__file__), "on_path")
        self.hook = os.fsencode(own) if own in os.environ.get(_PATH_VARIABLE, "").split(os.pathsep) else b""
        """The folder of the start hook that this process was given on its path; b"" if it was not."""

    def missing(self, environment: "dict[bytes, bytes]") -> "dict[bytes, bytes]":
        """Return the variables to set in an environment. An empty name of a run is respected."""
        run = environment.get(self.run_name)
        if run == b"":
            return {}
        added = {self.run_name: self._run} if run is None else {}
        if self.hook:
            name, separator = os.fsencode(_PATH_VARIABLE), os.fsencode(os.pathsep)
            path = environment.get(name, b"")
            if self.hook not in path.split(separator):
                added[name] = separator.join((self.hook, path) if path else (self.hook,))
        return added


def _split(entry: bytes) -> "tuple[bytes, bytes]":
    """Return the name and value of an entry of an environment."""
    name, _, value = os.fsencode(entry).partition(b"=")
    return name, value


def _open_to_all(directory: str, prefix: str) -> None:
    """Let other users create files in a directory of root, and write to its files whose names begin with `prefix`.

    If that was done before, other users may have put links there; the permissions of the links' targets must not
    change.
    """
    safely = open_flags("O_RDONLY", "O_NOFOLLOW", "O_NONBLOCK")
    descriptor = system.open(directory, open_flags("O_DIRECTORY") | safely)
    try:
        for name in system.listdir(descriptor):
            if not name.startswith(prefix):
                continue
            try:
                file = system.open(name, safely, dir_fd=descriptor)
            except OSError:
                continue  # a link, or removed
            try:
                found = system.fstat(file)
                is_regular = found.st_mode & 0o170000 == 0o100000  # the module stat may not be loaded here
                if is_regular and found.st_nlink == 1 and found.st_uid == 0:
                    system.fchmod(file, 0o666)
            finally:
                system.close(file)
        system.fchmod(descriptor, 0o1777)
    finally:
        system.close(descriptor)


def _replace(module: "Any", name: str, change: "Change | None", after: "Callable[[Arguments], None] | None") -> None:
    """Replace a system function by a wrapper, also where `os` has it."""
    plain = getattr(module, name, None)
    if not callable(plain):
        return  # not in this version, or removed
    if HAS_CORE:
        from footfall import _core

        look_alike = _core.children_wrap(plain, change, after)
    else:
        from footfall.observe.pure import children as pure_children

        look_alike = pure_children.wrap(plain, change, after)
    setattr(module, name, look_alike)
    if module is system and getattr(os, name, None) is plain:
        setattr(os, name, look_alike)
        for known in (os.supports_fd, os.supports_dir_fd, os.supports_follow_symlinks, os.supports_effective_ids):
            if plain in known:
                known.add(look_alike)


def _may_run_python(programs: "Iterable[Any]", arguments: "Iterable[Any]", directory: "Any") -> bool:
    """Return whether a program is Python, a script or a shell, or has one as an argument: others don't need it."""
    for word in arguments:
        name = os.path.basename(os.fsdecode(word))
        if name.startswith(_PYTHON_NAMES) or name.endswith(".py"):
            return True
    for program in programs:
        if type(program) is int:
            return True  # a file descriptor
        path = os.path.join(os.fsdecode(directory or ""), os.fsdecode(program))
        name = os.path.basename(path)
        if name.startswith(_PYTHON_NAMES) or name in _SHELLS or _is_script(path):
            return True
    return False


def _is_script(path: str) -> bool:
    try:
        descriptor = system.open(path, open_flags("O_RDONLY", "O_NONBLOCK"))
    except (OSError, ValueError):
        return False
    try:
        return system.read(descriptor, 2) == b"#!"
    except OSError:
        return False
    finally:
        system.close(descriptor)
