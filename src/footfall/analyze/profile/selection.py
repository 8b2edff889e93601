"""Which part of a profile is requested. `part.py` finds it, which commands without a profile need not load.

Patterns are searched in `NAME (FILE)`, or in the name alone if there is no file.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["Selection"]


@dataclass(frozen=True, slots=True)
class Selection:
    """The selection; None and False select everything.

    `focus`: only stacks in which some frame matches. `ignore`: not those in which one matches. `root`: stacks begin at
    their outermost frame that matches, and those without one are left out. `merge`: a function that is called again
    below itself, directly or through others, appears once; its cost stays with its innermost line.
    """

    focus: re.Pattern[str] | None = None
    ignore: re.Pattern[str] | None = None
    root: re.Pattern[str] | None = None
    merge: bool = False

    @property
    def is_whole(self) -> bool:
        return self.focus is None and self.ignore is None and self.root is None and not self.merge
