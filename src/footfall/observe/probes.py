"""The `probes` engine: measured modules are compiled with probes in them, however they are loaded.

`start` puts hooks into the import system and on `compile` and `exec`. A hook that fails leaves the original at
work, so the module runs unmeasured; that is said once.
"""

import os
import sys

from footfall.observe.instrument import Instrumenter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType

    from footfall.observe.scope import Scope
    from footfall.observe.settings import Settings

__all__ = ["Probes", "start"]

_IMPORT_FILE = "<frozen importlib._bootstrap_external>"


class Probes:
    """What the hooks share: which files are measured, how to instrument, how to arm."""

    def __init__(self, settings: "Settings", scope: "Scope") -> None:
        self.scope = scope
        self.instrumenter = Instrumenter(settings.cache_dir, settings.branch)
        self._has_failed = False
        self._arm = _arm_function(settings)

    def arm(self, code: "CodeType", absolute_path: str) -> "CodeType":
        """Return the code with its probes recording."""
        return self._arm(code, absolute_path)

    def code_for_import(self, filename: str, name: str) -> "CodeType | None":
        """Return the armed code of a module's source file; None when it is not measured."""
        path = self.scope.decide(filename, name)
        if path is None:
            return None
        try:
            code = self.instrumenter.code_of_file(path, filename)
            return self.arm(code, path)
        except (OSError, SyntaxError):
            return None  # the import system finds and says the same
        except Exception as error:  # ours: the module runs as it is
            self.failed(path, error)
            return None

    def failed(self, path: str, error: BaseException) -> None:
        """Say that a module is not measured because of us; in full for the first one."""
        if self._has_failed:
            return
        self._has_failed = True
        from footfall.observe.start import report

        report("not-instrumented", path + " runs unmeasured: " + repr(error) + ".", "Please report it.")


def start(settings: "Settings", scope: "Scope") -> Probes:
    """Measure every module in scope that is loaded from now on."""
    probes = Probes(settings, scope)
    _hook_imports(probes)
    return probes


def _arm_function(settings: "Settings") -> "Callable[[CodeType, str], CodeType]":
    if sys.implementation.name != "cpython":
        from footfall.observe.pure_recorder import PureRecorder

        return PureRecorder(settings).arm
    from footfall import _core

    def arm(code: "CodeType", absolute_path: str) -> "CodeType":
        _core.probes_arm(code, absolute_path)
        return code

    return arm


def _hook_imports(probes: Probes) -> None:
    external = sys.modules.get("_frozen_importlib_external") or sys.modules["importlib._bootstrap_external"]
    loader = external.SourceLoader
    original = loader.get_code
    plain_compile = loader.source_to_code

    def get_code(self: object, fullname: str) -> "CodeType":
        if type(self).source_to_code is plain_compile:
            code = probes.code_for_import(self.get_filename(fullname), fullname)
            if code is not None:
                return code
        return original(self, fullname)

    _pose_as(get_code, original)
    loader.get_code = get_code


def _pose_as(function: "Callable[..., object]", original: "Callable[..., object]") -> None:
    """Let a wrapper look like the original, and its frame like the import system's, which tracebacks leave out."""
    function.__code__ = function.__code__.replace(co_filename=original.__code__.co_filename, co_name=original.__code__.co_name, co_qualname=original.__code__.co_qualname, co_firstlineno=original.__code__.co_firstlineno)
    function.__name__ = original.__name__
    function.__qualname__ = original.__qualname__
    function.__doc__ = original.__doc__
    function.__module__ = original.__module__
