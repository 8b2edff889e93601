"""The part of a profile that a request is about: one test's time, one thread's, stacks that run code of one file."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from footfall.analyze.profile.calltree import Profile
from footfall.analyze.profile.part import select, select_costs
from footfall.analyze.profile.selection import Selection
from footfall.analyze.test_costs import name_of_test
from footfall.config.configuration import canonical_path, shown_path
from footfall.errors import FootfallError
from footfall.service.parameters import Parameters
from footfall.service.unmeasured import no_file

__all__ = ["WHOLE", "ProfilePart", "requested_part"]


class ProfilePart(NamedTuple):
    """None selects all. `thread` is a number of `profile/threads`, `path` absolute."""

    test: str | None = None
    thread: int | None = None
    path: str | None = None

    def of(self, profile: Profile) -> Profile:
        """Return this part of the profile. Raises FootfallError (`nothing-selected`, `file-not-measured`)."""
        test, thread = self.test, self.thread
        found = profile
        if test is not None or thread is not None:
            is_of_test = {label: test is None or name_of_test(label) == test for _, _, label in profile.costs}
            found = select_costs(
                found, lambda number, label: thread in (None, number) and is_of_test.get(label, test is None)
            )
        if self.path is not None:
            names = {frame.function.path for frame in profile.frames}
            here = [re.escape(name) for name in names if canonical_path(name) == self.path]
            if not here and (error := no_file(self.path)):
                raise error  # a profile of another machine may have files that are not here
            found = select(found, Selection(focus=re.compile(rf" \((?:{'|'.join(here)})\)\Z" if here else r"(?!)")))
        if found is not profile and not found.costs:
            raise FootfallError(
                "nothing-selected",
                f"The profile has no time of {self._words()}.",
                "It may be too short for a sample. `footfall query by test` (or thread) shows what has time.",
            )
        return found

    def _words(self) -> str:
        words = [] if self.test is None else [f"the test {self.test}" if self.test else "code outside tests"]
        words += [] if self.thread is None else [f"thread {self.thread}"]
        words += [] if self.path is None else [f"stacks with {shown_path(self.path)}"]
        return ", ".join(words)


WHOLE: Final = ProfilePart()


def requested_part(parameters: Parameters, path: str | None = None) -> ProfilePart:
    """Return the part that `test` and `thread` name, with the `path` that the caller has checked. Raises RpcError."""
    return ProfilePart(parameters.optional_text("test"), parameters.optional_number("thread"), path)
