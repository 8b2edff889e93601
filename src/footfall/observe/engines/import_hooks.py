"""The probes engine's hooks into the import system and into pytest's assertion rewriting."""

import os
import sys
from sys import _getframe  # as it is now: the program may replace it

from footfall.files import absolute_path
from footfall.observe.engines.loaders import PlainLoaders
from footfall.observe.engines.probe_cache import code_state
from footfall.observe.interruptions import pass_on
from footfall.observe.messages import report
from footfall.own_builtins import keep_builtins
from footfall.tier import IS_PURE_CPYTHON

keep_builtins(globals())

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType, FrameType
    from typing import Any

    from footfall.observe.engines.probes import Probes

__all__ = ["hook_imports"]

_IMPORTERS = ("<frozen importlib._bootstrap_external>", "<builtin>/frozen importlib._bootstrap_external")
"""Where the import system asks loaders for code, on CPython and PyPy."""
_REWRITER = "_pytest.assertion.rewrite"


def hook_imports(
    probes: "Probes", cache_dir: str, unseen: "Callable[..., Any]", look_alike: "Callable[..., Any] | None"
) -> None:
    """Give the import system instrumented code for measured source files.

    `unseen(function, *arguments)` makes a call while signals are held back, invisible to the program's trace and
    profile functions. `look_alike(function, change, after)` wraps a function without a frame of ours
    (`_core.children_wrap`). Where there is no such wrapper, code with probes is made when a loader's `get_code` is
    looked up.
    """
    external = sys.modules["_frozen_importlib_external"]
    loader = external.SourceLoader
    original = loader.get_code
    plain_loaders = PlainLoaders(external)
    modules = sys.modules
    waits_for_pytest = True

    def ask(loader: "Any", filename: str, name: str | None) -> "tuple[CodeType | None, bool, bool]":
        """Return the code with probes, whether the file is measured, and whether its text is what runs."""
        is_measured = probes.path_of(filename, name) is not None
        runs_file_text = is_measured and plain_loaders.runs_file_text(loader, filename)
        code = probes.code_for_import(filename, name) if runs_file_text else None
        return code, is_measured, runs_file_text

    def name_for(fullname: str, caller: "FrameType") -> str | None:
        """Return the name that the module will have; None if that is not known."""
        nonlocal waits_for_pytest
        if waits_for_pytest and _REWRITER in modules:
            waits_for_pytest = not _hook_rewriter(modules[_REWRITER], probes, cache_dir, unseen)
        # Callers other than the import system (runpy) may run it under another name.
        return fullname if caller.f_code.co_filename in _IMPORTERS else None

    def code_at_lookup(loader: "Any", caller: "FrameType") -> "CodeType | None":
        name = name_for(loader.name, caller)
        return unseen(ask, loader, loader.path, name)[0]  # type: ignore[no-any-return]

    if look_alike is None:
        loader.get_code = _CodeAtLookup(original, code_at_lookup)
        return

    def code_with_probes(args: "tuple[Any, ...]", named: "dict[str, Any]") -> "Any":
        """Answer in place of `get_code(self, fullname)`, which the wrapper calls if this has no code for the module."""
        nonlocal waits_for_pytest
        if waits_for_pytest and _REWRITER in modules:
            waits_for_pytest = not _hook_rewriter(modules[_REWRITER], probes, cache_dir, unseen)
        loader, fullname = args if not named else (args[0], named["fullname"])
        filename = loader.get_filename(fullname)
        try:
            caller = _getframe(1).f_code.co_filename
        except Exception as error:  # an audit hook of the program may forbid this
            pass_on(error)
            caller = ""
        # Callers other than the import system (runpy) may run it under another name.
        name = fullname if caller in _IMPORTERS else None
        code, is_measured, runs_file_text = unseen(ask, loader, filename, name)
        if code is not None:
            return (code,)
        if not is_measured or runs_file_text:
            return None
        texts = probes.begin_loader(filename)

        def finish(code: "Any") -> "Any":
            probes.end_loader()
            if code is None:
                return None
            return probes.code_from_loader(
                filename, name, code, texts, lambda: loader.source_to_code(loader.get_data(filename), filename)
            )

        return finish

    loader.get_code = look_alike(original, code_with_probes, None)


class _CodeAtLookup:
    """In place of a loader's `get_code`: no frame of ours is on the stack when the original one raises an error."""

    def __init__(self, original: "Any", find: "Callable[[Any, FrameType], CodeType | None]") -> None:
        self._original = original
        self._find = find

    def __get__(self, loader: "Any", kind: type | None = None) -> "Any":
        if loader is None:
            return self._original
        plain = self._original.__get__(loader, kind)
        try:
            code = self._find(loader, _getframe(1))
        except Exception as error:  # a loader may be any object, and an audit hook of the program may forbid to look
            pass_on(error)
            return plain
        if code is None:
            return plain
        name = loader.name

        def get_code(fullname: str) -> "Any":
            return code if fullname == name else plain(fullname)

        _pose_as(get_code, self._original)
        return get_code


