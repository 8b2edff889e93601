"""Write each line event that the interpreter sends for some files, of this process and its children, to a file.

    LINE_EVENTS_TO=FILE LINE_EVENTS_BELOW=DIRECTORY PYTHONPATH=bench/line_events COMMAND

A line of the file is FILE, the line before in that frame and the line, with tabs between; the frame's beginning and end
are its first line, negative. Each is written as it happens first, so that a process which is killed has told what it
ran. The file of a line is that of the frame which the event is for: nothing is kept of who called whom.
"""

import os
import sys
import threading

_WRITE = os.write  # tests replace it
_FIRST_DESCRIPTOR = 700  # out of the way of tests that count on low ones


def _begin(to: str, below: str) -> None:
    opened = os.open(to, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    try:
        os.dup2(opened, _FIRST_DESCRIPTOR, inheritable=False)
        os.close(opened)
        opened = _FIRST_DESCRIPTOR
    except OSError:
        pass
    tracers: dict[str, object] = {}

    def of_file(name: str) -> object:
        seen: set[tuple[int, int]] = set()

        def of_frame(first: int) -> object:
            last = -first

            def local(frame, event, arg):  # type: ignore[no-untyped-def]  # noqa: ARG001
                nonlocal last
                if event not in ("line", "return"):
                    return local
                now = frame.f_lineno if event == "line" else -first
                if (last, now) not in seen:
                    seen.add((last, now))
                    _WRITE(opened, f"{name}\t{last}\t{now}\n".encode("utf-8", "replace"))
                last = now
                return local

            return local

        return of_frame

    def trace(frame, event, arg):  # type: ignore[no-untyped-def]  # noqa: ARG001
        name = frame.f_code.co_filename
        if name not in tracers:
            tracers[name] = of_file(name) if name.startswith(below) else None
        of_frame = tracers[name]
        return of_frame and of_frame(frame.f_code.co_firstlineno)  # type: ignore[operator]

    threading.settrace(trace)
    sys.settrace(trace)


if "LINE_EVENTS_TO" in os.environ:
    _begin(os.environ["LINE_EVENTS_TO"], os.environ["LINE_EVENTS_BELOW"])
