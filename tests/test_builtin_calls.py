"""Time in built-in functions is told from its caller's where the source says which function it was."""

import pytest

from footfall.analyze.builtin_calls import find_builtin_calls, mark_builtin_calls
from footfall.analyze.calltree import Cost, Frame, Function, Profile, TreeNode, times_of_functions, times_of_lines

SOURCES = {
    "x = sum([1, 2])\n": {(1, 4, 1, 15): "sum"},
    "import time\ntime.sleep(1)\n": {(2, 0, 2, 13): "time.sleep"},
    "import time as t\n'é', t.sleep(1)\n": {(2, 6, 2, 16): "time.sleep"},
    "def sum(x): pass\nsum(1)\n": {},
    "def f(len): len(1)\n": {},
    "from numpy import *\nsum(1)\n": {},
    "import time\ntime = Clock()\ntime.sleep(1)\n": {},
    "import json\njson.loads('')\n": {},
    "x.append(1)\nunknown(1)\n": {},
    "sorted(sum(\n x),\n key=len)\n": {(1, 0, 3, 9): "sorted", (1, 7, 2, 3): "sum"},
    "no python": {},
}


@pytest.mark.parametrize("source", SOURCES)
def test_only_sure_calls_are_found(source: str) -> None:
    """Names that the file gives to something else, and methods, are left alone."""
    assert find_builtin_calls(source.encode()) == SOURCES[source]


def test_leaves_get_a_frame_of_their_own() -> None:
    """Own time goes to the built-in, lines keep theirs; a call that has Python frames below it stays."""
    source = b"def f():\n    sum(x)\n    sorted(x, key=g)\n"
    main = Function("a.py", "f", 1)
    frames = [
        Frame(main, 2, 2, 4, 10),
        Frame(main, 3, 3, 4, 20),
        Frame(Function("a.py", "g", 9), 9, 9, 4, 8),
        Frame(main, 2, 2, 8, 9),
    ]
    profile = Profile(
        frames=frames,
        nodes=[TreeNode(-1, -1), TreeNode(0, 0), TreeNode(0, 1), TreeNode(2, 2), TreeNode(0, 3)],
        costs={(node, 0, ""): Cost(10 * node, 10 * node, 0, node) for node in range(5)},
    )
    marked = mark_builtin_calls(profile, {"a.py": source}.get)
    own = {function.qualname: times.own.samples for function, times in times_of_functions(marked).items()}
    assert own == {"f": 2 + 4, "g": 3, "<built-in> sum": 1}
    lines = {place: times.own.samples for place, times in times_of_lines(marked).items()}
    assert lines == {place: times.own.samples for place, times in times_of_lines(profile).items()}
    assert marked.total() == profile.total()
    assert mark_builtin_calls(profile, lambda _: None).costs == profile.costs
