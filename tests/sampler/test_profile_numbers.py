"""Numbers in a data file that no profile has: told when it is read, whatever the report."""

import math
import pathlib
import sqlite3
from contextlib import closing

import pytest

from footfall.errors import FootfallError
from footfall.record.data.coverage_tables import write_coverage
from footfall.record.data.profile_tables import (
    StoredCost,
    StoredFrame,
    StoredProfile,
    StoredThread,
    read_profile,
    write_profile,
)
from footfall.record.data.timelines import TreeNode

pytestmark = pytest.mark.any_python

PROFILE = StoredProfile(
    n_processes=1,
    n_samples=1,
    n_dropped=0,
    n_late=0,
    interval_ns=1_000_000,
    threads=[StoredThread(1, 1, "main", 1.0, 1.0, 1.0)],
    frames=[StoredFrame("/a.py", "f", 1, 2, None, None, None)],
    nodes=[TreeNode(-1, -1), TreeNode(0, 0)],
    costs=[StoredCost(1, 0, "", 1, 1_000_000, 1_000_000, 0)],
)
COLUMNS = [
    *(("footfall_profile", name) for name in ("processes", "samples", "dropped", "late", "interval_ns")),
    *(("footfall_thread", name) for name in ("pid", "native_id", "wall_squares", "cpu_squares", "gil_squares")),
    *(("footfall_frame", name) for name in ("first_line", "line", "end_line", "start_column", "end_column")),
    *(("footfall_cost", name) for name in ("samples", "wall_ns", "cpu_ns", "gil_ns", "gil_wait_ns", "gil_untold_ns")),
]


@pytest.mark.parametrize(("table", "column"), COLUMNS)
def test_numbers_that_cannot_be(table: str, column: str, tmp_path: pathlib.Path) -> None:
    """Infinite, negative, and more than any clock counts; NULL where something is always known."""
    path = tmp_path / ".coverage"
    with write_coverage(path, {}, has_arcs=True) as connection:
        write_profile(connection, PROFILE, "run")
    assert read_profile(path) is not None
    values: list[object] = [math.inf, -math.inf, -7, "text", b"bytes"]
    values += [] if column.endswith("_squares") else [1 << 62, 1.5]
    values += [] if column in ("end_line", "start_column", "end_column") else [None]
    for value in values:
        with closing(sqlite3.connect(path)) as connection, connection:
            before = connection.execute(f"select {column} from {table}").fetchone()
            connection.execute(f"update {table} set {column} = ?", (value,))
        with pytest.raises(FootfallError) as caught:
            read_profile(path)
        assert caught.value.slug == "data-corrupt", value
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute(f"update {table} set {column} = ?", before)
