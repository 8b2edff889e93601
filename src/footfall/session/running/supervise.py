"""Process control of `footfall run`: starts the command unchanged, passes signals on, and ends the way it ended.

The command is in our own process group and terminal. Ctrl-C therefore reaches it from the terminal and must not be sent
a second time; a signal that another process sends to us reaches only us, so we pass it on. If the interpreter tells who
sent a signal (CPython, `sigwaitinfo`), that decides. PyPy does not; there a signal is taken to come from the terminal's
keys if we are the terminal's foreground group.

Windows has no signals to pass on: its keys reach each process of the console, ours and the command's.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

from footfall.errors import FootfallError
from footfall.session.output import flush_streams

__all__ = ["Ended", "end_like", "run_command"]


def _signals(*names: str) -> frozenset[signal.Signals]:
    """Return the signals of these names that the system has."""
    return frozenset(signal.Signals[name] for name in names if hasattr(signal, name))


_PASSED_ON: Final = _signals("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2")
_KEYS: Final = _signals("SIGINT", "SIGQUIT", "SIGBREAK")
_CHECK_SECONDS: Final = 0.1
_HALF: Final = 1 << 31
_SI_KERNEL: Final = 0x80  # si_code of signals from the terminal's keys, sent to the whole foreground group


class Ended(NamedTuple):
    """How a command ended."""

    status: int
    """Its exit status, or minus the number of the signal that killed it."""
    pid: int
    signals: frozenset[int]
    """Signals that we received meanwhile and the command received too."""


def run_command(
    arguments: Sequence[str],
    environment: Mapping[str, str],
    ignored: signal.Signals | None = None,
    check: Callable[[int], None] | None = None,
    meanwhile: Callable[[], None] = lambda: None,
) -> Ended:
    """Run a command to its end. It starts with the signal `ignored` ignored, which it may change.

    `check` is called a few times a second with the command's process id while the process exists. `meanwhile` is called
    once, when the command has started: signals wait until it returns, so it must be short.
    Raises FootfallError (`cant-start`) if the system can't start it.
    """
    if not hasattr(signal, "pthread_sigmask"):
        return _run_in_console(arguments, environment, check, meanwhile)
    watched = _PASSED_ON | {signal.SIGCHLD} | ({signal.SIGALRM} if check is not None else set())
    # SIGCHLD must have a handler, or with a caller's SIG_IGN the exit status would be lost
    old_handler = signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    # blocked before the start, so that none is lost between the start and the first wait
    old_mask = signal.pthread_sigmask(signal.SIG_BLOCK, watched)
    try:
        process = _start(arguments, environment, _preparation(old_mask, ignored))
        meanwhile()
        signals = set()
        if check is not None:
            signal.setitimer(signal.ITIMER_REAL, _CHECK_SECONDS, _CHECK_SECONDS)  # no child inherits it
        while process.poll() is None:
            signals.add(_wait_and_pass_on(watched, process, check))
        return Ended(process.returncode, process.pid, frozenset(signals - {signal.SIGCHLD, signal.SIGALRM}))
    finally:
        if check is not None:
            signal.setitimer(signal.ITIMER_REAL, 0)
            _discard_pending(frozenset({signal.SIGALRM}))
        _discard_pending(_PASSED_ON)
        signal.pthread_sigmask(signal.SIG_SETMASK, old_mask)
        signal.signal(signal.SIGCHLD, old_handler if old_handler is not None else signal.SIG_DFL)


def _run_in_console(
    arguments: Sequence[str],
    environment: Mapping[str, str],
    check: Callable[[int], None] | None,
    meanwhile: Callable[[], None],
) -> Ended:
    """As `run_command`, on Windows: while the command runs, the console's keys are its business alone."""
    noted: set[signal.Signals] = set()
    before = {key: signal.signal(key, lambda number, _frame: noted.add(signal.Signals(number))) for key in _KEYS}
    try:
        process = _start(arguments, environment, None)
        meanwhile()
        while process.poll() is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_CHECK_SECONDS)  # in pieces: a handler runs only between two of them
            if check is not None and process.returncode is None:
                check(process.pid)
        return Ended(process.returncode, process.pid, frozenset(noted))
    finally:
        for key, handler in before.items():
            signal.signal(key, handler if handler is not None else signal.SIG_DFL)


def _preparation(mask: set[int], ignored: signal.Signals | None) -> Callable[[], None]:
    """Return what is to be done in the new process before it becomes the command."""

    def prepare() -> None:
        # exec preserves the mask and ignored signals
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        if ignored is not None:
            signal.signal(ignored, signal.SIG_IGN)

    return prepare


def _start(
    arguments: Sequence[str], environment: Mapping[str, str], prepare: Callable[[], None] | None
) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            arguments,
            env=environment,
            close_fds=False,  # the command gets the descriptors that we were given, as it would without us
            preexec_fn=prepare,  # safe, as we have one thread
        )
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise FootfallError(
            "cant-start",
            f"Can't start {arguments[0]}: {reason}.",
            "Check that it runs without footfall; a script needs a first line like #!/usr/bin/env python3.",
        ) from error


def _wait_and_pass_on(
    watched: frozenset[signal.Signals], process: subprocess.Popen[bytes], check: Callable[[int], None] | None
) -> int:
    """Wait for one signal and return it; pass it on unless it is SIGCHLD or the command already has it.

    SIGALRM comes from the timer: `check` is called.
    """
    if hasattr(signal, "sigwaitinfo"):
        info = signal.sigwaitinfo(watched)
        number = info.si_signo
        has_it = info.si_code == _SI_KERNEL
    else:
        number = signal.sigwait(watched)
        has_it = number in _KEYS and _is_in_foreground()
    if number == signal.SIGALRM and check is not None:
        check(process.pid)
    elif number != signal.SIGCHLD and not has_it:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(number)
    return number


def _is_in_foreground() -> bool:
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)


def _discard_pending(numbers: frozenset[signal.Signals]) -> None:
    """Discard signals that came as the command ended: they were meant to end it."""
    while pending := signal.sigpending() & numbers:
        signal.sigwait(pending)


def end_like(status: int) -> int:
    """Return the exit status for `status` of `Ended`; if that is a signal, die of the same one."""
    if status >= 0:
        return status if status < _HALF else status - 2 * _HALF  # Windows: how `sys.exit` takes 0xC000013A and the like
    flush_streams()
    import resource  # where there are signals

    # only the command's own core file is useful
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    with contextlib.suppress(OSError, ValueError):  # SIGKILL has no handler to remove
        signal.signal(-status, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {-status})
    os.kill(os.getpid(), -status)
    return 128 - status  # reached only for signals that do not end a process
