"""The end of a process with plugins that act through coverage.py's objects: what they add is saved to a data file.

The run directory has these files; session/plugin_data.py takes them over into the run's results.
"""

import atexit
import os
import sys

from footfall.files import at_fork
from footfall.model import UNCOVERED_CONTEXT
from footfall.observe import contexts
from footfall.own_builtins import keep_builtins

keep_builtins(globals())

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = ["save_at_end"]


def save_at_end(save: "Callable[[], None]", on_failure: "Callable[[BaseException], None]") -> None:
    """Call `save` when this process, or a child that is forked from it, ends; `on_failure` with what it raises.

    What runs for it is not measured, as coverage.py has stopped when it saves.
    """
    saved_in: set[int] = set()

    def end() -> None:
        if os.getpid() in saved_in:
            return
        saved_in.add(os.getpid())
        label = contexts.label()
        contexts.switch(UNCOVERED_CONTEXT)
        try:
            save()
        except (Exception, SystemExit) as error:  # a plugin's may be any
            on_failure(error)
        contexts.switch(label)

    def follow_into_child() -> None:
        # children of multiprocessing leave by os._exit, after its own functions for the end
        util: Any = sys.modules.get("multiprocessing.util")
        if util is not None:
            util.register_after_fork(end, lambda function: util.Finalize(None, function, exitpriority=-100))

    atexit.register(end)
    at_fork(after_in_child=follow_into_child)
