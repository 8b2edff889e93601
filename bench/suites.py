"""Real test suites under footfall: the same results, the same coverage as coverage.py's C tracer, and the cost.

    python bench/suites.py --python python3.11 --python python3.14 --work /tmp/footfall-bench
    python bench/suites.py --project jinja2 --runs 7 --only cost

For each project and interpreter: makes an environment (pinned source distribution, its test requirements,
coverage.py, this footfall), then

check  runs the suite bare, under `footfall run`, and twice under `COVERAGE_CORE=ctrace coverage run --branch`;
       the results must be equal, and coverage.py's JSON report of both data files is compared file by file.
       What differs between the two ctrace runs as well is unstable by itself and distinguished.
cost   CPU of all processes (user + system) in N rounds after an uncounted one, each with all modes in another order.
       A mode's ratio is the median of its rounds' ratios to the bare run of the same round, with the interval that has
       the median in 95 % of cases, whatever the distribution. First the suite alone; then with what the tool does
       before and after it to show the result: footfall's summary, coverage.py's `report`, slipcover's table.

Exit status 1 when a check found a difference. Times are never compared across runs of this script.
"""

import argparse
import json
import math
import pathlib
import random
import statistics
import sys
import tempfile

from arguments import interpreter_path
from differences import differences, divide, print_differences
from modes import MODES, Outcome, coverage_json, run_suite
from projects import PROJECTS, Environment, prepare


def main() -> int:
    """Run what was asked for; print tables; return the exit status."""
    options = _options().parse_args()
    work = pathlib.Path(options.work or tempfile.mkdtemp(prefix="footfall-bench-")).resolve()
    _say(f"work directory: {work}")
    rows: list[dict[str, object]] = []
    count = 0
    for interpreter in options.python or [sys.executable]:
        for name in options.project or list(PROJECTS):
            _say(f"{name} on {interpreter}: preparing")
            environment = prepare(PROJECTS[name], interpreter, work)
            scratch = environment.directory.parent / f"scratch-{name}"
            if options.only in (None, "check"):
                count += _check(environment, scratch)
            if options.only in (None, "cost"):
                rows.append(_cost(environment, scratch, options.runs, options.mode or list(MODES)))
                _say(_table(rows[-1:]))
                (work / "cost.json").write_text(json.dumps(rows, indent=1), encoding="utf-8")
    if rows:
        print(_table(rows))
    return 1 if count else 0


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--python", action="append", type=interpreter_path, help="an interpreter (repeatable; default: this one)"
    )
    parser.add_argument("--project", action="append", choices=list(PROJECTS), help="repeatable; default: all")
    parser.add_argument("--only", choices=["check", "cost"])
    parser.add_argument("--mode", action="append", choices=list(MODES), help="for cost; repeatable; default: all")
    parser.add_argument("--runs", type=int, default=15, help="counted runs of each mode (default 15)")
    parser.add_argument("--work", help="directory for downloads and environments, kept for the next time")
    return parser


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _check(environment: Environment, scratch: pathlib.Path) -> int:
    """Compare results and coverage; print each difference; return how many there are."""
    title = f"{environment.project.requirement} on {environment.label}"
    _say(f"{title}: bare")
    bare = run_suite(environment, MODES["bare"], scratch)
    _say(f"{title}: footfall")
    data = scratch / "footfall.data"
    data.unlink(missing_ok=True)
    ours = run_suite(environment, MODES["footfall"], scratch, data)
    count = _print_results(title, bare, ours)
    if environment.label.startswith("PyPy"):
        return count  # there is no C tracer to compare with
    reports = []
    for number in (1, 2):
        _say(f"{title}: coverage ctrace, {number} of 2")
        theirs = scratch / f"ctrace-{number}.data"
        theirs.unlink(missing_ok=True)
        run_suite(environment, MODES["coverage ctrace"], scratch, theirs)
        reports.append(coverage_json(environment, theirs, scratch / f"ctrace-{number}.json"))
    footfall = coverage_json(environment, data, scratch / "footfall.json")
    found, unstable = divide(differences(footfall, reports[0]), differences(*reports))
    files = len({each.file for each in found})
    print(f"  coverage: {len(reports[0])} files, {files} differ ({len(unstable)} unstable differences besides)")
    print_differences(found)
    return count + len(found)


