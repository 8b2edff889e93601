"""Messages from inside the measured process, kept in its record file; each is printed once after the command ends.

The program's stderr belongs to the program. Only messages that can't be recorded are written to it.
"""

import sys

from footfall.own_builtins import keep_builtins
from footfall.printable import printable

keep_builtins(globals())

__all__ = ["keep_message", "report"]


def report(slug: str, what: str, next_step: str = "") -> None:
    """Report a line at the end of the run; if no record file can keep it, at once on stderr."""
    text = (what + " " + next_step).rstrip()
    if keep_message(slug, text):
        return
    try:
        sys.stderr.write("footfall: " + printable(text) + " [" + slug + "]\n")
    except Exception:  # stderr may be closed or replaced by anything: nothing can be reported
        pass


def keep_message(slug: str, text: str) -> bool:
    """Write a line to the record file. Return False if there is none, or it has no room."""
    text = text.encode("utf-8", "backslashreplace").decode("utf-8").replace("\0", "\\x00")
    core = sys.modules.get("footfall._core")  # if the core does not load, that itself is reported
    recorder = sys.modules.get("footfall.observe.pure.recorder")  # without the core
    kept: bool = core is not None and core.record_message(slug, text)
    return kept or (recorder is not None and recorder.record_message(slug, text))
