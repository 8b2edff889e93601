"""Any project's own suite, by its own configuration: footfall's coverage against that of coverage.py's C tracer.

    python bench/sdists.py sqlparse==0.5.3 typeguard anyio
    python bench/sdists.py --python python3.11 --python pypy3.11 toolz click --work /tmp/footfall-sdists
    python bench/sdists.py ~/checkouts/rich --needs attrs --pytest "-k not slow"
    python bench/sdists.py django --command "runtests.py --parallel=1 model_fields" --in tests

Each project is a requirement whose source distribution holds its tests, or a directory with its sources. It is
installed from its sources (editable) with the test requirements that it names itself: the dependency group or extra
`test`, `tests`, `testing` or `dev`, or a file of requirements. Its suite runs in its own directory under
`footfall run` and under `COVERAGE_CORE=ctrace coverage run --branch`. Both read the project's own configuration of
coverage.py; nothing is added but `--branch`, and data files that are kept apart. Then `footfall json` and
`coverage json` are compared file by file, tests' files too: lines executed, missing and excluded, branches taken and
missing; and the results of the tests. Where they differ the C tracer runs once more, and what its two runs do not
agree on is unstable by itself and told apart.

PyPy has no C tracer: there it is coverage.py's Python tracer, which is not right everywhere (docs/how-it-works.md).
Exit status 1 when a file or a test's result differs, 3 when a project could not be tried.
"""

import argparse
import configparser
import json
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from dataclasses import dataclass

from differences import Difference, differences
from modes import FAILURE, counts_of
from projects import COVERAGE, clean_environment, install, install_footfall, label_of, make_environment, run_quietly
from suites import print_differences

_GROUPS = ("test", "tests", "testing", "dev")
_REQUIREMENT_FILES = (
    "requirements/tests.txt", "requirements/test.txt", "requirements-test.txt", "test-requirements.txt",
    "requirements/testing.txt", "requirements-tests.txt", "tests/requirements.txt", "requirements-dev.txt",
    "tests/requirements/py3.txt",
)  # fmt: skip
_DISTURBING = ("pytest-cov", "pytest-xdist", "pytest-randomly", "pytest-codspeed")
"""They would measure beside us, spread or shuffle the tests."""
_NAME = re.compile(r"[A-Za-z0-9._-]+")
_SECONDS = 1800

Files = dict[str, dict[str, object]]


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a project needs beyond what its files say."""

    needs: tuple[str, ...] = ()
    command: tuple[str, ...] = ("-m", "pytest", "-q", "-rfE", "-p", "no:cacheprovider")
    directory: str = "."


_RECIPES = {
    "attrs": Recipe(needs=("hypothesis<6.156", "pympler", "cloudpickle")),
    "django": Recipe(
        command=("runtests.py", "--parallel=1", "--settings=test_sqlite", "model_fields", "queries", "utils_tests"),
        directory="tests",
    ),
    "starlette": Recipe(needs=("httpx", "anyio", "trio", "itsdangerous", "jinja2", "python-multipart", "pyyaml")),
}


@dataclass(frozen=True, slots=True)
class Trial:
    """One project installed for one interpreter."""

    name: str
    label: str  # of the interpreter, as "CPython 3.11.7"
    python: pathlib.Path
    directory: pathlib.Path  # the command runs here
    command: tuple[str, ...]
    scratch: pathlib.Path


@dataclass(frozen=True, slots=True)
class Outcome:
    """One run of a suite."""

    returncode: int
    counts: dict[str, int]
    failures: frozenset[str]
    files: Files  # of the tool's JSON report
    percent: float


class NotTried(Exception):
    """The project can't be compared here; the text says why."""


def main() -> int:
    """Compare what was asked for; print a line for each project and interpreter, and a table at the end."""
    options = _options().parse_args()
    work = pathlib.Path(options.work or tempfile.mkdtemp(prefix="footfall-sdists-")).resolve()
    work.mkdir(parents=True, exist_ok=True)
    rows, status = [], 0
    for interpreter in options.python or [sys.executable]:
        for name in options.project:
            try:
                trial = _prepare(name, interpreter, work, options)
                row, differing = _compare(trial)
            except (NotTried, SystemExit, subprocess.TimeoutExpired) as error:
                print(f"{name} on {interpreter}: not tried: {error}", flush=True)
                rows.append(f"| {name} | {interpreter} | not tried | | | |")
                status = 3
                continue
            rows.append(row)
            if differing and status == 0:
                status = 1
    print("\n| project | interpreter | tests | files | differ | total: C tracer / footfall |")
    print("|---|---|---|---|---|---|")
    print("\n".join(rows))
    return status


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("project", nargs="+", help="a requirement, as NAME or NAME==VERSION, or a directory")
    parser.add_argument("--python", action="append", help="an interpreter (repeatable; default: this one)")
    parser.add_argument("--needs", default="", help="further requirements of the tests, separated by blanks")
    parser.add_argument("--pytest", default="", help="further options for pytest")
    parser.add_argument("--command", default="", help="what runs instead of pytest: arguments of python")
    parser.add_argument("--in", dest="directory", default="", help="directory of the sources to run in")
    parser.add_argument("--work", help="directory for downloads and environments, kept for the next time")
    return parser


