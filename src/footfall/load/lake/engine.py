"""DuckDB over the files of a lake. It reads only what a question needs, and writes what is too large to a temporary
directory. The only user of duckdb.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from typing import Any

from footfall.errors import FootfallError
from footfall.record.lake.remote import filesystem, is_url

__all__ = ["ask"]

_ROWS_AT_ONCE = 10_000


def ask(sql: str, lake: str) -> Iterator[tuple[Any, ...]]:
    """Run SQL about a lake, and yield the rows of its last statement.

    Raises FootfallError: `lake-extra` without DuckDB, or fsspec for a URL, `lake-damaged` for files that it can't read.
    """
    try:
        import duckdb
    except ImportError as error:
        raise FootfallError(
            "lake-extra", f"Questions need DuckDB ({error}).", "Install it: pip install 'footfall[lake]'"
        ) from error
    with tempfile.TemporaryDirectory(prefix="footfall-lake-") as folder:
        settings = {
            "temp_directory": folder,
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
        }
        with contextlib.closing(duckdb.connect(config=settings)) as connection:
            if is_url(lake):
                connection.register_filesystem(filesystem(lake)[0])
            try:
                cursor = connection.execute(sql)
                while rows := cursor.fetchmany(_ROWS_AT_ONCE):
                    yield from rows
            except duckdb.Error as error:
                text = str(error).strip().partition("\n")[0]
                raise FootfallError(
                    "lake-damaged", f"The lake can't be read: {text}.", "Add the data again."
                ) from error
