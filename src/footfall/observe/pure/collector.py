"""Keeping the garbage collector out of the thread that samples: there it would run finalizers of the program.

A collection begins where an object is made that the collector counts, once there are more of those than its threshold.
So our thread makes such objects while the collector is off, and does not give up the GIL then, as the program would
notice. Calls of the system do give it up. What they make before that, such as arguments for an audit hook, fits into
the room in the count that `make_room` makes. The count may be above the threshold: by what we made and keep, if the
program has made nothing since.
"""

import gc

from footfall.own_builtins import keep_builtins

keep_builtins(globals())

__all__ = ["make_room", "pause", "resume", "sampling_threads", "save_room"]

sampling_threads: "set[int]" = set()
"""The identities of our threads. Events of what they run must not make objects either: they are not recorded."""

_N_SPARE = 128
_N_IN_ROOM = 8  # arguments and the iterator of hooks, and an AttributeError for each that is a method
_spare: "list[set[int]]" = []
_is_enabled, _disable, _enable = gc.isenabled, gc.disable, gc.enable
_counts, _thresholds = (getattr(gc, name, lambda: (0,)) for name in ("get_count", "get_threshold"))  # PyPy counts none


def pause() -> bool:
    """Turn the collector off. Return whether it was on, for `resume`; the GIL must not be given up until then."""
    was_on = _is_enabled()
    _disable()
    return was_on


def resume(was_on: bool) -> None:
    """Turn the collector on again, if it was."""
    if was_on:
        _enable()


def save_room() -> None:
    """Prepare for calls of `make_room`, with the collector off."""
    while len(_spare) < _N_SPARE:
        _spare.append(set())  # counted, and no list of free objects takes it back


def make_room() -> bool:
    """Lower the collector's count as far as needed, and as is prepared, for a call that follows immediately.

    Return whether it cannot begin a collection.
    """
    was_on = pause()
    threshold = _thresholds()[0]
    excess = _counts()[0] + _N_IN_ROOM - threshold if was_on and threshold else 0
    is_enough = excess <= len(_spare)
    if is_enough:
        for _ in range(excess):
            _spare.pop()
    resume(was_on)
    return is_enough
