"""Pauses of a measurement of new calls, for `footfall.compat`: programs start and stop thousands of times."""

from __future__ import annotations

from footfall.api.measuring import LOCK
from footfall.files import at_fork
from footfall.observe import late

__all__ = ["end_pause", "pause_recording", "resume_recording"]

_ends_pauses = False


def pause_recording() -> object | None:
    """Stop what `start_new_calls` has started, in the cheapest way, and return what `resume_recording` needs.

    Returns None, and measuring goes on, if only `stop_recording` can stop it.
    """
    global _ends_pauses
    with LOCK:
        if not _ends_pauses:
            _ends_pauses = True
            at_fork(before=end_pause)  # a child would go on with the record
        return late.pause_late()


def resume_recording(pause: object) -> bool:
    """Measure new calls again, in the record that there is. Returns False if the pause has ended: start anew."""
    with LOCK:
        return late.resume_late(pause)


def end_pause() -> None:
    """Close the record of a measurement that is paused, if there is one."""
    with LOCK:
        late.end_pause()
