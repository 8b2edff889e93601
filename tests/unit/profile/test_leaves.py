"""A profile without its call tree has the self times that the folded tree has."""

from hypothesis import given
from hypothesis import strategies as st

from footfall.analyze.profile.calltree import NATIVE, Cost, Frame, Function, Profile, times_of_functions
from footfall.analyze.profile.import_frames import fold_imports
from footfall.analyze.profile.leaves import leaves_of
from footfall.analyze.profile.native_frames import fold_native_frames
from footfall.record.data.timelines import TreeNode

FUNCTIONS = [
    Function("<frozen site>", "addpackage", 1),
    Function("<string>", "<module>", 1),
    Function("<frozen importlib._bootstrap>", "_find_and_load", 1),
    Function("/p/main.py", "<module>", 1),
    Function("/p/main.py", f"{NATIVE}call (lib.so)", 1),
    Function("/p/main.py", "work", 5),
]


@st.composite
def profiles(draw: st.DrawFn) -> Profile:
    """Any tree of such frames, some of whose nodes have costs."""
    profile = Profile(frames=[Frame(function, function.first_line, 1, None, None) for function in FUNCTIONS])
    frame = st.integers(0, len(FUNCTIONS) - 1)
    for number in range(1, draw(st.integers(1, 12))):
        profile.nodes.append(TreeNode(draw(st.integers(0, number - 1)), draw(frame)))
    nodes = st.integers(0, len(profile.nodes) - 1)
    for node in draw(st.sets(nodes)):
        profile.costs[node, 0, ""] = Cost(wall_ns=1 << node, cpu_ns=3 << node, samples=1)
    return profile


@given(profiles())
def test_self_times_are_those_of_the_folded_tree(profile: Profile) -> None:
    """By function, whatever stands above the frame that spent the time; and the time without Python code is kept."""
    folded = fold_imports(fold_native_frames(profile), lambda _path: False)
    leaves = leaves_of(profile)
    expected = {function: times.own for function, times in times_of_functions(folded).items() if times.own != Cost()}
    found = times_of_functions(leaves)
    assert {function: times.own for function, times in found.items()} == expected
    assert leaves.total() == profile.total()
    assert leaves.costs.get((0, 0, "")) == folded.costs.get((0, 0, ""))
