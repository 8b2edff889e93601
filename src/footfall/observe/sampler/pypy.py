"""PyPy's sampler: its builtin `_vmprof`, writing to a file in the run directory; called by the start hook.

vmprof samples on SIGPROF, by CPU time of the process, and names functions, not lines. It writes the name of a function
when the function is compiled, but buffers the last 8 kilobytes of names. So that a killed process's profile can be
read, the names are flushed at intervals that double, and before a fork. A child's file names the parent's file and how
much of it applies to the child (two META records of ours).

Only one thread may run while vmprof does. `_vmprof.disable`, which a forked child must call, frees buffers without
holding the GIL, while other threads may be writing names of functions that they compile, or a sample, to them: this
causes a failed assertion or a segmentation fault (rpython/rlib/rvmprof/src/shared/vmprof_mt.c). The profile ends with a
message when the program starts its first thread; our own thread compiles nothing without the lock, and receives no
signals.
"""

import _posixsubprocess
import _signal  # type: ignore[import-not-found]
import _thread
import atexit
import errno
import fcntl
import os
import posix
import sys
import time

import __pypy__  # type: ignore[import-not-found]
import _vmprof  # type: ignore[import-not-found]

from footfall.observe.interruptions import Undisturbed
from footfall.observe.pure import recorder as pure_recorder
from footfall.observe.pure.children import dress
from footfall.observe.thread_starts import replace_starters
from footfall.own_builtins import keep_builtins

keep_builtins(globals())

__all__ = ["start"]

_MAX_LOGS_PER_PID = 100000
_FIRST_PAUSE_S = 0.5
_LONGEST_INTERVAL_S = 0.999999
"""vmprof refuses a second: a rate of 1."""
_BUFFER_BYTES = 8192
_NAME_CHARACTERS = 110  # longer ones are cut
_FREE_BYTES = 32 << 20
"""With less free space no profile begins: vmprof breaks a program as soon as a write fails (see _guard_close)."""
_LAST_BYTES = 4 << 20
"""The profile ends when less than this is left on the disk, or of the file size that the program's limit allows."""
# A descriptor that the program will not get by chance.
_LOWEST_DESCRIPTOR = 900
# as they are when measuring begins: the program may replace them
_close, _dup2, _fstat, _getpid = posix.close, posix.dup2, posix.fstat, posix.getpid
_open, _read, _statvfs = posix.open, posix.read, posix.statvfs


