"""The module name by which `source_pkgs` selects code, and its file, found in the running frame as in coverage.py."""

import os
from sys import _getframe  # as it is now: the program may replace it

from footfall.files import file_name
from footfall.own_builtins import keep_builtins

keep_builtins(globals())

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType

    Namespace = dict[str, object]

__all__ = ["find_module_name", "find_running_namespace", "importable_name", "source_name"]

_PYTHON_SUFFIXES = (".py", ".pyc")


def importable_name(path: str, name: str) -> str:
    """Return the name itself; for `__main__` without a spec, the name by which its file could be imported."""
    if name and name != "__main__":
        return name
    stem, suffix = os.path.splitext(os.path.basename(path))
    return stem if suffix in _PYTHON_SUFFIXES else name


def find_module_name(path: str, namespace: "Namespace") -> str:
    """Return the name of the module with these globals, "" if it has none; that of `__main__` comes from its spec or
    file.

    `path` is absolute, with links resolved.
    """
    name = dict.get(namespace, "__name__")
    if isinstance(name, str) and name != "__main__":
        return name
    try:
        spec_name = getattr(dict.get(namespace, "__spec__"), "name", None)
    except Exception:  # any object of the program may be there
        spec_name = None
    if isinstance(spec_name, str) and spec_name != "__main__":
        return spec_name
    return importable_name(path, name if isinstance(name, str) else "")


def find_running_namespace(filename: str) -> "Namespace | None":
    """Return the globals of the innermost frame that runs code of this `co_filename`; None if no frame does."""
    frame: FrameType | None = _getframe(1)
    while frame is not None and frame.f_code.co_filename != filename:
        frame = frame.f_back
    return None if frame is None else frame.f_globals


def source_name(filename: str, namespace: "Namespace") -> str:
    """Return the name of the source file of code with these globals: `__file__`, if it has the same last part.

    Bytecode may have been moved since its `co_filename` was written into it.
    """
    file = dict.get(namespace, "__file__")
    if not file or file is filename or file == filename:
        return filename
    try:
        name = str(file)
    except Exception:  # any object of the program may be there
        return filename
    if name.endswith((".pyc", ".pyo")):
        name = name[:-1]
    return name if file_name(name) == file_name(filename) else filename
