"""The probes engine's hooks into CPython, which are in C: arming, `compile`, the main script."""

import builtins
import marshal
import sys

from footfall import _core
from footfall.files import is_file
from footfall.own_builtins import keep_builtins

keep_builtins(globals())

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType

    from footfall.observe.engines.probes import Arm, Probes, Where
    from footfall.settings import Settings

__all__ = ["arm_function", "call_with_room", "hook_compile", "hook_main", "look_alike", "unseen"]

call_with_room = _core.call_with_room
look_alike = _core.children_wrap
unseen = _core.unseen


def arm_function(settings: "Settings") -> "Arm":
    """Return the function that makes the probes in code record, in place."""

    def arm(code: "CodeType", where: "Where") -> "CodeType":
        _core.probes_arm(code, where)
        return code

    return arm


def hook_compile(probes: "Probes") -> None:
    """Wrap `compile`, the functions that run code, and those that load copies of it."""
    builtins.compile, builtins.exec, builtins.eval = _core.probes_wrap(
        builtins.compile,
        probes.code_for_source,
        builtins.exec,
        builtins.eval,
        probes.arm_before_run,
        probes.code_in_place_of,
    )
    marshal.loads, marshal.load = _core.probes_wrap_loads(marshal.loads, marshal.load, probes.numbering, probes.decide)


def hook_main(probes: "Probes") -> None:
    """Replace the main script's code when the interpreter is about to run it.

    Modules, directories and zip files go through the import system.
    """
    script = sys.argv[0] if sys.argv else ""
    if script not in ("", "-", "-c", "-m") and is_file(script):
        _core.probes_hook_main(probes.code_for_main)