def _prepare(name: str, interpreter: str, work: pathlib.Path, options: argparse.Namespace) -> Trial:
    """Unpack and install a project and its test requirements, unless that is done, and this footfall anew."""
    label = label_of(interpreter)
    base = work / label.replace(" ", "-").lower()
    base.mkdir(exist_ok=True)
    project = pathlib.Path(name).resolve().name if pathlib.Path(name).is_dir() else name.partition("==")[0].lower()
    recipe = _RECIPES.get(project, Recipe())
    source = base / f"source-{project}"
    python = base / f"venv-{project}" / "bin" / "python"
    ready = python.parent.parent / ".ready"
    if not ready.exists():
        shutil.rmtree(source, ignore_errors=True)
        shutil.rmtree(python.parent.parent, ignore_errors=True)
        _place_sources(name, source, work / "downloads")
        make_environment(interpreter, python.parent.parent)
        install(python, ["-e", str(source), COVERAGE, "pytest"])
        _install_one_by_one(python, [*_test_requirements(source), *recipe.needs, *options.needs.split()])
        run_quietly([str(python), "-m", "pip", "uninstall", "-q", "-y", *_DISTURBING])  # what others have brought
        ready.touch()
    install_footfall(python, base)
    command = (*shlex.split(options.command),) or (*recipe.command, *shlex.split(options.pytest))
    directory = source / (options.directory or recipe.directory)
    scratch = base / f"scratch-{project}"
    scratch.mkdir(exist_ok=True)
    return Trial(project, label, python, directory, command, scratch)


def _place_sources(name: str, source: pathlib.Path, downloads: pathlib.Path) -> None:
    if pathlib.Path(name).is_dir():
        ignored = shutil.ignore_patterns(".git", ".venv*", "__pycache__", "*.so")
        shutil.copytree(name, source, ignore=ignored, symlinks=True)
        return
    with tempfile.TemporaryDirectory() as place:
        only = name.partition("==")[0]
        download = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", only]
        run_quietly([*download, "-d", place, name])
        archive = next(pathlib.Path(place).glob("*.tar.gz"), None)
        if archive is None:
            raise NotTried("it has no source distribution as .tar.gz")
        downloads.mkdir(exist_ok=True)
        with tarfile.open(archive) as packed:
            packed.extractall(pathlib.Path(place) / "unpacked", filter="data")
        shutil.move(next((pathlib.Path(place) / "unpacked").iterdir()), source)


def _test_requirements(source: pathlib.Path) -> list[str]:
    """What the project says that its tests need, as requirements."""
    file = source / "pyproject.toml"
    told = tomllib.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    groups = told.get("dependency-groups", {})
    extras = told.get("project", {}).get("optional-dependencies", {})
    for table in (groups, extras):
        for name in _GROUPS:
            if name in table:
                return _flattened(table, name)
    for name in _REQUIREMENT_FILES:
        if (source / name).exists():
            lines = (source / name).read_text(encoding="utf-8").splitlines()
            return [text for line in lines if (text := line.partition(" #")[0].split("\\")[0].strip())
                    and not text.startswith(("#", "-"))]
    return []


def _flattened(table: dict[str, list[object]], name: str) -> list[str]:
    """A dependency group with those that it includes (PEP 735)."""
    found: list[str] = []
    for entry in table[name]:
        if isinstance(entry, dict):
            found += _flattened(table, entry["include-group"])
        else:
            found.append(str(entry))
    return found


def _name_of(requirement: str) -> str:
    match = _NAME.match(requirement)
    return match.group().lower().replace("_", "-") if match else ""


def _install_one_by_one(python: pathlib.Path, requirements: list[str]) -> None:
    """Install all at once, or else those that can be had for this interpreter."""
    wanted = [text for text in requirements if _name_of(text) not in (*_DISTURBING, "coverage")]
    if not wanted:
        return
    try:
        install(python, wanted)
    except SystemExit:
        for requirement in wanted:
            try:
                install(python, [requirement])
            except SystemExit:
                print(f"  {requirement} can't be installed here: its tests are left out or fail", flush=True)


