"""Condition coverage of random programs, against what wrapped operands report: programs tried, and those that differ.

python tests/support/exact_conditions.py --programs 500        from CPython 3.14
"""

from __future__ import annotations

import argparse
import ast
import marshal
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from condition_oracle import Position, instrument
from footfall.analyze.conditions.analysis import find_conditions, outcomes_by_operand
from footfall.analyze.conditions.operands import find_operands
from footfall.analyze.resolve import resolve
from footfall.model import RUN_VARIABLE
from footfall.record.data.condition_tables import BranchedCode
from footfall.record.run.directory import RunSettings, make_run_directory
from programs.conditions import generate_conditions
from programs.generated import generate_program

__all__ = ["compare_conditions_of", "measure", "random_programs"]

_HERE = Path(__file__).parent
_BATCH = 100


def compare_conditions_of(programs: Mapping[str, str]) -> tuple[dict[str, str], int]:
    """Return {name: the differences} and the number of operands that were compared."""
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder).resolve()
        codes, own = measure(programs, work)
        _write(work / "wrapped", {name: instrument(name, text) for name, text in programs.items()})
        true = _run(work, "condition_oracle.py", "wrapped", str(work / "seen"))
        seen = marshal.loads((work / "seen").read_bytes())
        differences = {}
        n_operands = 0
        for name, text in programs.items():
            if own[name] != true[name]:
                differences[name] = f"it computed something else: {own[name][-200:]} != {true[name][-200:]}"
                continue
            found = outcomes_by_operand(find_conditions(text), codes[name])
            n_operands += len(found)
            if what := _describe(text, {tuple(at): seen_ for at, seen_ in found.items()}, seen.get(name, [])):
                differences[name] = what
        return differences, n_operands


def measure(programs: Mapping[str, str], work: Path) -> tuple[dict[str, list[BranchedCode]], dict[str, str]]:
    """Run the programs measured, in one process; return what each recorded about its jumps, and what it computed."""
    directory = work.resolve() / "plain"
    _write(directory, programs)
    settings = RunSettings(cwd=str(work), branch=True, profile=False, source_dir=[str(directory)])
    run = make_run_directory(settings).path
    results = _run(work, "exact_runner.py", "plain", **{RUN_VARIABLE: str(run)})
    data = resolve(run)
    if data.messages:
        raise SystemExit(f"footfall says: {data.messages}")
    return {name: data.conditions.get(str(directory / f"{name}.py"), []) for name in programs}, results


def _write(directory: Path, programs: Mapping[str, str]) -> None:
    directory.mkdir()
    for name, text in programs.items():
        (directory / f"{name}.py").write_text(text)


def _run(work: Path, script: str, kind: str, *arguments: str, **variables: str) -> dict[str, str]:
    """Run the programs of a directory in a fresh process; return what each computed."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("FOOTFALL", "COVERAGE"))}
    environment |= {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0", **variables}
    results = work / "results"
    command = [sys.executable, "-W", "ignore", str(_HERE / script), str(work / kind), str(results), *arguments]
    done = subprocess.run(command, env=environment, cwd=work, capture_output=True, text=True)
    if done.returncode or done.stderr:
        raise SystemExit(f"The programs ended with status {done.returncode}:\n{done.stderr}")
    found: dict[str, str] = marshal.loads(results.read_bytes())
    return found


def _describe(text: str, found: Mapping[tuple[int, ...], tuple[bool, bool]], seen: list[tuple[Position, bool]]) -> str:
    """Describe the differences: operands with other outcomes, and operands that had outcomes but are not known."""
    true: dict[tuple[int, ...], set[bool]] = {}
    for position, outcome in seen:
        true.setdefault(position, set()).add(outcome)
    silent = _silent(text)
    parts = []
    for position, (has_true, has_false) in found.items():
        ours = {outcome for outcome, has in ((True, has_true), (False, has_false)) if has}
        if ours != true.get(position, set()) and position not in silent:
            parts.append(f"{position} {ours} != {true.get(position, set())}")
    known = {*found, *(tuple(operand.position) for operand in find_operands(ast.parse(text))[1])}
    parts += [
        f"{position} is unknown" for position in true if position not in known and not _may_be_unknown(text, position)
    ]
    return "; ".join(parts)


def _may_be_unknown(text: str, position: tuple[int, ...]) -> bool:
    """Return whether an operand is a constant, or in an `and` / `or` that has any: these are left out, not guessed."""
    line, column, end_line, end_column = position
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.expr) or (node.lineno, node.col_offset) > (line, column):
            continue
        if (node.end_lineno, node.end_col_offset) == (end_line, end_column) and _is_constant(node):
            return True
        is_around = (node.end_lineno or 0, node.end_col_offset or 0) >= (end_line, end_column)
        if is_around and isinstance(node, ast.BoolOp):
            nested = [each.values for each in ast.walk(node) if isinstance(each, ast.BoolOp)]
            nested += [[each.test] for each in ast.walk(node) if isinstance(each, ast.IfExp)]
            if any(_is_constant(value) for values in nested for value in values):
                return True
    return False


def _is_constant(node: ast.expr) -> bool:
    return not any(
        isinstance(part, ast.Name | ast.Call) and getattr(part, "id", "") != "__debug__" for part in ast.walk(node)
    )


def _silent(text: str) -> set[tuple[int, ...]]:
    """Return the links of comparisons with `is` and `in`, which the oracle can't see."""
    silent = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Compare) and any(
            isinstance(op, ast.Is | ast.IsNot | ast.In | ast.NotIn) for op in node.ops
        ):
            sides = [node.left, *node.comparators]
            if len(node.ops) > 1:
                silent |= {
                    (one.lineno, one.col_offset, two.end_lineno, two.end_col_offset)
                    for one, two in zip(sides, sides[1:], strict=False)
                }
    return silent


def random_programs(first: int, n: int) -> dict[str, str]:
    """Return programs full of conditions; every fourth one has all kinds of statements instead."""
    return {
        f"program{seed}": generate_program(seed) if seed % 4 == 3 else generate_conditions(seed)
        for seed in range(first, first + n)
    }


def main() -> int:
    """Run the command line; return 1 if something differs."""
    parser = argparse.ArgumentParser(description="Compare condition coverage with what wrapped operands tell.")
    parser.add_argument("--programs", type=int, default=500, help="how many (default: 500)")
    parser.add_argument("--seed", type=int, default=0, help="of the first program (default: 0)")
    parser.add_argument("--show", type=int, default=10, help="differences to print (default: 10)")
    arguments = parser.parse_args()
    differences: dict[str, str] = {}
    n_operands = 0
    for first in range(arguments.seed, arguments.seed + arguments.programs, _BATCH):
        n = min(_BATCH, arguments.seed + arguments.programs - first)
        found, n_found = compare_conditions_of(random_programs(first, n))
        differences |= found
        n_operands += n_found
    for name, what in list(differences.items())[: arguments.show]:
        print(f"{name}: {what[:400]}")
    version = ".".join(map(str, sys.version_info[:3]))
    print(
        f"{version}: programs tried {arguments.programs}, operands {n_operands}, programs that differ {len(differences)}"
    )
    return 1 if differences else 0


if __name__ == "__main__":
    raise SystemExit(main())