class _Profile:
    """The vmprof file of this process. The lock excludes the thread that flushes names from everything else."""

    def __init__(self, directory: str, interval_s: float) -> None:
        self._directory = directory
        self._interval_s = min(interval_s, _LONGEST_INTERVAL_S)
        self._lock = _thread.allocate_lock()
        self._name = ""
        self._bytes_at_fork = 0
        self._execs_next = False
        self._is_enabled = False
        self._writes_nowhere = False
        self.descriptor = -1
        """vmprof's file; -1 when there is none."""

    def open(self, parent: str = "", parent_bytes: int = 0) -> None:
        """Begin a new file; `parent` is the file of the process that forked us. Raises OSError or VMProfError."""
        if _free_bytes(self._directory) < _FREE_BYTES:
            raise OSError(errno.ENOSPC, "less than 32 MB are free for PyPy's profiler")
        if _largest_file_bytes() < _FREE_BYTES:
            raise OSError(errno.EFBIG, "PyPy's profiler needs files of 32 MB, and the limit (ulimit -f) is lower")
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
            self.descriptor = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, _LOWEST_DESCRIPTOR)
            os.close(descriptor)
        except OSError:  # the limit allows fewer descriptors
            self.descriptor = descriptor
        self._name = path[len(self._directory) + 1 :]
        _vmprof.enable(self.descriptor, self._interval_s, 0, 0, 0, 0)
        self._is_enabled = True
        if parent:
            os.write(self.descriptor, _meta("footfall_parent", parent))
            os.write(self.descriptor, _meta("footfall_parent_bytes", str(parent_bytes)))

    def start_pushing_names(self) -> None:
        """Flush names now and then. Not in a forked child: PyPy crashes when its hook starts a thread."""
        # the thread inherits the mask: it must not receive a signal that the program waits for
        with Undisturbed(range(1, _signal.NSIG)):
            _thread.start_new_thread(self._push_names_repeatedly, (_FIRST_PAUSE_S,))

    def pause(self) -> None:
        """Take no samples, and run no timer. The lock is held until `resume`."""
        self._lock.acquire()
        self._write_nowhere_without_room()
        if self._is_enabled:
            _signal.setitimer(_signal.ITIMER_PROF, 0)
            _vmprof.stop_sampling()
            _push_names()

    def resume(self) -> None:
        """Continue after `pause`."""
        if self._is_enabled:
            _vmprof.start_sampling()
            _signal.setitimer(_signal.ITIMER_PROF, self._interval_s, self._interval_s)
        self._lock.release()

    def end(self) -> bool:
        """Stop sampling. Return whether it had stopped already. No other thread but our own may be running."""
        with self._lock:
            if not self._is_enabled:
                return True
            self._write_nowhere_without_room()
            if self._writes_nowhere:
                _report_end("the profile ends where a full disk, or a limit, left no room for PyPy's profiler.")
            self._is_enabled = False
            _disable()
            descriptor, self.descriptor = self.descriptor, -1
            _close(descriptor)
            return False

    def _write_nowhere_without_room(self) -> None:
        """If the next writes may fail, redirect them to the null device from now on. The lock is held."""
        if not self._is_enabled or self._writes_nowhere:
            return
        try:
            size = _fstat(self.descriptor).st_size
            if min(_free_bytes(self._directory), _largest_file_bytes() - size) >= _LAST_BYTES:
                return
            null = _open(os.devnull, posix.O_WRONLY | posix.O_CLOEXEC)
        except Exception:  # the directory is gone, no file can be opened, or an audit hook of the program forbids it
            return
        try:
            _dup2(null, self.descriptor, False)
        finally:
            _close(null)
        self._writes_nowhere = True
        self._bytes_at_fork = size

    def before_fork(self) -> None:
        """Write every name. The lock is held until the fork is done."""
        self.pause()
        if self._is_enabled and not self._writes_nowhere:
            self._bytes_at_fork = os.fstat(self.descriptor).st_size

    def after_fork_in_child(self) -> None:
        """Begin a file for this process. vmprof has closed the parent's, and there is no other thread."""
        self._lock.release()
        if not self._is_enabled:
            return
        self._is_enabled = False
        self._writes_nowhere = False
        self.descriptor = -1
        _disable()
        if not self._execs_next:
            try:
                self.open(self._name, self._bytes_at_fork)
            except (OSError, _vmprof.VMProfError):
                pass  # the program runs on, unsampled

    def fork_exec(self, original, arguments):  # type: ignore[no-untyped-def]
        """Fork for an exec: no timer may run in the child, because it would outlive this program's handler."""
        self._execs_next = True
        try:
            return original(*arguments)
        finally:
            self._execs_next = False

    def _push_names_repeatedly(self, pause_s: float) -> None:
        pid = _getpid()
        while True:
            due_s = time.monotonic() + pause_s
            while time.monotonic() < due_s:
                time.sleep(_FIRST_PAUSE_S)
                if not self._is_enabled or _is_last_thread():
                    return  # a thread of the program began, and may be the last one, with its status
                with self._lock:
                    if _getpid() == pid:
                        self._write_nowhere_without_room()
            with self._lock:
                if not self._is_enabled or _getpid() != pid:
                    return
                _push_names()
            pause_s *= 2


def start(directory: str, rate_hz: int) -> None:
    """Sample this process `rate_hz` times a second of its CPU time. Raises OSError or VMProfError."""
    if len(sys._current_frames()) > 1:
        raise OSError("PyPy cannot sample a program with threads")
    profile = _Profile(directory, 1.0 / rate_hz)
    profile.open()
    profile.start_pushing_names()
    atexit.register(profile.end)
    os.register_at_fork(
        before=profile.before_fork,
        after_in_parent=profile.resume,
        after_in_child=profile.after_fork_in_child,
    )
    _guard_exec(profile)
    _guard_close(profile)
    _end_at_first_thread(profile)


def _free_bytes(directory: str) -> int:
    disk = _statvfs(directory)
    return disk.f_bavail * disk.f_frsize