def _compare(trial: Trial) -> tuple[str, bool]:
    """Run under both tools and print what differs; return a row of the table and whether anything did."""
    core = "ctrace" if trial.label.startswith("CPython") else "pytrace"
    theirs = _run_coverage(trial, core, 1)
    ours = _run_footfall(trial)
    found = differences(ours.files, theirs.files)
    same = (ours.counts, ours.failures) == (theirs.counts, theirs.failures)
    unstable: set[tuple[str, str]] = set()
    if found or not same:
        again = _run_coverage(trial, core, 2)
        unstable = {(each.file, each.key) for each in differences(theirs.files, again.files)}
        same = same or (ours.counts, ours.failures) == (again.counts, again.failures)
        if (theirs.counts, theirs.failures) != (again.counts, again.failures):
            print("  the tests' results differ between two runs of coverage.py", flush=True)
    counts = ", ".join(f"{number} {name}" for name, number in theirs.counts.items())
    print(f"{trial.name} on {trial.label}: {counts or f'status {theirs.returncode}'}", flush=True)
    if not same:
        _print_failures(ours, theirs)
    print_differences(found, unstable, len(theirs.files))
    differing = _settled_files(found, unstable)
    results = counts if same else f"{counts}; under footfall NOT THE SAME"
    totals = f"{theirs.percent:.2f} / {ours.percent:.2f}"
    row = f"| {trial.name} | {trial.label} | {results} | {len(theirs.files)} | {len(differing)} | {totals} |"
    return row, bool(differing) or not same


def _settled_files(found: list[Difference], unstable: set[tuple[str, str]]) -> set[str]:
    return {each.file for each in found if (each.file, each.key) not in unstable}


def _print_failures(ours: Outcome, theirs: Outcome) -> None:
    print(f"  under footfall: {ours.counts}, status {ours.returncode}; under coverage.py: status {theirs.returncode}")
    for failure in sorted(ours.failures ^ theirs.failures):
        print(f"  fails under {'footfall' if failure in ours.failures else 'coverage.py'} only: {failure}")


def _run_footfall(trial: Trial) -> Outcome:
    data = trial.scratch / "footfall.data"
    tool = [str(trial.python.with_name("footfall"))]
    command = [*tool, "run", "--quiet", f"--data-file={data}", str(trial.python), *trial.command]
    return _measured(trial, tool, command, data, {})


def _run_coverage(trial: Trial, core: str, number: int) -> Outcome:
    data = trial.scratch / f"coverage-{number}.data"
    tool = [str(trial.python), "-m", "coverage"]
    command = [*tool, "run", "--branch", f"--data-file={data}", *trial.command]
    return _measured(trial, tool, command, data, {"COVERAGE_CORE": core})


def _measured(trial: Trial, tool: list[str], command: list[str], data: pathlib.Path, extra: dict[str, str]) -> Outcome:
    """Run the suite and the tool's JSON report; with `parallel` set its data files are combined first."""
    for old in data.parent.glob(f"{data.name}*"):
        old.unlink()
    print(f"  {trial.name} on {trial.label}: {' '.join(command)}", file=sys.stderr, flush=True)
    environment = clean_environment(**extra)
    done = subprocess.run(
        command, cwd=trial.directory, env=environment, stdin=subprocess.DEVNULL, timeout=_SECONDS,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
    )  # fmt: skip
    (data.parent / f"{data.stem}.log").write_text(done.stdout, encoding="utf-8", errors="replace")
    option = f"--data-file={data}"
    if _is_parallel(trial.directory):
        run_quietly([*tool, "combine", "-q", option], trial.directory)
    report = data.with_suffix(".json")
    told = subprocess.run(
        [*tool, "json", "-q", "-i", "--fail-under=0", option, "-o", str(report)],
        cwd=trial.directory, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    if told.returncode or not report.exists():
        raise NotTried(f"{' '.join(command)}\n{done.stdout[-2000:]}\n{told.stdout[-2000:]}")
    content = json.loads(report.read_text(encoding="utf-8"))
    return Outcome(
        done.returncode,
        counts_of(done.stdout),
        frozenset(FAILURE.findall(done.stdout)),
        content["files"],
        content["totals"]["percent_covered"],
    )


def _is_parallel(directory: pathlib.Path) -> bool:
    """Whether the project's configuration of coverage.py asks for data files of several processes."""
    for name, section in ((".coveragerc", "run"), ("setup.cfg", "coverage:run"), ("tox.ini", "coverage:run")):
        parser = configparser.ConfigParser(interpolation=None, strict=False)
        if parser.read(directory / name) and parser.has_section(section):
            return parser.getboolean(section, "parallel", fallback=False)
    file = directory / "pyproject.toml"
    if not file.exists():
        return False
    told = tomllib.loads(file.read_text(encoding="utf-8")).get("tool", {}).get("coverage", {}).get("run", {})
    return bool(told.get("parallel", False))


if __name__ == "__main__":
    sys.exit(main())
