"""What Python has on Windows, as far as it can be had on Linux: imported by a `.pth` file, before anything of ours.

There is no `posix`, `fcntl`, `resource` or `pwd`. `nt`, `os`, `signal` and `time` have the names that their stubs in
typeshed give them for Windows, so there is no fork, no signal but those of C, no `pread`, no flag `O_NONBLOCK`. Files
are mapped at multiples of 64 KiB, and `/proc` and `/dev/tty` are not there. Paths, and what a file that is open
forbids, stay Linux's: `sys.platform` and `os.name` do, too, since the standard library goes by them.
"""

import _signal
import asyncio  # noqa: F401 - pytest loads it; it is made for Linux, and must find its functions
import mmap
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import types

NT = frozenset(
    """
    DirEntry F_OK O_APPEND O_BINARY O_CREAT O_EXCL O_NOINHERIT O_RANDOM O_RDONLY O_RDWR O_SEQUENTIAL O_SHORT_LIVED
    O_TEMPORARY O_TEXT O_TRUNC O_WRONLY P_DETACH P_NOWAIT P_NOWAITO P_OVERLAY P_WAIT R_OK TMP_MAX W_OK X_OK abort access
    chdir chmod close closerange cpu_count device_encoding dup dup2 environ error execv execve fchmod fspath fstat fsync
    ftruncate get_blocking get_inheritable get_terminal_size getcwd getcwdb getlogin getpid getppid isatty kill lchmod
    link listdir lseek lstat mkdir open pipe putenv read readinto readlink remove rename replace rmdir scandir
    set_blocking set_inheritable spawnv spawnve stat stat_result statvfs_result strerror symlink system terminal_size
    times times_result truncate umask uname_result unlink unsetenv urandom utime waitpid waitstatus_to_exitcode write
    """.split()
)
SIGNALS = frozenset(("SIGABRT", "SIGFPE", "SIGILL", "SIGINT", "SIGSEGV", "SIGTERM", "SIG_DFL", "SIG_IGN"))
SIGNAL_FUNCTIONS = frozenset(
    ("default_int_handler", "getsignal", "raise_signal", "set_wakeup_fd", "signal", "strsignal", "valid_signals")
)
GONE = (
    "posix",
    "fcntl",
    "resource",
    "pwd",
    "grp",
    "termios",
    "tty",
    "pty",
    "syslog",
    "_posixsubprocess",
    "_core",
    "_decode",
)
GONE_PATHS = ("/proc/", "/dev/tty")


def keep_for_standard_library() -> None:
    """Leave modules what they need: these are made for Linux here, and are others on Windows."""
    whole = types.ModuleType("os")
    vars(whole).update(vars(os))
    subprocess.os = shutil.os = tempfile._os = whole


def make_nt() -> types.ModuleType:
    """Return a module `nt`, and take from `os` what it has not."""
    import posix

    nt = types.ModuleType("nt")
    for name, value in vars(posix).items():
        if name in NT or (name.startswith("_") and name not in ("__name__", "__spec__", "__loader__")):
            setattr(nt, name, value)
        elif not name.startswith("_") and hasattr(os, name):
            delattr(os, name)
    nt.O_BINARY = nt.O_NOINHERIT = os.O_BINARY = os.O_NOINHERIT = 0
    for name in ("environb", "getenvb", "fwalk"):
        delattr(os, name)
    for known in (os.supports_dir_fd, os.supports_fd, os.supports_effective_ids):
        known.clear()
    return nt


def take_signals() -> None:
    """Take from `signal` what Windows has not."""
    for module in (signal, _signal):
        for name in dir(module):
            is_signal = name.startswith(("SIG", "ITIMER")) and name not in SIGNALS
            if is_signal or (callable(getattr(module, name)) and name.islower() and name not in SIGNAL_FUNCTIONS):
                if not name.startswith("_"):
                    delattr(module, name)


def start_as_windows_does() -> None:
    """Refuse what `subprocess` refuses there."""
    plain = subprocess.Popen.__init__
    subprocess._USE_POSIX_SPAWN = False

    def __init__(self, *args, preexec_fn=None, **named):
        if preexec_fn is not None:
            raise ValueError("preexec_fn is not supported on Windows platforms")
        plain(self, *args, **named)

    subprocess.Popen.__init__ = __init__


def refuse(event: str, arguments: tuple) -> None:
    """Let no file of Linux be there. The hook of an audit: nothing in Python gets around it."""
    if event in ("open", "os.listdir", "os.scandir") and arguments and str(arguments[0]).startswith(GONE_PATHS):
        raise FileNotFoundError(2, "No such file or directory", arguments[0])


take_signals()
start_as_windows_does()
keep_for_standard_library()
nt = make_nt()
for name in dir(time):
    if name.startswith(("clock_", "CLOCK_", "pthread_")):
        delattr(time, name)
for name in dir(mmap):
    if name.startswith(("MADV_", "MAP_", "PROT_")):
        delattr(mmap, name)
mmap.ALLOCATIONGRANULARITY = 1 << 16
shutil.disk_usage = lambda path: types.SimpleNamespace(free=1 << 40)
sys.modules["nt"] = nt
for name in GONE:
    sys.modules[f"footfall.{name}" if name in ("_core", "_decode") else name] = None
sys.addaudithook(refuse)
