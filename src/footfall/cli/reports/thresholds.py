"""Thresholds of files and directories, and the ratchet: which ones a report misses, and the ratchet's file."""

from __future__ import annotations

import json
import os

from footfall.analyze.thresholds import (
    Ratchet,
    Threshold,
    fallen_below,
    missed_thresholds,
    parse_threshold,
    raised,
)
from footfall.config.configuration import Config, canonical_path, make_patterns_absolute
from footfall.errors import FootfallError
from footfall.load.gather import Coverage
from footfall.report.jsontext import render_json

__all__ = ["keep_ratchet", "missed"]

_FORMAT = 1
_HOW = "`footfall report --ratchet FILE --update-ratchet` writes it anew."


def missed(config: Config, coverage: Coverage) -> list[str]:
    """Return a sentence for each threshold of a file, a directory or the ratchet that the report misses.

    Raises FootfallError: `bad-fail-under`, `bad-glob`, `bad-ratchet`.
    """
    thresholds = [parse_threshold(text) for text in config.fail_under_files]
    numbers = {canonical_path(each.path): (each.name, each.numbers) for each in coverage.numbers}
    needs_match = not coverage.is_chosen and not config.report_include
    found = missed_thresholds(
        [(each, _patterns(each)) for each in thresholds], numbers, config.precision, needs_match=needs_match
    )
    if config.ratchet and os.path.exists(config.ratchet):
        ratchet = _read(config.ratchet)
        if not needs_match:
            ratchet = ratchet._replace(total=0.0)
        found += fallen_below(ratchet, coverage.total, {each.name: each.numbers for each in coverage.numbers})
    elif config.ratchet:
        text = f"There is no file {config.ratchet!r} with the coverage that was reached."
        raise FootfallError(
            "bad-ratchet", text, f"Make it: footfall report --ratchet {config.ratchet} --update-ratchet"
        )
    return found


def _patterns(threshold: Threshold) -> list[str]:
    return make_patterns_absolute([threshold.pattern.rstrip("/")])


def keep_ratchet(config: Config, coverage: Coverage) -> None:
    """Write the coverage reached, never lower than before. Raises FootfallError (`bad-ratchet`)."""
    ratchet = _read(config.ratchet) if os.path.exists(config.ratchet) else None
    reached = raised(ratchet, coverage.total, {each.name: each.numbers for each in coverage.numbers})
    text = render_json({"format": _FORMAT, "total": reached.total, "files": dict(reached.files)}, indent=4)
    beside = f"{config.ratchet}.{os.getpid()}.new"
    try:
        with open(beside, "w", encoding="utf-8") as file:
            file.write(text + "\n")
        os.replace(beside, config.ratchet)
    except OSError as error:
        raise _bad(config.ratchet, f"can't be written: {error.strerror or error}", "Choose another place.") from error


def _read(path: str) -> Ratchet:
    try:
        with open(path, encoding="utf-8") as file:
            content = json.load(file)
        if content["format"] != _FORMAT:
            raise ValueError(f"its format is {content['format']!r}")
        files = {str(name): float(percent) for name, percent in content["files"].items()}
        ratchet = Ratchet(float(content["total"]), files)
        if not all(0 <= percent <= 100 for percent in (ratchet.total, *files.values())):
            raise ValueError("it has a percentage that is none")
        return ratchet
    except OSError as error:
        raise _bad(path, f"can't be read: {error.strerror or error}", _HOW) from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _bad(path, f"is no ratchet ({error!r:.80})", f"Remove it; {_HOW}") from error


def _bad(path: str, what: str, help: str) -> FootfallError:
    return FootfallError("bad-ratchet", f"The file {path!r} {what}.", help)
