"""The program's signals while our code runs in it: they are held back; what their handlers raise is the program's."""

from _signal import NSIG, getsignal  # type: ignore[import-not-found]

from footfall.own_builtins import keep_builtins

keep_builtins(globals())

try:
    from _signal import SIG_BLOCK, SIG_SETMASK, pthread_sigmask
except ImportError:  # Windows can't hold signals back: their handlers, of Ctrl-C as a rule, run at once
    SIG_BLOCK = SIG_SETMASK = 0

    def pthread_sigmask(how: int, signals: object) -> "tuple[()]":
        """Return that no signals were held back."""
        return ()


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import CodeType, TracebackType

__all__ = ["Undisturbed", "pass_on"]

_WAITING = frozenset(range(1, 32)) - {4, 5, 6, 7, 8, 9, 11, 19}
"""All but SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGKILL, SIGSEGV, SIGSTOP, and the real-time signals, one of which
the precise sampler uses to stop threads.
"""


class Undisturbed:
    """Hold back signals to this thread: their handlers run at the end, in the program. Costs 6 us."""

    __slots__ = ("_before", "_signals")

    def __init__(self, signals: "Iterable[int]" = _WAITING) -> None:
        self._signals = signals

    def __enter__(self) -> None:
        self._before = pthread_sigmask(SIG_BLOCK, ())
        try:
            pthread_sigmask(SIG_BLOCK, self._signals)
        except BaseException:  # it blocks them, then runs the handlers of signals that came before, and one raised
            pthread_sigmask(SIG_SETMASK, self._before)
            raise

    def __exit__(self, *error: object) -> None:
        pthread_sigmask(SIG_SETMASK, self._before)


_CODE = type(Undisturbed.__exit__.__code__)
_MAX_WRAPPERS = 5


def pass_on(error: BaseException) -> None:
    """Raise an error again if a signal handler of the program raised it while we ran; return if it is ours.

    Python runs the handler of a signal in the main thread, even if another thread received the signal. An error counts
    as ours if an audit hook of the program raised it in a call of ours, or a function that the program replaced did.
    """
    codes = _codes_of_handlers()
    trace: TracebackType | None = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code in codes:
            raise error
        trace = trace.tb_next


def _codes_of_handlers() -> "set[CodeType]":
    """Return the code of each of the program's signal handlers: functions, methods, callable objects."""
    found: set[CodeType] = set()
    for number in range(1, NSIG):
        handler = getsignal(number)
        if handler is None or isinstance(handler, int):
            continue
        for _ in range(_MAX_WRAPPERS):
            code = getattr(handler, "__code__", None)
            if type(code) is _CODE:
                found.add(code)
                break
            inner = getattr(handler, "__func__", None) or getattr(handler, "func", None)
            handler = inner if inner is not None else getattr(type(handler), "__call__", None)  # noqa: B004 - its code is wanted
    return found
