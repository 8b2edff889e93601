"""What it costs to read coverage after every operation: a random tester of an AVL tree, as TSTL's AVL example is one.

    python bench/tstl.py [--seconds 15] [--rounds 3] [--coverage] [PYTHON ...]

Each PYTHON (default: the one that runs this) needs footfall, with `--coverage` coverage.py too. Operations in a second
of CPU, in tests of 100 operations on up to three trees: each operation is chosen at random among those that are
possible, and runs in a block of its own with its conditions before and after, a reference implementation, and a check
of all trees. Modes take turns, a process each:

    none      no blocks and no look at their results
    no-op     blocks whose beginning and end do nothing, and a look at empty results
    footfall  `footfall.capture()`
    full      `footfall.capture(full=True)`
    coverage  coverage.py: `start` and `stop` around the operation, then the arcs of its data against those seen

Prints the median operations of each mode, and the median over rounds of how much slower it is than the two first.
"""

import argparse
import pathlib
import statistics
import subprocess
import sys
import tempfile

from arguments import interpreter_path

AVL = '''\
"""A balanced tree of keys, each of whose subtrees is a tree, which works out its height anew from all below it."""


class Node:
    def __init__(self, key):
        self.key = key
        self.left = Tree()
        self.right = Tree()


class Tree:
    def __init__(self):
        self.node = None
        self.height = -1
        self.slope = 0

    def measure(self):
        if self.node is None:
            self.height = -1
            self.slope = 0
            return
        left, right = self.node.left, self.node.right
        left.measure()
        right.measure()
        self.height = 1 + max(left.height, right.height)
        self.slope = left.height - right.height

    def balance(self):
        self.measure()
        while self.slope < -1 or self.slope > 1:
            if self.slope > 1:
                if self.node.left.slope < 0:
                    self.node.left.rotate_left()
                self.rotate_right()
            else:
                if self.node.right.slope > 0:
                    self.node.right.rotate_right()
                self.rotate_left()
            self.measure()

    def rotate_right(self):
        top = self.node.left.node
        self.node.left.node = top.right.node
        top.right.node = self.node
        self.node = top

    def rotate_left(self):
        top = self.node.right.node
        self.node.right.node = top.left.node
        top.left.node = self.node
        self.node = top

    def insert(self, key):
        if self.node is None:
            self.node = Node(key)
        elif key < self.node.key:
            self.node.left.insert(key)
        elif key > self.node.key:
            self.node.right.insert(key)
        self.balance()

    def delete(self, key):
        if self.node is None:
            return
        if key < self.node.key:
            self.node.left.delete(key)
        elif key > self.node.key:
            self.node.right.delete(key)
        elif self.node.left.node is None:
            self.node = self.node.right.node
        elif self.node.right.node is None:
            self.node = self.node.left.node
        else:
            least = self.node.right.node
            while least.left.node is not None:
                least = least.left.node
            self.node.key = least.key
            self.node.right.delete(least.key)
        self.balance()

    def find(self, key):
        if self.node is None:
            return False
        if key == self.node.key:
            return True
        if key < self.node.key:
            return self.node.left.find(key)
        return self.node.right.find(key)

    def keys(self):
        if self.node is None:
            return []
        return self.node.left.keys() + [self.node.key] + self.node.right.keys()

    def is_balanced(self):
        if self.node is None:
            return True
        self.measure()
        return abs(self.slope) < 2 and self.node.left.is_balanced() and self.node.right.is_balanced()
'''

