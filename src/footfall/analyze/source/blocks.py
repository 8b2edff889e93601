"""The blocks that a jumping statement looks through to find where it goes. Used by `arcs` only."""

__all__ = ["Block", "Exit", "FunctionBlock", "LoopBlock", "TryBlock"]

Exit = tuple[int, str]
"""An exit of a statement: the line it leaves from, and why it would not have been taken (or "")."""


class LoopBlock:
    """A loop: `continue` goes to `start`, and the `break`s inside are collected in `breaks`."""

    __slots__ = ("breaks", "start")

    def __init__(self, start: int) -> None:
        self.start = start
        self.breaks: list[Exit] = []


class FunctionBlock:
    """A function: what leaves it goes to -`start`."""

    __slots__ = ("name", "start")

    def __init__(self, start: int, name: str) -> None:
        self.start = start
        self.name = name


class TryBlock:
    """A `try`: a `raise` inside goes to the first handler, or to no known line if that is None."""

    __slots__ = ("handler_line",)

    def __init__(self, handler_line: int | None) -> None:
        self.handler_line = handler_line


Block = LoopBlock | FunctionBlock | TryBlock
