"""The program's signals while code of ours runs inside it: they wait; what their handlers raise is the program's."""

from _signal import SIG_BLOCK, SIG_SETMASK, pthread_sigmask  # type: ignore[import-not-found]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["Undisturbed", "pass_on"]

_WAITING = frozenset(range(1, 32)) - {4, 5, 6, 7, 8, 9, 11, 19}
"""All but SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGKILL, SIGSEGV, SIGSTOP, and those of real time, by one of which
the precise sampler stops threads."""

_OURS = ("footfall", "importlib", "_frozen_importlib", "_frozen_importlib_external", "zipimport", "codecs", "encodings")
"""Packages whose functions we call; whatever else is in a traceback of ours has interrupted us."""


class Undisturbed:
    """Let signals to this thread wait: their handlers run at the end, in the program. Costs 5 us."""

    __slots__ = ("_before",)

    def __enter__(self) -> None:
        self._before = pthread_sigmask(SIG_BLOCK, _WAITING)

    def __exit__(self, *error: object) -> None:
        pthread_sigmask(SIG_SETMASK, self._before)


def pass_on(error: BaseException) -> None:
    """Raise an error again that does not come from what we do; return when it is ours.

    A signal that another thread has taken is handled in the main thread all the same.
    """
    trace: TracebackType | None = error.__traceback__
    while trace is not None:
        name = trace.tb_frame.f_globals.get("__name__")
        if not isinstance(name, str) or name.partition(".")[0] not in _OURS:
            raise error
        trace = trace.tb_next
