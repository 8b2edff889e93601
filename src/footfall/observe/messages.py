"""Messages from inside the measured process, kept in its record file: each is printed once when all have ended.

The program's stderr is the program's. It gets those alone that can't be kept.
"""

import sys

from footfall.own_builtins import keep_builtins
from footfall.printable import printable

keep_builtins(globals())

__all__ = ["keep_message", "report"]


def report(slug: str, what: str, next_step: str = "") -> None:
    """Report a line at the end of the run; at once, on stderr, where no record file can keep it."""
    text = (what + " " + next_step).rstrip()
    if keep_message(slug, text):
        return
    try:
        sys.stderr.write("footfall: " + printable(text) + " [" + slug + "]\n")
    except Exception:  # stderr may be closed or replaced by anything: nothing can be reported
        pass


def keep_message(slug: str, text: str) -> bool:
    """Keep a line in the record file. False where there is none, or no room in it."""
    text = text.encode("utf-8", "backslashreplace").decode("utf-8").replace("\0", "\\x00")
    core = sys.modules.get("footfall._core")  # a core that does not load is one thing to report
    recorder = sys.modules.get("footfall.observe.pure.recorder")  # where there is no core
    kept: bool = core is not None and core.record_message(slug, text)
    return kept or (recorder is not None and recorder.record_message(slug, text))
