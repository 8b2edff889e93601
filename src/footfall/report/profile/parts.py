"""A profile as messages that a server accepts: divided until each keeps the server's limits. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from footfall.analyze.profile.calltree import Profile
from footfall.analyze.profile.split import part_of_profile, split_profile

__all__ = ["render_parts"]


def render_parts(
    profile: Profile, render: Callable[[Profile, int], bytes], max_samples: int, max_bytes: int
) -> Iterator[bytes]:
    """Yield the message of each part, which `render` makes, given how many there are before it.

    A part of one cost is not divided, whatever its size.
    """
    todo = list(split_profile(profile, max_samples))[::-1]
    n_done = 0
    while todo:
        part = todo.pop()
        content = render(part, n_done)
        if len(content) > max_bytes and len(part.costs) > 1:
            keys = list(part.costs)
            half = len(keys) // 2
            todo += [part_of_profile(part, keys[half:]), part_of_profile(part, keys[:half])]
            continue
        n_done += 1
        yield content