def _print_results(title: str, bare: Outcome, ours: Outcome) -> int:
    same = (bare.counts, bare.failures, bare.returncode) == (ours.counts, ours.failures, ours.returncode)
    counts = ", ".join(f"{number} {name}" for name, number in bare.counts.items())
    print(f"{title}: {counts}; {'the same' if same else 'NOT THE SAME'} under footfall", flush=True)
    if same:
        return 0
    print(f"  under footfall: {ours.counts}, exit status {ours.returncode} (bare: {bare.returncode})")
    for failure in sorted(ours.failures ^ bare.failures):
        print(f"  fails {'under footfall' if failure in ours.failures else 'bare'} only: {failure}")
    return 1


def _cost(environment: Environment, scratch: pathlib.Path, runs: int, names: list[str]) -> dict[str, object]:
    """The CPU of each mode in each round, after a first one that is not counted."""
    names = ["bare", *(name for name in names if name != "bare")]
    if environment.label.startswith("PyPy"):
        names = [
            name
            for name in names
            if not (MODES[name].core == "ctrace" or MODES[name].tool == "slipcover" or MODES[name].is_pure)
        ]
    chance = random.Random(environment.label)
    names = _running(environment, scratch, names)
    program: dict[str, list[float]] = {name: [] for name in names}
    total: dict[str, list[float]] = {name: [] for name in names}
    for number in range(1, runs + 1):
        for name in chance.sample(names, len(names)):
            _say(f"{environment.project.name} on {environment.label}: round {number} of {runs}, {name}")
            outcome = run_suite(environment, MODES[name], scratch, has_result=True)
            program[name].append(outcome.program_cpu)
            total[name].append(outcome.total_cpu)
    return {
        "project": environment.project.requirement,
        "python": environment.label,
        "runs": runs,
        "program": program,
        "total": total,
    }


def _running(environment: Environment, scratch: pathlib.Path, names: list[str]) -> list[str]:
    """Run each mode once, which fills caches; return those under which as many tests pass as without a tool."""
    expected: dict[str, int] = {}
    found = []
    for name in names:  # the bare run comes first
        _say(f"{environment.project.name} on {environment.label}: first, {name}")
        counts = run_suite(environment, MODES[name], scratch, has_result=True).counts
        expected = expected or counts
        if counts == expected:
            found.append(name)
        else:
            _say(f"  left out: it ran {counts}, and bare {expected}")
    return found


def _table(rows: list[dict[str, object]]) -> str:
    """Markdown: bare CPU seconds, then each mode's ratio to it (program, with the result)."""
    names = [name for name in MODES if any(name in _seconds(row, "program") for row in rows)]
    lines = [
        "| suite | Python | bare, CPU s | " + " | ".join(names[1:]) + " |",
        "|---|---|---|" + "---|" * len(names[1:]),
    ]
    for row in rows:
        program, total = _seconds(row, "program"), _seconds(row, "total")
        cells = [
            f"{_ratio(program[name], program['bare'])}, {_ratio(total[name], total['bare'])}"
            if name in program
            else "–"
            for name in names[1:]
        ]
        bare = statistics.median(program["bare"])
        lines.append(f"| {row['project']} | {row['python']} | {bare:.2f} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _ratio(seconds: list[float], bare: list[float]) -> str:
    middle, low, high = spread(seconds, bare)
    return f"{middle:.2f}x ({low:.2f}-{high:.2f})"


def spread(seconds: list[float], bare: list[float]) -> tuple[float, float, float]:
    """Return the median of the rounds' ratios, and the interval that has the median in 95 % of cases."""
    ratios = sorted(each / other for each, other in zip(seconds, bare, strict=True))
    at = _rank(len(ratios))
    return statistics.median(ratios), ratios[at], ratios[-1 - at]


def _rank(n: int) -> int:
    """Return how many values at each end of n sorted ones can be left out so that the median is among the others in
    95 % of cases: the number of values below it is that of heads of n coins."""
    at, tail = 0, 0.5**n
    while tail + math.comb(n, at + 1) * 0.5**n <= 0.025:
        at += 1
        tail += math.comb(n, at) * 0.5**n
    return at


def _seconds(row: dict[str, object], key: str) -> dict[str, list[float]]:
    value = row[key]
    assert isinstance(value, dict)
    return value


if __name__ == "__main__":
    sys.exit(main())
