"""The analyses of many source files at once: from the cache, or made here and cached for the next report.

`gather` calls it once for each report, so that all formats share one analysis and one way to make it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from footfall.analyze.source.analysis import SourceAnalysis, analyze_source, decode_source
from footfall.analyze.source.exclude import ExclusionRules
from footfall.errors import FootfallError
from footfall.load.analysis_cache import key_maker, keys_by_path, open_cache
from footfall.load.analysis_codec import FORMAT, CodecError, analysis_from_bytes, bytes_from_analysis
from footfall.load.parallel import analyze_in_parallel, count_workers

__all__ = ["analyze_sources"]


def analyze_sources(
    sources: Mapping[str, bytes], rules: ExclusionRules, data_file: str | Path
) -> dict[str, SourceAnalysis | FootfallError]:
    """Return each file's analysis, or the error that says why it has none; keys are the paths of `sources`."""
    if not sources:  # as after most runs of what ran before: then the cache need not be opened
        return {}
    base = key_maker("lines", FORMAT, rules)
    keys = keys_by_path(base, sources)
    cache = open_cache(data_file)
    results: dict[str, SourceAnalysis | FootfallError] = {}
    try:
        kept = {} if cache is None else cache.get(keys.values())
        for path, digest in keys.items():
            if digest in kept and (analysis := _unpack(kept[digest], path)) is not None:
                results[path] = analysis
        made = _make({path: source for path, source in sources.items() if path not in results}, rules, results)
        if cache is not None:
            cache.put({keys[path]: packed for path, packed in made.items()})
    finally:
        if cache is not None:
            cache.close()
    return results


def _unpack(packed: bytes, path: str) -> SourceAnalysis | None:
    try:
        return analysis_from_bytes(packed, path)
    except CodecError:
        return None


def _make(
    sources: Mapping[str, bytes], rules: ExclusionRules, results: dict[str, SourceAnalysis | FootfallError]
) -> dict[str, bytes]:
    """Analyse `sources` into `results`; return the analyses without errors, packed."""
    n_workers = count_workers([len(source) for source in sources.values()])
    packed = analyze_in_parallel(sources, rules, n_workers) if n_workers > 1 else {}
    for path, source in sources.items():
        analysis = _unpack(packed[path], path) if path in packed else None
        if analysis is None:
            try:
                analysis = analyze_source(decode_source(source), path, rules)
            except FootfallError as error:
                results[path] = error
                continue
            packed[path] = bytes_from_analysis(analysis)
        results[path] = analysis
    return packed
