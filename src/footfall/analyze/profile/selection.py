"""Which part of a profile somebody asks for. `part.py` finds it, which commands without a profile need not load.

Patterns are searched in `NAME (FILE)`, or in the name of what has no file.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["Selection"]


@dataclass(frozen=True, slots=True)
class Selection:
    """What is chosen; None and False choose everything.

    `focus`: stacks in which some frame matches. `ignore`: not those in which one matches. `root`: stacks begin at their
    outermost frame that matches, and those without one are left out. `merge`: a function that is called again below
    itself, directly or by others, stands there once; what it took stays that of its innermost line.
    """

    focus: re.Pattern[str] | None = None
    ignore: re.Pattern[str] | None = None
    root: re.Pattern[str] | None = None
    merge: bool = False

    @property
    def is_whole(self) -> bool:
        return self.focus is None and self.ignore is None and self.root is None and not self.merge
