"""Messages from inside the measured process: on its stderr, and in the record file, so that `footfall run` has them."""

import sys

from footfall.own_builtins import keep_builtins
from footfall.printable import printable
from footfall.pythons import fallback_reason

keep_builtins(globals())

__all__ = ["keep_message", "report", "tell"]


def report(slug: str, what: str, next_step: str = "") -> None:
    """Say one line on stderr, and keep it in the record file where there is one."""
    text = (what + " " + next_step).rstrip()
    try:
        sys.stderr.write("footfall: " + printable(text) + " [" + slug + "]\n")
    except Exception:  # stderr may be closed or replaced by anything: there is no one to tell
        pass
    keep_message(slug, text)


def keep_message(slug: str, text: str) -> None:
    """Keep a line in the record file, where there is one: it is said once at the end, of all processes that have it."""
    text = text.encode("utf-8", "backslashreplace").decode("utf-8").replace("\0", "\\x00")
    core = sys.modules.get("footfall._core")  # a core that does not load is one thing to report
    if core is not None:
        core.record_message(slug, text)
    recorder = sys.modules.get("footfall.observe.pypy.recorder")  # PyPy's
    if recorder is not None:
        recorder.record_message(slug, text)


def tell(warning: "tuple[str, str]") -> None:
    """Say what `choose_engine` returned; what is of the interpreter and not of this process only once, when all end."""
    if warning == fallback_reason() and sys.implementation.name == "cpython":
        keep_message(*warning)
    else:
        report(*warning)
