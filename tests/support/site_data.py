"""A small project with coverage by test and a profile, as a data file: what the tests of the HTML report start from."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping
from dataclasses import replace

from footfall.analyze.profile.calltree import Cost, Frame, Function, Profile, ProfiledThread
from footfall.analyze.profile.rows import rows_from_profile
from footfall.record.data.coverage_tables import FileData, write_coverage
from footfall.record.data.profile_tables import write_profile
from footfall.record.data.timelines import Span, Timelines, TreeNode

INVOICE = '''\
"""Invoices </script><b>&amp;."""


class Invoice:
    def total(self, items):
        found = 0
        for item in items:
            if item > 0 and item < 100:
                found += item
        return found

    def retry(self, n):
        while n:
            n -= 1
        return "</script><script>alert(1)</script>"


def send(invoice):
    return invoice.total([1, 2])
'''
HELPER = "def help():\n    return 1\n"

TOTAL, SEND = "tests/test_invoice.py::test_total", "tests/test_invoice.py::test_send[<b>]"


def write_project(root: pathlib.Path, profile: Profile | None = None) -> pathlib.Path:
    """Write sources below `root` and a data file, with `profile` if one is given; return the data file's path."""
    (root / "shop").mkdir()
    invoice, helper = root / "shop" / "invoice.py", root / "shop" / "</script><i>helper.py".replace("/", "_")
    invoice.write_text(INVOICE, encoding="utf-8")
    helper.write_text(HELPER, encoding="utf-8")
    at_import = {(-1, 1), (1, 4), (4, 5), (5, 12), (12, 18), (18, -1), (-4, 5)}
    arcs = {
        "": at_import,
        f"{TOTAL}|run": {(-5, 6), (6, 7), (7, 8), (8, 9), (9, 7), (7, 10), (10, -5)},
        f"{SEND}|setup": {(-18, 19)},
        f"{SEND}|run": {(-18, 19), (19, -18), (-5, 6), (6, 7), (7, 8), (8, 9), (9, 7), (7, 10), (10, -5)},
    }
    data = root / "shop.data"
    files = {str(invoice): FileData(arcs=arcs), str(helper): FileData(arcs={"": {(-1, 1), (1, -1)}})}
    with write_coverage(data, files, has_arcs=True) as connection:
        write_profile(connection, rows_from_profile(profile or make_profile(root)))
    return data


def make_profile(root: pathlib.Path, retry_ms: int = 0, n_others: int = 0) -> Profile:
    """Return a profile of the project: `total` is hot, `retry` takes `retry_ms`, `send` calls a library.

    `n_others` more functions of that library take 100 ms each.
    """
    invoice = str(root / "shop" / "invoice.py")
    total = Function(invoice, "Invoice.total", 5)
    send = Function(invoice, "send", 18)
    retry = Function(invoice, "Invoice.retry", 12)
    library = Function("/usr/lib/python3.13/json/__init__.py", "dumps", 180)
    frames = [
        Frame(send, 19, 19, 11, 30),
        Frame(total, 8, 8, 12, 30),
        Frame(total, 9, 9, 16, 30),
        Frame(library, 200, 200, 4, 9),
        Frame(retry, 14, 14, 12, 18),
    ]
    #        0 root          1 send          2 send/total8   3 send/total9   4 send/dumps    5 retry
    nodes = [TreeNode(-1, -1), TreeNode(0, 0), TreeNode(1, 1), TreeNode(1, 2), TreeNode(1, 3), TreeNode(0, 4)]
    threads = [ProfiledThread(77, 77, "main"), ProfiledThread(77, 78, "worker")]
    costs = {
        (2, 0, f"{TOTAL}|run"): _cost(30),
        (3, 0, f"{SEND}|run"): _cost(50),
        (4, 1, f"{SEND}|run"): _cost(20),
    }
    if retry_ms:
        costs[5, 0, ""] = _cost(retry_ms)
    for number in range(n_others):
        frames.append(Frame(Function(library.path, f"other{number}", 300 + number), 300 + number, 300 + number, 0, 1))
        nodes.append(TreeNode(0, len(frames) - 1))
        costs[len(nodes) - 1, 0, ""] = _cost(100)
    n_samples = sum(cost.samples for cost in costs.values())
    return Profile(frames, nodes, threads, costs, 1, n_samples, 2, 0, 1_000_000, _make_timelines())


def as_on_pypy(profile: Profile) -> Profile:
    """Return the profile with only what PyPy's sampler knows: CPU time of functions."""
    costs = {key: Cost(cost.cpu_ns, cost.cpu_ns, 0, cost.samples) for key, cost in profile.costs.items()}
    firsts = [(frame.function, frame.function.first_line) for frame in profile.frames]
    frames = [Frame(function, line, line, None, None) for function, line in firsts]
    return replace(profile, frames=frames, costs=costs)


def _make_timelines() -> Timelines:
    """Return the order in time: main runs TOTAL 60 ms, waits 40 ms, runs SEND in two parts; the worker waits first."""
    timelines = Timelines()
    total, send, nothing = (timelines.context(label) for label in (f"{TOTAL}|run", f"{SEND}|run", ""))
    spans = {
        0: [(2, total, 30, 60), (0, nothing, 40, 40), (3, send, 20, 40), (2, send, 0, 20), (3, send, 30, 60)],
        1: [(0, nothing, 100, 100), (4, send, 20, 40)],
    }
    for thread, rows in spans.items():
        at = 1_700_000_000_000_000_000
        for node, context, samples, wall_ms in rows:
            at += wall_ms * 1_000_000
            cpu = wall_ms * 500_000 if node and samples else 0
            timelines.add(thread, at, Span(node, context, samples, wall_ms * 1_000_000, cpu, cpu // 2))
    return timelines


def _cost(ms: int) -> Cost:
    return Cost(
        wall_ns=2 * ms * 1_000_000, cpu_ns=ms * 1_000_000, gil_ns=ms * 500_000, samples=ms, gil_wait_ns=ms * 250_000
    )


def payloads(site: pathlib.Path) -> Mapping[str, object]:
    """Return the payload of each page by its path in the site."""
    import json
    import re

    found = {}
    for page in sorted(site.rglob("*.html")):
        text = page.read_text(encoding="utf-8")
        (match,) = re.findall(r'<script type="application/json" id="payload">(.*?)</script>', text, re.DOTALL)
        found[str(page.relative_to(site))] = json.loads(match)
    return found


def unpacked_payload(page: str) -> object:
    """Return the payload of a page that has a long one."""
    import base64
    import gzip
    import json
    import re

    (match,) = re.findall(r'<script type="application/gzip" id="payload">(.*?)</script>', page, re.DOTALL)
    return json.loads(gzip.decompress(base64.b64decode(match, validate=True)))
