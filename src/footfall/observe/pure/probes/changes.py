"""Programs that change the constants of code with probes, without the C core: recognized before such code runs.

The numbers of probes are integers, since only those are quick to store by. Arithmetic leaves them as they are, so a
program that changes all integers of a function by it changes only its own. What else a program puts in their place is
reported, for it may be taken for another probe's number.
"""

from footfall.observe.messages import report
from footfall.observe.pure.probes.bytecode import Opcodes, runs_of_constants
from footfall.own_builtins import keep_builtins

keep_builtins(globals())

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType

__all__ = ["Changes", "Number"]

_CODE = type((lambda: 0).__code__)
_MAX_FRESH = 1000


class Number(int):
    """The number of a probe in armed code: no constant of the program has its type. It can't be marshalled."""

    __slots__ = ()

    def __reduce__(self) -> "tuple[type, tuple[int]]":
        return int, (int(self),)

    def _keep(self, *others: object) -> "Number":
        return self

    __add__ = __sub__ = __mul__ = __floordiv__ = __truediv__ = __mod__ = __divmod__ = __pow__ = _keep  # type: ignore[assignment]
    __radd__ = __rsub__ = __rmul__ = __rfloordiv__ = __rtruediv__ = __rmod__ = __rdivmod__ = __rpow__ = _keep  # type: ignore[assignment]
    __and__ = __or__ = __xor__ = __lshift__ = __rshift__ = _keep
    __rand__ = __ror__ = __rxor__ = __rlshift__ = __rrshift__ = _keep
    __neg__ = __pos__ = __abs__ = __invert__ = _keep


class Changes:
    """Looks at code that may be a changed copy of armed code, and reports each file once."""

    current: "Changes | None" = None
    """The one of this process, once code with probes may be made."""

    def __init__(self, recording_types: "tuple[type, ...]") -> None:
        """`recording_types` are those of the constants that stand before the number of a probe."""
        self._recording_types = recording_types
        self._fresh: dict[int, CodeType] = {}
        self._reported: set[str] = set()
        self._opcodes: Opcodes | None = None

    def expect(self, code: "CodeType") -> None:
        """Take note of code that was armed and has not run: that need not be looked at."""
        if len(self._fresh) >= _MAX_FRESH:
            self._fresh.clear()  # a program may compile without end what it does not run
        self._fresh[id(code)] = code

    def look_at(self, code: "CodeType") -> None:
        """Report if this code, which may be about to run, has probes that are not as they were made."""
        if (
            self._fresh.pop(id(code), None) is None
            and code.co_filename not in self._reported
            and self._is_changed(code)
        ):
            self._reported.add(code.co_filename)
            report(
                "probes-changed",
                code.co_filename + ": the program changed constants of its code, probes among them: lines may be "
                "reported as missing, or as run that did not.",
            )

    def _is_changed(self, code: "CodeType") -> bool:
        constants = code.co_consts
        if any(type(constant) is _CODE and self._is_changed(constant) for constant in constants):
            return True
        if not any(type(constant) in self._recording_types for constant in constants):
            return False
        if self._opcodes is None:
            self._opcodes = Opcodes()
        for loads, follows, _ in runs_of_constants(code.co_code, self._opcodes):
            values = [constants[number] for _, number in loads]
            for at, value in enumerate(values):
                if type(value) not in self._recording_types:
                    continue
                others = [*values[at + 1 : at + 2], *(values[at - 1 : at] if follows == self._opcodes.store else ())]
                if not all(map(_is_number, others)):
                    return True
        return False


def _is_number(constant: object) -> bool:
    """Return whether a constant is a probe's number as it was made, or that with two lines."""
    return type(constant) is Number or (type(constant) is tuple and constant != () and type(constant[0]) is Number)
