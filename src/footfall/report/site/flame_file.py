"""A flame graph as one file: the page with the viewer's script and style inside. For `footfall flame`."""

from __future__ import annotations

import time
from importlib import resources

from footfall._version import VERSION
from footfall.analyze.profile.calltree import Profile
from footfall.analyze.profile.clocks import Clock, has_cpu_time_alone
from footfall.report.places import is_library, short_path
from footfall.report.site.flame_page import flame_payload
from footfall.report.site.shell import render_single_page

__all__ = ["render_flame_file"]


def render_flame_file(
    profile: Profile, *, title: str, before: Profile | None = None, clock: Clock | None = None
) -> str:
    """Return the page; `before` is a profile to compare with, `clock` the one shown first."""
    payload = flame_payload(
        profile, shown=short_path, pages={}, coverage_of=lambda _: None, is_library=is_library, before=before
    )
    payload["clock"] = clock
    payload["site"] = {
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
    }
    assets = resources.files("footfall.report").joinpath("assets")
    return render_single_page(
        "flame",
        f"Flame graph – {title}",
        payload,
        style=assets.joinpath("app.css").read_text(encoding="utf-8"),
        script=assets.joinpath("app.js").read_text(encoding="utf-8"),
    )
