"""What captures need from probes on CPython, in C. On PyPy: observe/pypy/captures.py, with the same names."""

from footfall import _core
from footfall.own_builtins import keep_builtins

keep_builtins(globals())

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType

__all__ = [
    "arm",
    "begin",
    "end",
    "exchange",
    "forget",
    "modules",
    "probes_of",
    "recode",
    "want",
    "with_captures",
]

begin = _core.captures_begin
end = _core.captures_end
forget = _core.captures_forget
modules = _core.captures_modules
probes_of = _core.captures_events
recode = _core.probes_recode
want = _core.captures_want


def arm(code: "CodeType") -> "CodeType":
    """Return the code with probes that captures see."""
    _core.captures_arm(code)
    return code


def exchange(code: "CodeType", inner: "CodeType", with_probes: "CodeType") -> bool:
    """Make running code create functions with other code from now on. Return False if that is not possible."""
    _core.probes_exchange(code, inner, with_probes)
    return True


def with_captures(code: "CodeType") -> "CodeType | None":
    """Return None: captures see probes that record as they are."""
    return None
