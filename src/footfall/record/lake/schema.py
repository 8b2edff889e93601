"""The tables of a lake: names, columns, and where each comes from in the data file. docs/lake.md describes them.

Plain tables are a table of the data file, column by column. The others are made by shard_rows.py, and `statements` and
`source_branches`, which need the sources, by load/source_rows.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from footfall.record.data.coverage_tables import INFERRED_TABLE, LINES_ONLY_TABLE
from footfall.record.data.profile_tables import SUM_TABLE

__all__ = ["FORMAT", "HELD_TABLES", "PLAIN_TABLES", "SOURCE_TABLES", "TABLES", "PlainTable"]

FORMAT: Final = 1
"""Changes when a reader of the former one would misunderstand a table; columns may be added without."""

Columns = dict[str, str]
"""Type by name: string, int32, int64, double, bool, binary, or list<...> of one of them."""


@dataclass(frozen=True, slots=True)
class PlainTable:
    """A table of the lake that has the rows of one of footfall's tables in the data file, under the same names.

    With `is_of_files` the lake's own name of the file of `path` comes before them.
    """

    source: str
    columns: Columns
    is_of_files: bool = False

    @property
    def stored(self) -> Columns:
        """The columns that it has in the lake."""
        return {"file": "string", **self.columns} if self.is_of_files else self.columns


def _integers(names: str) -> Columns:
    return dict.fromkeys(names.split(), "int64")


_TOTALS: Final = _integers("processes samples dropped late interval_ns")

PLAIN_TABLES: Final = {
    "profile": PlainTable("footfall_profile", {"format": "int64", **_TOTALS}),
    "runs": PlainTable("footfall_run", {"identity": "string", **_integers("first_thread n_threads"), **_TOTALS}),
    "threads": PlainTable(
        "footfall_thread",
        {
            **_integers("id pid native_id"),
            "name": "string",
            **dict.fromkeys(("wall_squares", "cpu_squares", "gil_squares"), "double"),
        },
    ),
    "frames": PlainTable(
        "footfall_frame",
        {
            "id": "int64",
            **dict.fromkeys(("path", "qualname"), "string"),
            **_integers("first_line line end_line start_column end_column"),
        },
        is_of_files=True,
    ),
    "native_calls": PlainTable("footfall_native_call", {"frame_id": "int64"}),
    "stacks": PlainTable("footfall_node", _integers("id parent_id frame_id")),
    "samples": PlainTable(
        "footfall_cost",
        {
            **_integers("node_id thread_id"),
            "context": "string",
            **_integers("samples wall_ns cpu_ns gil_ns gil_wait_ns gil_untold_ns"),
        },
    ),
    "timeline_contexts": PlainTable("footfall_timeline_context", {"id": "int64", "context": "string"}),
    "test_times": PlainTable(
        "footfall_test_time", {"run": "string", "context": "string", **_integers("n wall_ns cpu_ns")}
    ),
    "condition_formats": PlainTable("footfall_conditions_format", {"format": "int64"}),
    "conditions": PlainTable("footfall_conditions", {"code_id": "int64", "context": "string", "outcomes": "binary"}),
    "messages": PlainTable("footfall_message", {"slug": "string", "text": "string"}),
}

SOURCE_TABLES: Final[dict[str, Columns]] = {
    "statements": {
        "file": "string",
        "line": "int32",
        "lines": "list<int32>",
        "function": "string",
        "function_line": "int32",
        "is_executed": "bool",
        "is_excluded": "bool",
        "n_branches": "int32",
    },
    "source_branches": {"file": "string", "line": "int32", "to_line": "int32", "is_executed": "bool"},
}

TABLES: Final[dict[str, Columns]] = {
    "files": {
        "file": "string",
        "path": "string",
        "is_measured": "bool",
        "tracer": "string",
        "blob": "string",
        "inferred": "binary",
        "is_lines_only": "bool",
        "is_analyzed": "bool",
    },
    "tests": {"context": "string", "test": "string", "phase": "string"},
    "lines_by_test": {
        "file": "string",
        "path": "string",
        "test": "string",
        "context": "string",
        "lines": "binary",
        "is_of_branches": "bool",
    },
    "branches": {
        "file": "string",
        "path": "string",
        "context": "string",
        "from_lines": "list<int32>",
        "to_lines": "list<int32>",
    },
    "condition_code": {
        "id": "int64",
        "path": "string",
        "qualname": "string",
        "first_line": "int64",
        "places": "list<int64>",
    },
    "timelines": {
        **_integers("thread_id start_ns step_ns"),
        **dict.fromkeys(("nodes", "contexts", "samples", "wall_ns", "cpu_ns", "gil_ns"), "list<int64>"),
    },
    **{name: table.stored for name, table in PLAIN_TABLES.items()},
    **SOURCE_TABLES,
    "shard": {
        "format": "int32",
        "footfall": "string",
        "repository": "string",
        "commit": "string",
        "shard": "string",
        "added_ns": "int64",
        "keys": "list<string>",
        "values": "list<string>",
        "tables": "list<string>",
        "has_branches": "bool",
    },
}
"""In the order in which they are written: `shard` is the last."""

HELD_TABLES: Final = {table.source for table in PLAIN_TABLES.values()} | {
    INFERRED_TABLE,
    LINES_ONLY_TABLE,
    SUM_TABLE,
    "footfall_conditions_code",
    "footfall_distinct_arcs",  # made again from the arcs
    "footfall_source",
    "footfall_timeline",
}
"""The tables of footfall in a data file that a shard has all of."""
