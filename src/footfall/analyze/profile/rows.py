"""A profile to rows of the data file, and back. `record/data/profile_tables.py` writes and reads the rows."""

from __future__ import annotations

from itertools import repeat

from footfall.analyze.profile.calltree import Cost, Frame, Function, Profile, ProfiledThread, Squares
from footfall.record.data.profile_tables import StoredCost, StoredFrame, StoredProfile, StoredThread

__all__ = ["profile_from_rows", "rows_from_profile"]


def rows_from_profile(profile: Profile) -> StoredProfile:
    """Return the profile as rows to write."""
    return StoredProfile(
        n_processes=profile.n_processes,
        n_samples=profile.n_samples,
        n_dropped=profile.n_dropped,
        n_late=profile.n_late,
        interval_ns=profile.interval_ns,
        threads=[
            StoredThread(thread.pid, thread.native_id, thread.name, squares.wall, squares.cpu, squares.gil)
            for thread, squares in zip(profile.threads, profile.squares or repeat(Squares()), strict=False)
        ],
        frames=[
            StoredFrame(
                _storable(frame.function.path),
                _storable(frame.function.qualname),
                frame.function.first_line,
                frame.line,
                frame.end_line,
                frame.column,
                frame.end_column,
            )
            for frame in profile.frames
        ],
        nodes=[*profile.nodes],
        costs=[
            StoredCost(*key, cost.samples, cost.wall_ns, cost.cpu_ns, cost.gil_ns, cost.gil_wait_ns, cost.gil_untold_ns)
            for key, cost in profile.costs.items()
        ],
        timelines=profile.timelines,
        native_calls=profile.native_calls,
    )


def _storable(text: str) -> str:
    """Return a text that SQLite accepts: undecodable bytes in a file name become question marks."""
    return text.encode("utf-8", "replace").decode("utf-8")


def profile_from_rows(stored: StoredProfile) -> Profile:
    """Return the profile that these rows represent."""
    functions: dict[tuple[str, str, int], Function] = {}
    frames = []
    for path, qualname, first_line, line, end_line, column, end_column in stored.frames:
        key = (path, qualname, first_line)
        function = functions.get(key)
        if function is None:
            function = functions[key] = Function(*key)
        frames.append(Frame(function, line, end_line, column, end_column))
    return Profile(
        frames=frames,
        nodes=[*stored.nodes],
        threads=[ProfiledThread(*thread[:3]) for thread in stored.threads],
        costs={
            (node, thread, context): Cost(wall_ns, cpu_ns, gil_ns, samples, gil_wait_ns, gil_untold_ns)
            for node, thread, context, samples, wall_ns, cpu_ns, gil_ns, gil_wait_ns, gil_untold_ns in stored.costs
        },
        n_processes=stored.n_processes,
        n_samples=stored.n_samples,
        n_dropped=stored.n_dropped,
        n_late=stored.n_late,
        interval_ns=stored.interval_ns,
        timelines=stored.timelines,
        squares=[Squares(*thread[3:]) for thread in stored.threads],
        native_calls=stored.native_calls,
    )
