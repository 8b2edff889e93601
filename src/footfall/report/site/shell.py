"""The HTML around a page's payload: the one place where data becomes part of a page."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any, Final

from footfall.report.jsontext import render_json

__all__ = ["render_page", "render_single_page", "script_json"]

_PAGE: Final = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="footfall">
<title>{title}</title>
<link rel="icon" href="data:,">
{style}
</head>
<body data-page="{page}" data-root="{root}">
<noscript><p>This report is drawn by the script app.js beside it: allow scripts for this page.</p></noscript>
<div id="app"></div>{notes}
<script type="application/json" id="payload">{payload}</script>
{script}
</body>
</html>
"""


def script_json(value: Any) -> str:
    r"""Return JSON that is safe between script tags, whatever texts it contains: `<` is written `\u003c`, and so on.

    Bytes in names that are not text become U+FFFD.
    """
    text = render_json(value, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def render_page(page: str, title: str, payload: Any, root: str = "", notes: Sequence[str] = ()) -> str:
    """Return a page of a site. `page` picks the view, `root` leads from the page to the site's folder ("" or "../").

    `notes` are texts of several lines, shown below everything else.
    """
    style = f'<link rel="stylesheet" href="{root}app.css">'
    return _fill(page, title, payload, root, style, f'<script src="{root}app.js"></script>', notes)


def render_single_page(page: str, title: str, payload: Any, *, style: str, script: str) -> str:
    """Return a page with everything inline; `style` and `script` are our own and do not contain their end tags."""
    if "</script" in script.lower() or "</style" in style.lower():
        raise ValueError("an asset would end its own tag")
    return _fill(page, title, payload, "", f"<style>{style}</style>", f"<script>{script}</script>")


def _fill(page: str, title: str, payload: Any, root: str, style: str, script: str, notes: Sequence[str] = ()) -> str:
    return _PAGE.format(
        notes="".join(f"<pre>{_escaped(note)}</pre>" for note in notes),
        title=_escaped(title),
        page=page,
        root=root,
        payload=script_json(payload),
        style=style,
        script=script,
    )


def _escaped(text: str) -> str:
    return html.escape(text.encode("utf-8", "replace").decode())
