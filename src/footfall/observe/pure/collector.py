"""Keeping the garbage collector out of the thread that samples: there it would run finalizers of the program.

A collection begins where an object is made that the collector counts, once there are more of those than its threshold.
So our thread makes such objects while the collector is off, and does not give up the GIL then, as the program would
notice. Calls of the system do give it up. What they make before that, such as arguments for an audit hook, fits into
the room in the count that `make_room` makes: when the GIL was just got, the count is not above the threshold.
"""

import gc

from footfall.own_builtins import keep_builtins

keep_builtins(globals())

__all__ = ["has_room", "make_room", "pause", "resume", "sampling_threads", "save_room"]

sampling_threads: "set[int]" = set()
"""The identities of our threads. Events of what they run must not make objects either: they are not recorded."""

_N_SPARE = 32
_N_IN_ROOM = 4
_spare: "list[set[int]]" = []
_is_enabled, _disable, _enable = gc.isenabled, gc.disable, gc.enable


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


def has_room() -> bool:
    """Return whether something is prepared for `make_room`."""
    return len(_spare) >= _N_IN_ROOM


def make_room() -> None:
    """Lower the collector's count by some objects, if prepared, for a call that follows immediately."""
    left = _N_IN_ROOM  # no call here makes an object
    while left and _spare:
        _spare.pop()
        left -= 1
