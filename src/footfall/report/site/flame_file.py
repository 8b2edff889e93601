"""A flame graph as one file: the page with the viewer's script and style inside. For `footfall flame`."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from importlib import resources
from typing import Any

from footfall._version import VERSION
from footfall.analyze.profile.calltree import Profile
from footfall.analyze.profile.clocks import Clock, has_cpu_time_alone
from footfall.report.places import is_library, short_path
from footfall.report.site.flame_page import flame_items, flame_payload
from footfall.report.site.shell import single_page_parts

__all__ = ["flame_file_parts", "flame_file_payload", "render_flame_file"]


def render_flame_file(
    profile: Profile,
    *,
    title: str,
    before: Profile | None = None,
    clock: Clock | None = None,
    pages: Mapping[str, str] | None = None,
) -> str:
    """Return the page; `before` is a profile to compare with, `clock` the one shown first.

    `pages` are what a file's name leads to, by its path; without them, the page has no links.
    """
    return "".join(flame_file_parts(profile, title=title, before=before, clock=clock, pages=pages))


def flame_file_parts(
    profile: Profile,
    *,
    title: str,
    before: Profile | None = None,
    clock: Clock | None = None,
    pages: Mapping[str, str] | None = None,
) -> Iterator[str]:
    """Yield the page of `render_flame_file`, which may have 100 MB, in parts."""

    def items() -> Iterator[tuple[str, Any]]:
        yield from flame_items(
            profile,
            shown=short_path,
            pages=pages or {},
            coverage_of=lambda _: None,
            is_library=is_library,
            before=before,
        )
        yield from _page_items(profile, title, before, clock)

    assets = resources.files("footfall.report").joinpath("assets")
    return single_page_parts(
        "flame",
        f"Flame graph – {title}",
        items(),
        style=assets.joinpath("app.css").read_text(encoding="utf-8"),
        script=assets.joinpath("app.js").read_text(encoding="utf-8"),
    )


def flame_file_payload(
    profile: Profile,
    *,
    title: str,
    before: Profile | None = None,
    clock: Clock | None = None,
    pages: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return what the viewer draws the page from. `pages` are what a file's name leads to, by its path."""
    payload = flame_payload(
        profile, shown=short_path, pages=pages or {}, coverage_of=lambda _: None, is_library=is_library, before=before
    )
    payload.update(_page_items(profile, title, before, clock))
    return payload


def _page_items(profile: Profile, title: str, before: Profile | None, clock: Clock | None) -> Iterator[tuple[str, Any]]:
    yield "clock", clock
    yield (
        "site",
        {
            "title": title,
            "hasBranches": False,
            "hasProfile": False,
            "hasTests": False,
            "hasConditions": False,
            "hasCpuTimeAlone": any(map(has_cpu_time_alone, (profile, before) if before is not None else (profile,))),
            "isAlone": True,
            "precision": 0,
            "version": VERSION,
            "created": time.strftime("%Y-%m-%d %H:%M"),
        },
    )
