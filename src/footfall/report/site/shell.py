"""The HTML around a page's payload: the one place where data becomes part of a page."""

from __future__ import annotations

import html
import zlib
from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import Any, Final

from footfall.report.jsontext import render_json

__all__ = ["render_page", "render_single_page", "script_json", "single_page_parts"]

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
<script type="{kind}" id="payload">{payload}</script>
{script}
</body>
</html>
"""


_MAX_PLAIN: Final = 1 << 20
"""A longer payload is packed: a fifth to a third of its length, and the browser has it again in some 10 ms a MB."""

_AS_GZIP: Final = zlib.MAX_WBITS | 16

_ROWS: Final = 8192
"""Of a long list, so many at a time become text."""


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
    parts = _fill(page, title, (script_json(payload),), root, style, f'<script src="{root}app.js"></script>', notes)
    return "".join(parts)


def render_single_page(page: str, title: str, payload: Any, *, style: str, script: str) -> str:
    """Return a page with everything inline; `style` and `script` are our own and do not contain their end tags."""
    return "".join(single_page_parts(page, title, payload.items(), style=style, script=script))


def single_page_parts(
    page: str, title: str, payload: Iterable[tuple[str, Any]], *, style: str, script: str
) -> Iterator[str]:
    """Return `render_single_page` in parts.

    `payload` are the items of an object, whose values may also be arrays, lists of these, and iterators.
    """
    if "</script" in script.lower() or "</style" in style.lower():
        raise ValueError("an asset would end its own tag")
    return _fill(page, title, _object_parts(payload), "", f"<style>{style}</style>", f"<script>{script}</script>")


def _object_parts(items: Iterable[tuple[str, Any]]) -> Iterator[str]:
    before = "{"
    for key, value in items:
        yield f"{before}{script_json(key)}:"
        yield from _value_parts(value)
        before = ","
    yield "{}" if before == "{" else "}"


def _value_parts(value: Any) -> Iterator[str]:
    """Yield the JSON of a value, that of long lists in parts."""
    if isinstance(value, Iterator):
        yield from _rows_parts(value)
    elif isinstance(value, list | tuple) and any(isinstance(each, list | array) for each in value[:1]):
        before = "["
        for each in value:
            yield before
            yield from _rows_parts(each)
            before = ","
        yield "]"
    elif isinstance(value, list):
        yield from _rows_parts(value)
    else:
        yield script_json(value)


def _rows_parts(rows: Iterable[Any]) -> Iterator[str]:
    before = "["
    left = iter(rows)
    while some := list(islice(left, _ROWS)):
        yield before + script_json(some)[1:-1]
        before = ","
    yield "[]" if before == "[" else "]"


def _fill(
    page: str, title: str, payload: Iterable[str], root: str, style: str, script: str, notes: Sequence[str] = ()
) -> Iterator[str]:
    before, _, after = _PAGE.partition("{payload}")
    kind, payload = _packed_if_long(payload)
    yield before.format(
        kind=kind,
        notes="".join(f"<pre>{_escaped(note)}</pre>" for note in notes),
        title=_escaped(title),
        page=page,
        root=root,
        style=style,
    )
    yield from payload
    yield after.format(script=script)


def _packed_if_long(parts: Iterable[str]) -> tuple[str, Iterable[str]]:
    """Return the type of a payload as pages have it, and its parts."""
    left = iter(parts)
    first: list[str] = []
    length = 0
    for part in left:
        first.append(part)
        length += len(part)
        if length > _MAX_PLAIN:
            return "application/gzip", _packed(chain(first, left))
    return "application/json", first


def _packed(parts: Iterable[str]) -> Iterator[str]:
    """Yield the text in parts, gzipped, in base64, which takes three bytes at a time."""
    from binascii import b2a_base64  # for long payloads alone

    packer = zlib.compressobj(wbits=_AS_GZIP)
    done = b""
    for part in parts:
        done += packer.compress(part.encode("ascii"))
        whole = len(done) - len(done) % 3
        yield b2a_base64(done[:whole], newline=False).decode("ascii")
        done = done[whole:]
    yield b2a_base64(done + packer.flush(), newline=False).decode("ascii")


def _escaped(text: str) -> str:
    return html.escape(text.encode("utf-8", "replace").decode())
