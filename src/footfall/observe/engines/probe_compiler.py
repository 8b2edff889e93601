"""The probe compiler, loaded when a process meets the first measured file; most that run none never load it.

Loading it takes as long as the rest of the start. That first file is about to run, so the project has not changed
imports yet; import hooks that others have installed are bypassed (own_modules.py).
"""

import gc
import sys
from _thread import RLock

from footfall.files import at_fork
from footfall.observe.interruptions import Undisturbed
from footfall.observe.own_modules import load_with_imports
from footfall.own_builtins import keep_builtins

keep_builtins(globals())

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from footfall.observe.engines.instrument import Instrumenter
    from footfall.settings import Settings

__all__ = ["ProbeCompiler"]

_INSTRUMENT = "footfall.observe.engines.instrument"
_COMPILER = "footfall.probes."
_CAN_WAIT = sys.implementation.name == "cpython"  # PyPy's imports always call what is in `builtins`


class ProbeCompiler:
    """Holds the process's only Instrumenter, once it is loaded."""

    def __init__(self, settings: "Settings", call_with_room: "Callable[[Callable[[], Any]], Any]") -> None:
        self._settings = settings
        self._call_with_room = call_with_room
        self._loaded: Instrumenter | None = None
        self._lock = RLock()
        self._is_loading = False
        if _CAN_WAIT:
            at_fork(after_in_child=self._after_fork)
        else:
            from footfall.observe.engines import instrument

            self._loaded = self._make(instrument)

    def get(self) -> "Instrumenter":
        """Return the Instrumenter. Raises what loading it raises: an ImportError, or what an audit hook raises."""
        return self._loaded if self._loaded is not None else self._load()

    def _load(self) -> "Instrumenter":
        with Undisturbed(), self._lock:
            if self._loaded is None:
                if self._is_loading:
                    raise ImportError("a file was met while the probe compiler was being loaded")
                was_enabled = gc.isenabled()
                gc.disable()  # collecting garbage may run code of the program
                self._is_loading = True
                try:
                    self._loaded = self._load_modules()
                finally:
                    self._is_loading = False
                    if was_enabled:
                        gc.enable()
            return self._loaded

    def _load_modules(self) -> "Instrumenter":
        try:
            return self._make(load_with_imports(_INSTRUMENT))
        except RecursionError:
            instrumenter: Instrumenter = self._call_with_room(lambda: self._make(load_with_imports(_INSTRUMENT)))
            return instrumenter

    def _make(self, instrument: "Any") -> "Instrumenter":
        instrumenter: Instrumenter = instrument.Instrumenter(
            self._settings.cache_dir, self._settings.branch, self._call_with_room
        )
        return instrumenter

    def _after_fork(self) -> None:
        """Start anew: another thread of the parent, absent here, may have been in the middle of loading."""
        self._lock = RLock()
        if self._is_loading:
            self._is_loading = False
            for name in [*sys.modules]:
                if name == _INSTRUMENT or name.startswith(_COMPILER):
                    del sys.modules[name]
