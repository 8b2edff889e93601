"""What `footfall attach --inject` runs in the other process: the script is this text, followed by a call of `run`.

It runs there in the main thread, between two instructions of the program, in a namespace of its own. The C core is
loaded from the folder of the recording footfall, under a name of its own: the program's imports stay unchanged.
"""

import _frozen_importlib
import _imp
import atexit
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_NAME = "_footfall_injected"


def run(action: str, answer: str, *options: object) -> None:
    """Carry out the action, and write "ok", or what went wrong, to the new file `answer`."""
    try:
        _ACTIONS[action](*options)
        text = "ok"
    except BaseException as error:
        text = type(error).__name__ + ": " + str(error)
    _write(answer, text)


def _write(path: str, text: str) -> None:
    """Make the file appear as a whole. The recording footfall may have ended already."""
    try:
        file = os.open(path + ".new", os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        os.write(file, text.encode("utf-8", "replace"))
        os.close(file)
        os.rename(path + ".new", path)
    except OSError:
        pass


def _start(core_path: str, log: str, interval_ns: int, max_cpu_ppm: int, lease_ns: int, tasks: "Any") -> None:
    """Sample into a new log; end the log being written, if there is one."""
    core: Any = sys.modules.get(_NAME)
    if core is None:
        measuring: Any = sys.modules.get("footfall._core")
        if measuring is not None and measuring.sampler_stats():
            raise RuntimeError("footfall profiles it already")
        core = _load(core_path)
        sys.modules[_NAME] = core
    elif core.path != core_path:
        raise RuntimeError("another footfall was put into it before, " + core.path)
    core.sampler_stop()
    core.sampler_start(log, interval_ns, follow=True, max_cpu_ppm=max_cpu_ppm, lease_ns=lease_ns, tasks=tasks)


def _load(core_path: str) -> "Any":
    spec = _frozen_importlib.ModuleSpec("footfall._core", None, origin=core_path)
    core: Any = _imp.create_dynamic(spec)
    _imp.exec_dynamic(core)
    core.path = core_path
    # os.fork() warns in a program with threads: ours must not exist when it counts them.
    os.register_at_fork(
        before=core.sampler_before_fork,
        after_in_parent=core.sampler_after_fork_parent,
        after_in_child=core.sampler_after_fork_child,
    )
    atexit.register(core.sampler_stop)
    return core


def _stop() -> None:
    core: Any = sys.modules.get(_NAME)
    if core is not None:
        core.sampler_stop()


def _forget(directory: str) -> None:
    """Remove what was kept for a script that was no longer wanted when it ran."""
    _stop()
    for emptied in (directory, os.path.dirname(directory)):
        for name in os.listdir(emptied):
            os.unlink(os.path.join(emptied, name))
        os.rmdir(emptied)


_ACTIONS: "dict[str, Any]" = {"start": _start, "stop": _stop, "forget": _forget}
