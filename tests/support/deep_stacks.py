"""A program whose stack is deeper than samplers keep, and what a log must contain of it."""

from footfall.record.run.sample_log import SampleLog

__all__ = ["VERY_DEEP", "ends_of_stacks"]

VERY_DEEP = """
    sys.setrecursionlimit(1000000)
    def leaf():
        for _ in until(0.8): pass
    def down(n):
        return down(n - 1) if n else leaf()
    down(70000)
"""


def ends_of_stacks(log: SampleLog) -> set[tuple[str | int, ...]]:
    """Return, for each stack with `leaf`: it and its caller, how many frames the mark stands for, the two oldest."""
    seen: set[tuple[str | int, ...]] = set()
    for sample in log.samples:
        names, node = [], sample.node
        while node:
            names.append(log.codes[log.nodes[node].code].qualname)
            node = log.nodes[node].parent
        if "leaf" in names:
            seen.add((*names[names.index("leaf") :][:2], names.count("<frames left out>"), *names[-2:]))
    return seen
