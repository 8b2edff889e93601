"""The main script with probes, without the C core: an audit hook runs it in place of what the interpreter compiled.

The interpreter compiles the script unseen, and announces by an audit event that it is about to run it. Hooks are called
in the order in which they were added. The first prepares code with probes, the second runs it, the third ends the
process as the end of the script does. No frame of ours may be on the stack meanwhile: tracebacks and `inspect.stack`
would show it. So the second hook is a built-in function that calls what it is given without arguments: `print`, which
flushes a file of ours.
"""

import atexit
import sys
from _functools import partial  # type: ignore[import-not-found]  # functools may not be loaded

from footfall.files import is_file
from footfall.own_builtins import keep_builtins

keep_builtins(globals())

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType
    from typing import Any

__all__ = ["MainScript"]

_FUNCTION: "Any" = type(lambda: 0)
_PRINT = print
_IGNORE = staticmethod("".format)
"""Accepts any arguments, and calls no Python."""


class _File:
    """What `print` writes to and flushes."""

    def __init__(self, write: "Callable[[str], object]", flush: "Callable[[], object]") -> None:
        self.write = write
        self.flush = flush


class MainScript:
    """The script of this process, from its announcement on."""

    def __init__(self, code_for_main: "Callable[[CodeType, dict[str, Any]], object]") -> None:
        """`code_for_main(code, namespace)` returns the code to run in place of the script's, or something else."""
        self._code_for_main = code_for_main
        self._filename = ""
        self._plain: CodeType | None = None
        self._armed: CodeType | None = None
        # A hook's type is asked for `__call__`. The program's trace functions see what this hook calls.
        self._runner: Any = type("MainScriptRunner", (), {"__cantrace__": True, "__call__": _IGNORE})

    def expect(self, filename: str) -> None:
        """Take over the file that the interpreter is about to read, unless it asks for input when that has ended."""
        if not self._filename and not sys.flags.inspect and is_file(filename):
            self._filename = filename
            # Only now: hooks of others that are there already see the event before the script runs, as without us.
            sys.addaudithook(self._runner())
            sys.addaudithook(self._end)

    def prepare(self, code: "CodeType") -> bool:
        """Return whether other code will run in place of this code, which is about to run."""
        if not self._filename or code.co_filename != self._filename or self._plain is not None:
            return False
        self._plain = code
        namespace = sys.modules["__main__"].__dict__
        armed: Any = self._code_for_main(code, namespace)
        if type(armed) is not type(code):
            return False
        self._armed = armed
        atexit.register(self._pass_on_interrupt)
        file = _File(self._begin, _FUNCTION(armed, namespace))
        self._runner.__call__ = staticmethod(partial(_PRINT, file=file, flush=True))
        return True

    def _begin(self, text: str) -> None:
        """Let the hook do nothing from now on; it flushes the file next, which runs the script."""
        self._runner.__call__ = _IGNORE

    def _end(self, event: str, arguments: "tuple[Any, ...]") -> None:
        """End the process when the script has ended; the interpreter's code of it must not run."""
        if event == "exec" and self._armed is not None and arguments[0] is self._plain:
            namespace = sys.modules["__main__"].__dict__
            for name in ("__file__", "__cached__"):  # as the interpreter does before functions of `atexit` run
                namespace.pop(name, None)
            raise SystemExit

    def _pass_on_interrupt(self) -> None:
        """Let the process end by SIGINT, as otherwise, if an uncaught KeyboardInterrupt ended the script."""
        traceback = getattr(sys, "last_traceback", None)
        is_uncaught = traceback is not None and traceback.tb_frame.f_code is self._armed
        if is_uncaught and getattr(sys, "last_type", None) is KeyboardInterrupt:
            try:
                exec("raise KeyboardInterrupt", {})  # the interpreter notes where it runs a text
            except KeyboardInterrupt:
                pass
