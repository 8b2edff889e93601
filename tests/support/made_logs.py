"""Sample logs as data, without a sampler."""

from __future__ import annotations

from footfall.record.run.node_table import Node
from footfall.record.run.sample_log import Sample, SampledCode, SampledThread, SampleLog

MS = 1_000_000


def make_log(nodes: list[tuple[int, str, int]], samples: list[tuple[int, int]], pid: int = 1) -> SampleLog:
    """Return a log whose nodes are (parent, function, line) and samples (node, wall ms), all in one thread."""
    log = SampleLog(f"{pid}-0.smp")
    log.pid = pid
    log.interval_ns = MS
    log.units_are_lines = True
    log.threads[0] = SampledThread(pid, "main")
    ids: dict[str, int] = {}
    for number, (parent, name, line) in enumerate(nodes, start=1):
        code = ids.setdefault(name, len(ids) + 1)
        log.codes[code] = SampledCode("/p/a.py", name, 10 * code, b"")
        log.nodes[number] = Node(parent, code, line)
    for node, wall_ms in samples:
        log.samples.append(Sample(0, node, 0, wall_ms * MS, wall_ms * MS // 2, 0, True, 1))
    return log
