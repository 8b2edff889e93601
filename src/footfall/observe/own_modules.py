"""Modules of ours that only few programs need, loaded while the program runs, without its finders and `__import__`."""

import sys

from footfall.own_builtins import keep_builtins

keep_builtins(globals())

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

__all__ = ["load_own"]

_PACKAGE = "footfall.observe"


def load_own(name: str) -> "ModuleType":
    """Return a module of `footfall.observe` by its name below that. Raises ImportError where it can't be loaded.

    The packages that it is in are loaded already. An `import` would ask what the program has put into `sys.meta_path`:
    code of the project would run for us.
    """
    full_name = _PACKAGE + "." + name
    known = sys.modules.get(full_name)
    if known is not None:
        return known
    package_name, _, last_name = full_name.rpartition(".")
    package: Any = sys.modules[package_name]
    machinery: Any = sys.modules["_frozen_importlib"]
    spec = sys.modules["_frozen_importlib_external"].PathFinder.find_spec(full_name, package.__path__)
    if spec is None:
        raise ImportError("no module named " + full_name, name=full_name)
    module: ModuleType = machinery._load(spec)
    setattr(package, last_name, module)
    return module
