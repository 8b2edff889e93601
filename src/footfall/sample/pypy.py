"""PyPy's sampler: its builtin `_vmprof` on a file of the run directory, called by the start hook.

vmprof samples on SIGPROF, by CPU time of the process, and names functions, not lines. It writes the names of the
functions that exist when it starts at once, and those of later ones, once, when it stops next. So that a killed
process's profile can be read, it is stopped and started again at intervals that double: what a kill leaves unnamed
is what was compiled in the last half of the run (in a forked child: since the fork). For the same reason it is
stopped over a fork; the child's file names the parent's and how much of it holds for the child (two META records
of ours).
"""

import _posixsubprocess
import _signal  # type: ignore[import-not-found]
import _thread
import atexit
import fcntl
import os
import posix
import time

import __pypy__  # type: ignore[import-not-found]
import _vmprof  # type: ignore[import-not-found]

__all__ = ["start"]

_MAX_LOGS_PER_PID = 100000
_FIRST_RENEWAL_S = 0.5
# A descriptor that the program does not get by chance: if it closes what it does not know, vmprof must not
# write into the file that the program opens next.
_LOWEST_DESCRIPTOR = 900


class _Profile:
    """The vmprof file of this process. The lock keeps renewals and the stop apart."""

    def __init__(self, directory: str, interval_s: float) -> None:
        self._directory = directory
        self._interval_s = interval_s
        self._lock = _thread.allocate_lock()
        self._descriptor = -1
        self._name = ""
        self._is_running = False
        self._stopped_for_fork = False
        self._bytes_at_fork = 0
        self._execs_next = False

    def open(self, parent: str = "", parent_bytes: int = 0) -> None:
        """Begin a new file; `parent` is the file of the process that forked us. Raises OSError or VMProfError."""
        stem = self._directory + "/" + str(os.getpid()) + "-"
        for number in range(_MAX_LOGS_PER_PID):
            path = stem + str(number) + ".vmprof"
            try:
                descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
            except FileExistsError:
                continue
            break
        else:
            raise OSError("too many sample logs for process " + str(os.getpid()))
        try:
            self._descriptor = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, _LOWEST_DESCRIPTOR)
            os.close(descriptor)
        except OSError:  # fewer descriptors are allowed
            self._descriptor = descriptor
        self._name = path[len(self._directory) + 1 :]
        self.resume()
        if parent:
            os.write(self._descriptor, _meta("footfall_parent", parent))
            os.write(self._descriptor, _meta("footfall_parent_bytes", str(parent_bytes)))

    def start_renewals(self) -> None:
        """Let names be written now and then. Not in a fork's child: PyPy crashes when its hook starts a thread."""
        # the thread inherits the mask: a signal that the program waits for must not go to us
        before = _signal.pthread_sigmask(_signal.SIG_BLOCK, range(1, _signal.NSIG))
        try:
            _thread.start_new_thread(self._renew, (_FIRST_RENEWAL_S,))
        finally:
            _signal.pthread_sigmask(_signal.SIG_SETMASK, before)

    def resume(self) -> None:
        """Sample, and write the names of all functions that exist."""
        _vmprof.enable(self._descriptor, self._interval_s, 0, 0, 0, 0)
        self._is_running = True

    def is_running(self) -> bool:
        """Whether samples are taken now."""
        return self._is_running

    def pause(self) -> None:
        """Write the names of the functions that are new, and stop sampling."""
        with self._lock:
            if self._is_running:
                self._is_running = False
                _disable()

    def try_resume(self) -> None:
        """Sample again after `pause`, if that is possible."""
        self._try(self.resume)

    def before_fork(self) -> None:
        """Stop, so that every name is in the file. The lock is held until the fork is done."""
        self._lock.acquire()
        self._stopped_for_fork = self._is_running
        if self._is_running:
            self._is_running = False
            _disable()
            try:
                self._bytes_at_fork = os.fstat(self._descriptor).st_size
            except OSError:  # the program has closed it
                self._bytes_at_fork = 0

    def after_fork_in_parent(self) -> None:
        """Go on."""
        if self._stopped_for_fork:
            self._try(self.resume)
        self._lock.release()

    def after_fork_in_child(self) -> None:
        """Begin a file of our own."""
        self._lock.release()
        if self._stopped_for_fork and not self._execs_next:
            try:
                os.close(self._descriptor)
            except OSError:  # the program has closed it
                pass
            self._try(lambda: self.open(self._name, self._bytes_at_fork))

    def fork_exec(self, original, arguments):  # type: ignore[no-untyped-def]
        """Fork for an exec: in the child no timer may run that would outlive this program's handler."""
        self._execs_next = True
        try:
            return original(*arguments)
        finally:
            self._execs_next = False

    def _try(self, function) -> None:  # type: ignore[no-untyped-def]
        """Call what starts vmprof; where it cannot, the program runs on, unsampled."""
        try:
            function()
        except (OSError, _vmprof.VMProfError):
            self._is_running = False

    def _renew(self, pause_s: float) -> None:
        pid = os.getpid()
        while True:
            time.sleep(pause_s)
            with self._lock:
                if not self._is_running or os.getpid() != pid:
                    return
                _disable()
                self._try(self.resume)
            pause_s *= 2


def start(directory: str, rate_hz: int) -> None:
    """Sample this process `rate_hz` times a second of its CPU time. Raises OSError or VMProfError."""
    profile = _Profile(directory, 1.0 / rate_hz)
    profile.open()
    profile.start_renewals()
    atexit.register(profile.pause)
    os.register_at_fork(
        before=profile.before_fork,
        after_in_parent=profile.after_fork_in_parent,
        after_in_child=profile.after_fork_in_child,
    )
    _guard_exec(profile)


def _meta(key: str, value: str) -> bytes:
    """A META record: two texts, each with its length as a 64-bit number."""
    record = b"\x07"
    for text in (key, value):
        encoded = os.fsencode(text)
        record += len(encoded).to_bytes(8, "little") + encoded
    return record


def _disable() -> None:
    """Stop vmprof; its file may have been closed by the program, or by the fork."""
    try:
        _vmprof.disable()
    except _vmprof.VMProfError:
        pass


def _guard_exec(profile: _Profile) -> None:
    """Stop vmprof before another program takes this process's place.

    The kernel keeps the timer over an exec, and its signal would kill that program. PyPy raises no audit event
    for exec, so the two functions are wrapped.
    """
    for name in ("execv", "execve"):
        wrapper = _guarded(profile, getattr(posix, name))
        setattr(posix, name, wrapper)
        setattr(os, name, wrapper)
    plain = _posixsubprocess.fork_exec

    @__pypy__.hidden_applevel
    def fork_exec(*args):  # type: ignore[no-untyped-def]
        return profile.fork_exec(plain, args)  # type: ignore[no-untyped-call]

    _posixsubprocess.fork_exec = fork_exec


def _guarded(profile: _Profile, original):  # type: ignore[no-untyped-def]
    @__pypy__.hidden_applevel
    def guarded(*args, **named):  # type: ignore[no-untyped-def]
        was_running = profile.is_running()
        profile.pause()
        try:
            return original(*args, **named)
        finally:
            if was_running:
                profile.try_resume()

    guarded.__name__ = guarded.__qualname__ = original.__name__
    guarded.__doc__ = original.__doc__
    guarded.__module__ = original.__module__
    return guarded
