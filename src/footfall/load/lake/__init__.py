"""Questions about all data of a lake: as SQL, and asked with DuckDB."""
