"""What the supervisor tells a measured process: the `settings` file of the run directory.

Every measured interpreter reads it at its start, so this module imports only what is already loaded.
"""

import sys

from footfall.files import open_flags, system
from footfall.model import RECORD_BRANCHES, RECORD_LATE, RECORD_OPTIMIZE_SHIFT
from footfall.own_builtins import keep_builtins

keep_builtins(globals())

__all__ = ["Settings", "escape", "read_settings", "record_flags", "unescape"]

_MAX_BYTES = 1 << 20
_FLAGS = (
    "branch",
    "cover",
    "profile",
    "precise",
    "native",
    "with_tasks",
    "function_contexts",
    "plugin_contexts",
    "plugin_files",
    "plugin_saves",
    "trace_plugins",
)
_LISTS = ("source_dir", "source_pkg", "include", "omit")


class Settings:
    """One run's settings.

    Paths and patterns are absolute; `rate_hz` is in samples per second; `engine` "" is the default.
    """

    def __init__(self, directory: str) -> None:
        self.directory = directory
        self.cwd = ""
        self.branch = True
        self.cover = True
        self.profile = True
        self.rate_hz = 1000
        self.max_cpu_ppm = 0
        self.precise = False
        self.native = False
        self.with_tasks = False
        self.context = ""
        self.function_contexts = False
        self.plugin_contexts = False
        self.cache_dir = ""
        self.source_dir: list[str] = []
        self.source_pkg: list[str] = []
        self.include: list[str] = []
        self.omit: list[str] = []
        self.engine = ""
        self.plugins = ""
        self.plugin_files = False
        self.plugin_saves = False
        self.trace_plugins = False


def record_flags(settings: Settings, *, is_late: bool = False) -> int:
    """Return the flags of this process's record (the RECORD_ constants of the model)."""
    flags = RECORD_BRANCHES if settings.branch else 0
    return flags | RECORD_LATE | min(sys.flags.optimize, 2) << RECORD_OPTIMIZE_SHIFT if is_late else flags


def escape(value: str) -> str:
    """Write a value on one line; `unescape` reads it back."""
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace("\t", "\\t")


def unescape(value: str) -> str:
    """Read what `escape` wrote."""
    if "\\" not in value:
        return value
    parts = value.split("\\\\")
    return "\\".join(part.replace("\\n", "\n").replace("\\t", "\t") for part in parts)


def _open(path: str, flags: int) -> int:
    """Open a regular file: a pipe or a device of that name would block the interpreter at its start."""
    descriptor = system.open(path, flags | open_flags("O_NONBLOCK", "O_NOCTTY"))
    found = system.fstat(descriptor)
    if found.st_mode & 0o170000 != 0o100000 or found.st_size > _MAX_BYTES:  # the module stat may not be loaded here
        system.close(descriptor)
        raise ValueError(path + " is no settings file of footfall")
    return descriptor


def read_settings(directory: str) -> Settings:
    """Read `<directory>/settings`. Raises OSError or ValueError; unknown keys are skipped. Never waits."""
    settings = Settings(directory)
    with open(directory + "/settings", encoding="utf-8", errors="surrogateescape", newline="\n", opener=_open) as file:
        for line in file.read(_MAX_BYTES).split("\n"):
            key, tab, value = line.partition("\t")
            if not tab:
                continue
            value = unescape(value)
            if key in _LISTS:
                getattr(settings, key).append(value)
            elif key in _FLAGS:
                setattr(settings, key, value == "1")
            elif key in ("rate_hz", "max_cpu_ppm"):
                setattr(settings, key, int(value))
            elif key in ("cwd", "context", "cache_dir", "engine", "plugins"):
                setattr(settings, key, value)
    return settings