def _largest_file_bytes() -> int:
    """Return the file size that the process's limit allows."""
    descriptor = _open("/proc/self/limits", posix.O_RDONLY | posix.O_CLOEXEC)
    try:
        text = _read(descriptor, 8192)
    finally:
        _close(descriptor)
    soft = text.partition(b"Max file size")[2].split()[:1]
    return sys.maxsize if not soft or soft == [b"unlimited"] else int(soft[0])


def _is_last_thread() -> bool:
    """Return whether only this thread of ours is left: the first one may have ended; ours must not keep the process
    alive.

    Ends the process if the first thread exited with a status other than 0: the kernel uses the last thread's status.
    """
    try:
        descriptor = os.open("/proc/self/stat", os.O_RDONLY | os.O_CLOEXEC)
        try:
            fields = os.read(descriptor, 1024).rpartition(b") ")[2].split()
        finally:
            os.close(descriptor)
        # the state of the first thread, how many there are, and its status as wait() gives it
        if fields[0] not in (b"Z", b"X") or int(fields[17]) > 2:
            return False
        status = int(fields[49])
    except (OSError, IndexError, ValueError):
        return False
    if status:
        os._exit(os.waitstatus_to_exitcode(status))
    return True


def _meta(key: str, value: str) -> bytes:
    """Return a META record: two texts, each with its length as a 64-bit number."""
    record = b"\x07"
    for text in (key, value):
        encoded = os.fsencode(text)
        record += len(encoded).to_bytes(8, "little") + encoded
    return record


def _disable() -> None:
    """Stop vmprof. A forked child can't write out its buffers, and should not."""
    _vmprof.stop_sampling()
    try:
        _vmprof.disable()
    except _vmprof.VMProfError:
        pass


def _push_names() -> None:
    """Make vmprof write its buffered names: compile new code whose long names fill the buffer, and drop the code."""
    code = _push_names.__code__
    filler = "x" * _NAME_CHARACTERS
    for _ in range(_BUFFER_BYTES // (2 * _NAME_CHARACTERS) + 1):
        code.replace(co_name=filler, co_filename=filler)


def _guard_exec(profile: _Profile) -> None:
    """Stop the timer before another program replaces this process.

    The kernel keeps the timer over an exec, and its signal would kill that program. PyPy raises no audit event for
    exec, so the two functions are wrapped.
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
        profile.pause()
        try:
            return original(*args, **named)
        finally:
            profile.resume()

    return dress(guarded, original)


def _guard_close(profile: _Profile) -> None:
    """When a program closes all descriptors, as daemons do, keep it from closing vmprof's.

    Once its writes fail, vmprof waits half a minute at each new function and then raises SystemError there.
    """
    plain_close = posix.close
    plain_closerange = posix.closerange

    @__pypy__.hidden_applevel
    def close(fd):  # type: ignore[no-untyped-def]
        if fd == profile.descriptor:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        return plain_close(fd)

    @__pypy__.hidden_applevel
    def closerange(fd_low, fd_high):  # type: ignore[no-untyped-def]
        kept = profile.descriptor
        if type(fd_low) is type(fd_high) is int and fd_low <= kept < fd_high:
            plain_closerange(fd_low, kept)
            fd_low = kept + 1
        return plain_closerange(fd_low, fd_high)

    for name, plain, wrapper in (("close", plain_close, close), ("closerange", plain_closerange, closerange)):
        look_alike = dress(wrapper, plain)
        setattr(posix, name, look_alike)
        setattr(os, name, look_alike)


def _end_at_first_thread(profile: _Profile) -> None:
    replace_starters(lambda plain: _ending(profile, plain))


def _ending(profile: _Profile, original):  # type: ignore[no-untyped-def]
    @__pypy__.hidden_applevel
    def starter(*args, **named):  # type: ignore[no-untyped-def]
        if not profile.end():
            _report_end(
                "the profile ends where the program started its first thread: PyPy's profiler is not safe with threads."
            )
        return original(*args, **named)

    return dress(starter, original)


def _report_end(what: str) -> None:
    if pure_recorder.record_message("profile-ended", what):
        return
    try:
        posix.write(2, ("footfall: " + what + " [profile-ended]\n").encode())
    except OSError:  # there is no stderr to report it on
        pass