def _pose_as(function: "Callable[..., object]", original: "Callable[..., object]") -> None:
    """Make a wrapper look like the original, its frame too: tracebacks omit the frames of the import system."""
    code = getattr(original, "__code__", None)
    if code is None:
        return  # another tool has replaced it
    function.__code__ = function.__code__.replace(
        co_filename=code.co_filename,
        co_name=code.co_name,
        co_qualname=code.co_qualname,
        co_firstlineno=code.co_firstlineno,
    )
    function.__name__ = original.__name__
    function.__qualname__ = original.__qualname__
    function.__doc__ = original.__doc__
    function.__module__ = original.__module__


def _hook_rewriter(
    rewriter: "Any",
    probes: "Probes",
    cache_dir: str,
    unseen: "Callable[..., Any]",
) -> bool:
    """Instrument test modules before pytest rewrites their asserts.

    Return False while the rewriter is being imported.
    """
    if getattr(getattr(rewriter, "__spec__", None), "_initializing", False):
        return False
    original = getattr(rewriter, "rewrite_asserts", None)
    tail = getattr(rewriter, "PYC_TAIL", None)
    if original is None or not isinstance(tail, str):
        report("pytest-unknown", "test modules can't have probes: this pytest rewrites asserts in a way of its own.")
        return True

    if IS_PURE_CPYTHON and not _arm_rewritten(rewriter, probes):
        report("pytest-unknown", "test modules can't have probes: this pytest keeps their code in a way of its own.")
        return True
    path_of = _path_finder(rewriter, probes, unseen)

    def rewrite_asserts(mod, source, module_path=None, config=None):  # type: ignore[no-untyped-def]
        if module_path is not None and path_of(module_path) is not None:
            unseen(probes.instrument_tree, mod, source, os.fspath(module_path))
        original(mod, source, module_path, config)

    mode = "b" if probes.with_branches else "l"
    rewriter.rewrite_asserts = rewrite_asserts
    # pytest's own tail distinguishes -O from no option, but not -OO from -O.
    rewriter.PYC_TAIL = f"-footfall{code_state()}{mode}{sys.flags.optimize}{tail}"
    _move_cache(rewriter, cache_dir, path_of)
    return True


def _arm_rewritten(rewriter: "Any", probes: "Probes") -> bool:
    """Let the rewriter run code with probes that record, where `exec` is not wrapped, and keep that without.

    Return False if it has other functions than are known.
    """
    read, rewrite, write = (getattr(rewriter, name, None) for name in ("_read_pyc", "_rewrite_test", "_write_pyc"))
    if read is None or rewrite is None or write is None:
        return False
    plain_codes: dict[int, Any] = {}

    def _read_pyc(*args, **named):  # type: ignore[no-untyped-def]
        code = read(*args, **named)
        return None if code is None else probes.arm_before_run(code)

    def _rewrite_test(*args, **named):  # type: ignore[no-untyped-def]
        found, code = rewrite(*args, **named)
        armed = probes.arm_before_run(code)
        plain_codes[id(armed)] = code
        return found, armed

    def _write_pyc(state, co, *args, **named):  # type: ignore[no-untyped-def]
        return write(state, plain_codes.get(id(co), co), *args, **named)

    for function, original in ((_read_pyc, read), (_rewrite_test, rewrite), (_write_pyc, write)):
        _pose_as(function, original)
        setattr(rewriter, function.__name__, function)
    return True


def _path_finder(rewriter: "Any", probes: "Probes", unseen: "Callable[..., Any]") -> "Callable[[object], str | None]":
    """Return a function that gives the path of a file that is being rewritten if it is measured, by its module name.

    That name is known when the module is created; looking then leaves no frame of ours on the stack when the module
    runs. In a pytest without that step, everything that may be measured is instrumented; its first probe then checks
    whether it is.
    """
    names: dict[str, str] = {}
    hook = getattr(rewriter, "AssertionRewritingHook", None)
    original = getattr(hook, "create_module", None)
    if hook is not None and original is not None:

        def create_module(self, spec):  # type: ignore[no-untyped-def]
            if type(spec.origin) is str:
                names[os.path.normpath(spec.origin)] = spec.name
            return original(self, spec)

        _pose_as(create_module, original)
        hook.create_module = create_module

    def path_of(file: "Any") -> str | None:
        filename = os.fspath(file)
        path: str | None = unseen(probes.path_of, filename, names.get(os.path.normpath(filename)))
        return path

    return path_of


def _move_cache(rewriter: "Any", cache_dir: str, path_of: "Callable[[object], str | None]") -> None:
    """Keep pytest's instrumented bytecode beside ours, or nowhere; never in the user's __pycache__.

    Bytecode that is not measured goes to another place: a later run that measures it must not take it for instrumented.
    """
    original = getattr(rewriter, "get_cache_dir", None)
    if original is None:
        return

    def get_cache_dir(file_path):  # type: ignore[no-untyped-def]
        plain = original(file_path)
        kind = type(plain)
        if not cache_dir:
            return kind(os.devnull, "footfall")
        place = "pytest-unmeasured" if path_of(file_path) is None else "pytest"
        return kind(cache_dir, place, os.path.splitdrive(absolute_path(os.fspath(plain)))[1].lstrip(os.sep))

    rewriter.get_cache_dir = get_cache_dir
