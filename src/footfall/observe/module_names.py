"""By which name a module's code is asked for in `source_pkgs`, and its file is known, as coverage.py finds them in the
frame that runs.

Called by the scope, inside the measured process.
"""

import os
from sys import _getframe  # as it is now: the program may put another there

from footfall.own_builtins import keep_builtins

keep_builtins(globals())

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType

    Namespace = dict[str, object]

__all__ = ["find_module_name", "find_running_namespace", "importable_name", "source_name"]

_PYTHON_SUFFIXES = (".py", ".pyc")


def importable_name(path: str, name: str) -> str:
    """Return the name itself; that of `__main__` without a spec is by its file, where that could be imported."""
    if name and name != "__main__":
        return name
    stem, suffix = os.path.splitext(os.path.basename(path))
    return stem if suffix in _PYTHON_SUFFIXES else name


def find_module_name(path: str, namespace: "Namespace") -> str:
    """Return the name of the module with these globals, "" when it has none; `__main__` is known by its spec or file.

    `path` is absolute, links resolved.
    """
    name = dict.get(namespace, "__name__")
    if isinstance(name, str) and name != "__main__":
        return name
    try:
        spec_name = getattr(dict.get(namespace, "__spec__"), "name", None)
    except Exception:  # any object of the program may stand there
        spec_name = None
    if isinstance(spec_name, str) and spec_name != "__main__":
        return spec_name
    return importable_name(path, name if isinstance(name, str) else "")


def find_running_namespace(filename: str) -> "Namespace | None":
    """Return the globals of the innermost frame that runs code of this `co_filename`, if one does."""
    frame: FrameType | None = _getframe(1)
    while frame is not None and frame.f_code.co_filename != filename:
        frame = frame.f_back
    return None if frame is None else frame.f_globals


def source_name(filename: str, namespace: "Namespace") -> str:
    """Return the name of the source file of code with these globals: by `__file__` where that has the same last part.

    Bytecode may have been moved since its `co_filename` was written into it.
    """
    file = dict.get(namespace, "__file__")
    if not file or file is filename or file == filename:
        return filename
    try:
        name = str(file)
    except Exception:  # any object of the program may stand there
        return filename
    if name.endswith((".pyc", ".pyo")):
        name = name[:-1]
    return name if name.rpartition("/")[2] == filename.rpartition("/")[2] else filename