HARNESS = '''\
import math, random, sys, time
import avl

seconds, mode = float(sys.argv[1]), sys.argv[2]
N_OPERATIONS = 100
seen = set()

class Nothing:
    lines, branches = {}, {}
    def __bool__(self):
        return False
    def __enter__(self):
        return self
    def __exit__(self, kind, error, trace):
        pass

class Coverage:
    def __init__(self):
        import coverage
        self.coverage = coverage.Coverage(branch=True, include=[avl.__file__], data_file=None, config_file=False)
    def __enter__(self):
        self.coverage.erase()
        self.coverage.start()
        return self
    def __exit__(self, kind, error, trace):
        self.coverage.stop()
        data = self.coverage.get_data()
        found = {(path, arc) for path in data.measured_files() for arc in data.arcs(path) or ()}
        self.new = found - seen
        seen.update(found)
    def __bool__(self):
        return bool(self.new)

# A pool's place that holds something unused can't be filled anew, as in TSTL.
trees, references, values = [None] * 3, [None] * 3, [None] * 4
used_trees, used_values = [True] * 3, [True] * 4

def make_tree(index):
    trees[index], references[index], used_trees[index] = avl.Tree(), set(), False
def make_value(index, value):
    values[index], used_values[index] = value, False
def insert(index, at):
    tree, value = trees[index], values[at]
    used_values[at] = True
    n_before, was_in = len(tree.keys()), tree.find(value)
    tree.insert(value)
    references[index].add(value)
    assert len(tree.keys()) == n_before + 1 or was_in
def delete(index, at):
    tree, value = trees[index], values[at]
    used_values[at] = True
    n_before, was_in = len(tree.keys()), tree.find(value)
    tree.delete(value)
    references[index].discard(value)
    assert len(tree.keys()) == n_before - 1 or not was_in
def find(index, at):
    used_values[at] = True
    assert trees[index].find(values[at]) == (values[at] in references[index])
def keys(index):
    used_trees[index] = True
    assert trees[index].keys() == sorted(references[index])
def compare(index, other):
    assert (trees[index].keys() == trees[other].keys()) == (references[index] == references[other])

def tree_is_used(index):
    return used_trees[index]
def value_is_used(index, value):
    return used_values[index]
def has_tree(index):
    return trees[index] is not None
def has_trees(index, other):
    return trees[index] is not None and trees[other] is not None
def has_both(index, at):
    return trees[index] is not None and values[at] is not None

actions = [(make_tree, tree_is_used, (i,)) for i in range(3)]
actions += [(make_value, value_is_used, (k, v)) for k in range(4) for v in range(1, 21)]
actions += [(action, has_both, (i, k)) for action in (insert, delete, find) for i in range(3) for k in range(4)]
actions += [(keys, has_tree, (i,)) for i in range(3)]
actions += [(compare, has_trees, (i, k)) for i in range(3) for k in range(3)]

def choose():
    """An action that is possible, by drawing without putting back."""
    left = list(filter(None, actions))
    while True:
        at = random.randint(0, len(left) - 1)
        action = left[at]
        if action[1](*action[2]):
            return action
        left = left[:at] + left[at + 1 :]

def check():
    for tree in trees:
        if tree is not None:
            keys = tree.keys()
            assert not keys or tree.height <= 1 + math.log2(len(keys)) * 1.45
            assert keys == tree.keys()
            assert tree.is_balanced()

def begin_test():
    trees[:], references[:], values[:] = [None] * 3, [None] * 3, [None] * 4
    used_trees[:], used_values[:] = [True] * 3, [True] * 4

def operate(chosen):
    action, possible, arguments = chosen
    assert possible(*arguments)
    try:
        action(*arguments)
        check()
    except Exception as error:
        print("failed", repr(error))

def run_plainly(until):
    count = 0
    while time.process_time() < until:
        begin_test()
        for _ in range(N_OPERATIONS):
            operate(choose())
        count += N_OPERATIONS
    return count

def run_in_blocks(until, block):
    count, kept = 0, []
    while time.process_time() < until:
        begin_test()
        history = []
        for _ in range(N_OPERATIONS):
            chosen = choose()
            history.append(chosen)
            with block as new:
                operate(chosen)
            if new:
                kept.append(list(history))
        count += N_OPERATIONS
    return count

random.seed(1)
if mode in ("footfall", "full"):
    import footfall
    options = {"full": True} if mode == "full" else {}
    block = footfall.capture(source=["avl"], **options)
elif mode == "coverage":
    block = Coverage()
else:
    block = Nothing()
begun = time.process_time()
if mode == "none":
    count = run_plainly(begun + seconds)
else:
    count = run_in_blocks(begun + seconds, block)
print(count / (time.process_time() - begun))
'''


def operations(python: str, directory: str, seconds: float, mode: str) -> float:
    """Return how many operations a process does in a second of CPU."""
    command = [python, "harness.py", str(seconds), mode]
    done = subprocess.run(command, cwd=directory, stdout=subprocess.PIPE, text=True, check=True)
    return float(done.stdout)


def main() -> None:
    """Measure each interpreter in turn and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pythons", nargs="*", metavar="PYTHON", type=interpreter_path, default=[sys.executable])
    parser.add_argument("--seconds", type=float, default=15, help="of CPU, for each mode in each round (default 15)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--coverage", action="store_true", help="coverage.py too")
    parser.add_argument("--full", action="store_true", help="all that each operation runs too")
    options = parser.parse_args()
    modes = ["none", "no-op", "footfall"] + ["full"] * options.full + ["coverage"] * options.coverage
    print("| Python | mode | operations a second | slower than no-op | than none |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory(prefix="footfall-tstl-") as directory:
        pathlib.Path(directory, "avl.py").write_text(AVL, encoding="utf-8")
        pathlib.Path(directory, "harness.py").write_text(HARNESS, encoding="utf-8")
        for python in options.pythons:
            version = "import sys; v = sys.version_info; print(sys.implementation.name, f'{v[0]}.{v[1]}.{v[2]}')"
            name = subprocess.run([python, "-c", version], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
            counts: dict[str, list[float]] = {mode: [] for mode in modes}
            for _ in range(options.rounds):
                for mode in modes:
                    counts[mode].append(operations(python, directory, options.seconds, mode))
            for mode in modes:
                ratios = [
                    statistics.median(a / b for a, b in zip(counts[base], counts[mode], strict=True))
                    for base in ("no-op", "none")
                ]
                median = statistics.median(counts[mode])
                print(f"| {name} | {mode} | {median:,.0f} | {ratios[0]:.2f}x | {ratios[1]:.2f}x |", flush=True)


if __name__ == "__main__":
    main()
