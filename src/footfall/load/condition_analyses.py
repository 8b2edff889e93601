"""The conditions of many source files at once: from the cache, or found here and cached for the next report.

They are separate from the analyses of lines, which all reports need and which depend on settings. Called by the reports
of conditions.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from footfall.analyze.conditions.analysis import Conditions, find_conditions
from footfall.analyze.source.analysis import decode_source
from footfall.load.analysis_cache import key_maker, keys_by_path, open_cache
from footfall.load.analysis_codec import CodecError
from footfall.load.conditions_codec import FORMAT, bytes_from_conditions, conditions_from_bytes

__all__ = ["find_all_conditions"]


def find_all_conditions(sources: Mapping[str, bytes], data_file: str | Path) -> dict[str, Conditions]:
    """Return each file's conditions; keys are the paths of `sources`, all of which are Python."""
    keys = keys_by_path(key_maker("conditions", FORMAT), sources)
    cache = open_cache(data_file)
    found: dict[str, Conditions] = {}
    made: dict[bytes, bytes] = {}
    try:
        kept = {} if cache is None else cache.get(keys.values())
        for path, key in keys.items():
            conditions = _unpack(kept[key]) if key in kept else None
            if conditions is None:
                conditions = find_conditions(decode_source(sources[path]))
                made[key] = bytes_from_conditions(conditions)
            found[path] = conditions
        if cache is not None:
            cache.put(made)
    finally:
        if cache is not None:
            cache.close()
    return found


def _unpack(packed: bytes) -> Conditions | None:
    try:
        return conditions_from_bytes(packed)
    except CodecError:
        return None
