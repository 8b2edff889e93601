"""Load those of our modules that few programs need, while the program runs, without its finders and `__import__`."""

import sys
from marshal import loads

from footfall.files import file_state, read_file
from footfall.own_builtins import keep_builtins, kept_builtins

keep_builtins(globals())

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType, ModuleType
    from typing import Any

__all__ = ["load_own", "load_with_imports"]

_PACKAGE = "footfall.observe"
_compile = compile


def load_own(name: str) -> "ModuleType":
    """Return a module of `footfall.observe`, given its name below that. Raises ImportError if it can't be loaded.

    The packages that contain it are loaded already. An `import` would call what the program has put into
    `sys.meta_path`: the project's code would run because of us.
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


def load_with_imports(full_name: str) -> "ModuleType":
    """Return a module of footfall, loading what it imports in the same way; its package is loaded already.

    CPython only. One thread at a time. Raises ImportError if a module can't be loaded, and whatever running it raises.
    """
    known = sys.modules.get(full_name)
    if known is not None:
        return known
    machinery: Any = sys.modules["_frozen_importlib"]
    package_name, _, last_name = full_name.rpartition(".")
    package: Any = None
    if package_name:
        package = load_with_imports(package_name)
        spec = sys.modules["_frozen_importlib_external"].PathFinder.find_spec(full_name, package.__path__)
    else:
        spec = machinery.BuiltinImporter.find_spec(full_name)
    if spec is None:
        raise ImportError("no module named " + full_name, name=full_name)
    if package is None:
        return machinery._load(spec)  # type: ignore[no-any-return]
    module: ModuleType = machinery.module_from_spec(spec)
    module.__dict__["__builtins__"] = kept_builtins(__import__=_import)
    sys.modules[full_name] = module
    try:
        exec(_code_of(spec), module.__dict__)
    except BaseException:
        sys.modules.pop(full_name, None)
        raise
    setattr(package, last_name, module)
    return module


def _code_of(spec: "Any") -> "CodeType":
    """Return a module's code without the present `marshal.loads`, which arms code with probes: ours contains their
    marks.

    If the bytecode file is not as the import system writes it, the import system makes the code.
    """
    try:
        data = read_file(spec.cached)
        info = file_state(spec.origin)
    except (OSError, TypeError):
        return spec.loader.get_code(spec.name)  # type: ignore[no-any-return]
    magic = sys.modules["_frozen_importlib_external"].MAGIC_NUMBER
    state = [int(info.st_mtime) & 0xFFFFFFFF, info.st_size & 0xFFFFFFFF]
    if data[:4] != magic or any(data[4:8]):
        return _compile(read_file(spec.origin), spec.origin, "exec", dont_inherit=True)
    if [int.from_bytes(data[at : at + 4], "little") for at in (8, 12)] != state:
        return spec.loader.get_code(spec.name)  # type: ignore[no-any-return]
    return loads(data[16:])  # type: ignore[no-any-return]


def _import(
    name: str, globals: object = None, locals: object = None, fromlist: "tuple[str, ...] | None" = (), level: int = 0
) -> "ModuleType":
    """Stand in for `__import__` in the modules that are loaded this way."""
    module = load_with_imports(name)
    if not fromlist:
        return sys.modules[name.partition(".")[0]]
    for each in fromlist:
        if not hasattr(module, each):
            load_with_imports(name + "." + each)
    return module
