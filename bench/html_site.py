"""What `footfall html` costs: a made project of 40,000 lines, 100,000 stack nodes and a full time line.

    python bench/html_site.py [--runs 5] [--keep DIRECTORY]

Run it by an interpreter that has footfall installed. The sources are copies of the standard library's. Prints the CPU
(user + system, children included) of the first `footfall html -q`, which has every source to analyse, and of one
again; medians. With `--keep` the data and the site stay there, to be opened in a browser.
"""

import argparse
import os
import pathlib
import random
import shutil
import statistics
import subprocess
import sysconfig
import tempfile

from arguments import absolute_path
from footfall.analyze.profile.calltree import Cost, Frame, Function, Profile, ProfiledThread
from footfall.analyze.profile.rows import rows_from_profile
from footfall.record.data.coverage_tables import FileData, write_coverage
from footfall.record.data.profile_tables import write_profile
from footfall.record.data.timelines import Span, Timelines, TreeNode

N_LINES = 40_000
N_NODES = 100_000
N_SPANS = 65_000
MS = 1_000_000
START_NS = 1_700_000_000 * 1_000_000_000


def main() -> None:
    """Make the data, run the command, print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5, help="of each kind (default 5)")
    parser.add_argument("--keep", type=absolute_path, metavar="DIRECTORY", help="work there, and leave what was made")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="footfall-site-") as temporary:
        directory = options.keep or pathlib.Path(temporary)
        directory.mkdir(parents=True, exist_ok=True)
        n_lines = make_data(directory)
        first, again = [], []
        for _ in range(options.runs):
            for made in (".footfall", "htmlcov"):
                shutil.rmtree(directory / made, ignore_errors=True)
            first.append(_seconds(directory))
            again.append(_seconds(directory))
    print(f"{n_lines} lines, {N_NODES} stack nodes, {N_SPANS} spans of time\n")
    print("| `footfall html -q` | CPU, s, median | lowest |\n|---|---|---|")
    for name, values in (("first", first), ("again", again)):
        print(f"| {name} | {statistics.median(values):.2f} | {min(values):.2f} |")


def make_data(directory: pathlib.Path) -> int:
    """Write sources and `.coverage` there; return the number of lines."""
    chance = random.Random(1)
    files = _copy_sources(directory)
    covered = {}
    for path, n_lines in files.items():
        lines = sorted(chance.sample(range(1, n_lines + 1), n_lines // 2))
        covered[str(path)] = FileData(arcs={"": {(-1, 1), *zip(lines, lines[1:], strict=False)}})
    functions = [
        Function(str(path), f"function{number}", 1 + number * n_lines // 31)
        for path, n_lines in files.items()
        for number in range(30)
    ]
    frames = [
        Frame(each, each.first_line + more, each.first_line + more, 4, 9) for each in functions for more in (1, 2, 3)
    ]
    nodes = [TreeNode(-1, -1)]
    for number in range(1, N_NODES):
        parent = max(0, number - 1 - chance.randrange(40)) if number % 3 else chance.randrange(number)
        nodes.append(TreeNode(parent, chance.randrange(len(frames))))
    leaves = range(N_NODES // 3, N_NODES)
    threads = [ProfiledThread(1, 1, "main")]
    profile = Profile(frames, nodes, threads, n_processes=1, n_samples=len(leaves), interval_ns=MS)
    profile.costs = {(node, 0, ""): Cost(MS + node % 13, MS, MS, 1) for node in leaves}
    profile.timelines = _timelines(chance)
    with write_coverage(directory / ".coverage", covered, has_arcs=True) as connection:
        write_profile(connection, rows_from_profile(profile))
    return sum(files.values())


def _copy_sources(directory: pathlib.Path) -> dict[pathlib.Path, int]:
    """Copy modules of the standard library; return the number of lines of each."""
    library = pathlib.Path(sysconfig.get_path("stdlib"))
    files: dict[pathlib.Path, int] = {}
    patterns = ("*.py", "email/*.py", "asyncio/*.py")
    for source in [path for pattern in patterns for path in sorted(library.glob(pattern)) if path.is_file()]:
        text = source.read_text(encoding="utf-8", errors="replace")
        if text.count("\n") >= 20 and sum(files.values()) < N_LINES:
            copy = directory / f"{source.parent.name.replace('.', '')}_{source.name}"
            copy.write_text(text, encoding="utf-8")
            files[copy] = text.count("\n")
    return files


def _timelines(chance: random.Random) -> Timelines:
    made = Timelines()
    context = made.context("")
    for number in range(N_SPANS):
        node = chance.randrange(N_NODES // 3, N_NODES)
        made.add(0, START_NS + number * MS, Span(node, context, 1, MS, MS - chance.randrange(1000), 9 * MS // 10))
    return made


def _seconds(directory: pathlib.Path) -> float:
    footfall = os.path.join(sysconfig.get_path("scripts"), "footfall")
    before = os.times()
    subprocess.run([footfall, "html", "-q"], cwd=directory, check=True)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


if __name__ == "__main__":
    main()
