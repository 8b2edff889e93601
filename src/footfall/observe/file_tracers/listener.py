"""Frames of traced files on `sys.settrace`, as the engine of that name tells of them."""

from footfall.observe.file_tracers.files import TracedFile
from footfall.observe.file_tracers.frames import TracedFrames
from footfall.observe.module_names import find_running_namespace
from footfall.own_builtins import keep_builtins

keep_builtins(globals())

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

__all__ = ["Listener", "deciding"]

# native/engines/settrace/settrace.c
_BEGINS, _GOES_ON, _AT_LINE, _ENDS = 0, 1, 2, 3


class Listener:
    """What is called for each event in a frame of a traced file."""

    def __init__(self, frames: TracedFrames, traced: TracedFile) -> None:
        self._frames = frames
        self._traced = traced

    def __call__(self, frame: "FrameType", event: int) -> None:
        """`event` is one of the numbers above, or 4: the frame yields."""
        if event == _AT_LINE:
            self._frames.line(frame)
        elif event == _BEGINS:
            self._frames.begin(frame, self._traced, -frame.f_code.co_firstlineno)
        elif event == _GOES_ON:
            self._frames.begin(frame, self._traced, frame.f_lineno)
        else:
            self._frames.end(frame, is_left=event == _ENDS)


def deciding(decide: "Callable[[str], str | None]", frames: TracedFrames) -> "Callable[[str], str | Listener | None]":
    """Return `decide`, with a listener for the files that a plugin measures."""

    def decide_or_listen(filename: str) -> "str | Listener | None":
        traced = frames.files.find(filename, find_running_namespace(filename))
        return decide(filename) if traced is None else Listener(frames, traced)

    return decide_or_listen
