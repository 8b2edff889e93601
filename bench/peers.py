"""The test suites of coverage.py and pytest-cov, with footfall in their place.

    python bench/peers.py --python python3.11 --python python3.14 --work /tmp/footfall-peers
    python bench/peers.py --suite process --suite pytest-cov

The source distributions come by `pip download`, as pinned here. Each suite runs in an environment that has footfall and
coverage.py, from its unpacked sources:

- `process`, `concurrency`: what they start as `coverage` is `footfall-coverage`, by a directory early in PATH; `import
  coverage` is coverage.py, which reads the results.
- `api`, `config`, `reports`, `plugins`: `coverage.Coverage`, `CoverageData` and the exceptions are those of
  `footfall.compat`.
- `pytest-cov`: pytest-cov is not installed where its tests start pytest, so footfall's plugin answers its options.

Printed is, for each suite and interpreter, how many tests passed, and of those that failed which do not apply, with the
reason: by the table below, or as they fail with coverage.py itself here. What is in
neither is a failure, and the exit status is 1.
"""

import argparse
import os
import pathlib
import re
import signal
import subprocess
import sys
import tarfile
import tempfile
import xml.etree.ElementTree
import zipfile
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from arguments import interpreter_path
from projects import (
    COVERAGE,
    clean_environment,
    install,
    install_footfall,
    label_of,
    make_environment,
    run_quietly,
)

_PYTEST_COV = "pytest-cov==7.1.0"
_CONCURRENCY = ("greenlet", "gevent", "eventlet")
"""Where one is missing its tests ask only that coverage.py says so."""
_NEEDS = ("pytest>=9", "pytest-xdist", "flaky", "hypothesis", "pygments", "process-tests", "virtualenv", *_CONCURRENCY)
_SECONDS = 5400
"""pytest-cov's suite took 50 minutes on a busy machine."""

_IN_PLACE = '''\
"""Puts footfall.compat in the place of coverage.py's classes, before the tests import them."""
import pytest
import coverage, coverage.control, coverage.data, coverage.exceptions, coverage.plugin_support, coverage.report
import coverage.sqldata
import footfall.compat, footfall.compat.exceptions, footfall.report.coverage.json, footfall.report.coverage.xml

for name in dir(footfall.compat.exceptions):
    if isinstance(getattr(coverage.exceptions, name, None), type):
        setattr(coverage.exceptions, name, getattr(footfall.compat.exceptions, name))
coverage.plugin_support.PluginError = coverage.exceptions.PluginError


class Coverage(footfall.compat.Coverage):
    def __init__(self, *args, **named):
        super().__init__(*args, **named)
        coverage.files.set_relative_directory()  # for the tests' own use of coverage.py's functions

    def _should_trace(self, filename, frame):
        """For tests of plugins, which look on while coverage.py calls its own method."""

    _check_include_omit_etc = _should_trace


class SummaryReporter:
    def __init__(self, cov):
        self._coverage = cov

    def report(self, morfs, outfile=None):
        return self._coverage.report(morfs or None, file=outfile)


for module in (coverage, coverage.control, coverage.data, coverage.sqldata):
    for name, ours in (("Coverage", Coverage), ("CoverageData", footfall.compat.CoverageData)):
        if hasattr(module, name):
            setattr(module, name, ours)
coverage.report.SummaryReporter = SummaryReporter
coverage.CoverageException = footfall.compat.CoverageException
# whole files are compared: the writer that they name is to be the same
coverage.__version__ = footfall.compat.__version__
footfall.report.coverage.json.WRITER = footfall.report.coverage.xml.WRITER = coverage.__version__


@pytest.fixture(autouse=True)
def nothing_goes_on():
    """Keep a test that fails while it measures from failing others."""
    yield
    while Coverage.current() is not None:
        Coverage.current().stop()
'''
_FROM_SOURCE = '''\
"""Gives pytest-cov's test module the package that it imports; the pytests that it starts have none."""
import sys

sys.path.insert(0, {source!r})
import pytest_cov.plugin  # noqa

del sys.path[0]

import pytest

# footfall's table stands behind pytest's closing line (docs/pytest.md), so lines are looked for in any order
pytest.LineMatcher.fnmatch_lines = lambda self, lines, consecutive=False: self.fnmatch_lines_random(lines)
'''


@dataclass(frozen=True, slots=True)
class Suite:
    """Some test files of a project, and how footfall comes into them."""

    files: tuple[str, ...]
    way: str
    """command: by PATH; api: by footfall.compat; plugin: by the pytest plugin."""
    reasons: dict[str, str] = field(default_factory=dict)
    """Regular expression for the names of tests -> why they do not apply."""


_FAILS_ANYWAY = "fails with coverage.py as well, on this machine"
_WORDS = "asks for a message in coverage.py's words, or of its documentation's address"
_INSIDE = "looks inside coverage.py: its core, debug output, private methods or own files"
_LOSES = "asks that data is lost which footfall keeps"
_ONE_FILE = "asks for a data file of each process; a run has one"
_NO_FILE = "code under a name that is no file, or of a file that is gone by then, is left out, with a warning"
_SITE = "the site is footfall's"
_PYLIB = "the standard library is not measured"

_SUITES = {
    "process": Suite(
        ("tests/test_process.py",),
        "command",
        {
            r"test_coverage_zip_is_like_python": "runs coverage.py's own package from an archive",
            r"test_combine_branch_and_statement_data": "both kinds of data are combined",
            r"test_(missing_source_file|aliases_used|save_signal)": _WORDS,
            r"test_fork$": _ONE_FILE,
            r"test_timid|test_debug|test_pydoc": _INSIDE,
            r"test_os_exit\[False\]": _LOSES,
            r"test_warning_trace_function_changed": "footfall's engines do not depend on sys.settrace",
            r"test_lang_c": _NO_FILE,
            r"test_subprocess_in_directories": "counts further lines of a statement, which probes do not record",
        },
    ),
    "concurrency": Suite(
        ("tests/test_concurrency.py",),
        "command",
        {
            r"test_multiprocessing_(simple|append)": _ONE_FILE,
            r"test_multiprocessing_bootstrap_error_handling": _INSIDE,
            r"test_sigterm_multiprocessing_saves_data\[False\]": _LOSES,
        },
    ),
    "config": Suite(
        ("tests/test_config.py",),
        "api",
        {
            r"test_force_environment\[True\]": "a variable of coverage.py's own benchmark",
            r"test_tilde_in": "replaces `expanduser` in coverage.py's module; footfall's is the system's",
            r"test_exceptions_from_missing": "looks at coverage.py's own reader of files",
            r"SerializeConfigTest": "coverage.py's way to tell processes that it starts, which footfall has no need of",
        },
    ),
    "api": Suite(
        ("tests/test_api.py",),
        "api",
        {
            r"test_stdlib\[True\]": _PYLIB,
            r"test_exclude(_partial)?_list|test_many_missing_branches|test_config_crash": _INSIDE,
            r"test_warnings_with_urls|test_combining_bad_data|corrupt_file|empty_file|no_usable_files": _WORDS,
        },
    ),
    "plugins": Suite(
        ("tests/test_plugins.py",),
        "api",
        {
            r"test_plugin_sys_info|test_plugin_with_no_sys_info|test_plugin2_with_branch": _INSIDE,
            r"test_plugin2_with_html_report": _SITE,
        },
    ),
    "reports": Suite(
        tuple(f"tests/test_{name}.py" for name in ("report", "json", "xml", "lcov", "annotate", "report_common")),
        "api",
        {
            r"test_no_source": _NO_FILE,
            r"test_markdown_escape_filename": "relative names without `relative_files` in the data are found",
            r"html": _SITE,
            r"test_rates_come_from_rate_function": _INSIDE,
        },
    ),
    "pytest-cov": Suite(
        ("tests/test_pytest_cov.py",),
        "plugin",
        {
            r"test_celery": "needs celery and a redis in a container",
            r"test_dynamic_context\[": "pytest-cov warns of it, and refuses it with pytest-xdist; here it works",
            r"test_cover_looponfail": "the report comes when pytest ends, not after each round of --looponfail",
            r"test_dist_subprocess_not_collocated": "copies of files elsewhere than in the source are not measured",
            r"test_filterwarnings_error|test_invalid_coverage_source": _WORDS,
            r"test_term_report_does_not_interact_with_html_output": _SITE,
        },
    ),
}


def main() -> int:
    """Run what was asked for, print a table for each interpreter; 1 where a test failed without a reason."""
    options = _options().parse_args()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it, which tests notice
    work = pathlib.Path(options.work or tempfile.mkdtemp(prefix="footfall-peers-")).resolve()
    status = 0
    for interpreter in options.python or [sys.executable]:
        base, python = _prepare(interpreter, work)
        for name in options.suite or _SUITES:
            failed = _try_suite(name, _SUITES[name], base, python)
            status = 1 if failed else status
    return status


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--python", action="append", type=interpreter_path, help="an interpreter (repeatable; default: this one)"
    )
    parser.add_argument("--suite", action="append", choices=list(_SUITES), help="a suite (repeatable; default: all)")
    parser.add_argument("--work", help="directory for downloads and environments, kept for the next time")
    return parser


def _prepare(interpreter: str, work: pathlib.Path) -> tuple[pathlib.Path, pathlib.Path]:
    """Unpack both projects, make the environment and what stands in for coverage.py; return its folder and Python."""
    base = work / label_of(interpreter).replace(" ", "-").lower()
    base.mkdir(parents=True, exist_ok=True)
    python = base / "venv" / "bin" / "python"
    ready, needs = base / ".ready", "\n".join((COVERAGE, *_NEEDS))
    if not ready.exists() or ready.read_text(encoding="utf-8") != needs:
        if not python.exists():
            make_environment(interpreter, base / "venv")
        install(python, needs.split("\n"))
        ready.write_text(needs, encoding="utf-8")
    for requirement in (COVERAGE, _PYTEST_COV):
        _unpack(requirement, python, work / "downloads", base)
    install_footfall(python, base)
    shim = base / "shim" / "coverage"
    shim.parent.mkdir(exist_ok=True)
    shim.unlink(missing_ok=True)
    shim.symlink_to(python.parent / "footfall-coverage")
    plugins = base / "plugins"
    plugins.mkdir(exist_ok=True)
    (plugins / "peers_in_place.py").write_text(_IN_PLACE, encoding="utf-8")
    source = _folder(base, _PYTEST_COV) / "src"
    (plugins / "peers_from_source.py").write_text(_FROM_SOURCE.format(source=str(source)), encoding="utf-8")
    return base, python


def _folder(base: pathlib.Path, requirement: str) -> pathlib.Path:
    return base / requirement.replace("-", "_").replace("==", "-")


def _unpack(requirement: str, python: pathlib.Path, downloads: pathlib.Path, base: pathlib.Path) -> None:
    name = _folder(base, requirement).name
    if not (downloads / f"{name}.tar.gz").exists():
        options = ["--no-deps", "--no-binary", requirement.partition("==")[0], "-d", str(downloads)]
        run_quietly([str(python), "-m", "pip", "download", "-q", *options, requirement])
    if not (base / name).exists():
        with tarfile.open(downloads / f"{name}.tar.gz") as archive:
            archive.extractall(base, filter="data")
        if requirement == COVERAGE:
            _make_importable(base / name)


def _make_importable(folder: pathlib.Path) -> None:
    """Leave the tests alone, so that the installed package is imported, and make the archive that some import from."""
    (folder / "coverage").rename(folder / "not-coverage")
    tests = folder / "tests"
    with zipfile.ZipFile(tests / "zipmods.zip", "w") as archive:
        archive.write(tests / "covmodzip1.py", "covmodzip1.py")
        for path in sorted((tests / "zipsrc").rglob("*.py")):
            archive.write(path, path.relative_to(tests / "zipsrc"))


def _try_suite(name: str, suite: Suite, base: pathlib.Path, python: pathlib.Path) -> list[str]:
    """Run a suite, print its line and its failures by reason, and return those that have none."""
    results = _run(name, suite, base, python, suite.files)
    failed = sorted(test for test, outcome in results.items() if outcome == "failed")
    reasons = {test: _reason(test, suite) for test in failed}
    unexplained = [test for test in failed if not reasons[test]]
    if unexplained and suite.way != "plugin":
        theirs = _run(f"{name}-theirs", suite, base, python, unexplained, is_ours=False)
        reasons.update({test: _FAILS_ANYWAY for test, outcome in theirs.items() if outcome == "failed"})
    left = [test for test in failed if not reasons[test]]
    counts = Counter(results.values())
    passed, all_run = counts["passed"], len(results) - counts["skipped"]
    print(
        f"{base.name} {name}: {passed} of {all_run} passed,"
        f" {len(failed) - len(left)} not applicable, {len(left)} failed"
    )
    for reason, number in Counter(reason for reason in reasons.values() if reason).most_common():
        print(f"    {number} not applicable: {reason}")
    for test in left:
        print(f"    FAILED {test}", flush=True)
    return left


def _reason(test: str, suite: Suite) -> str:
    return next((reason for pattern, reason in suite.reasons.items() if re.search(pattern, test)), "")


def _run(
    name: str,
    suite: Suite,
    base: pathlib.Path,
    python: pathlib.Path,
    wanted: Iterable[str],
    *,
    is_ours: bool = True,
) -> dict[str, str]:
    """Run the wanted files or tests with footfall in place or without; return the outcome of each test.

    What pytest printed is kept under `name`, too.
    """
    folder = _folder(base, _PYTEST_COV if suite.way == "plugin" else COVERAGE)
    report = base / f"{name}.xml"
    report.unlink(missing_ok=True)
    command = [str(python), "-m", "pytest", "-q", "--rootdir=.", "-c", os.devnull, "-p", "no:cacheprovider"]
    command += ["-o", "python_classes=*Test", "-o", "junit_family=xunit1", f"--junit-xml={report}"]
    command += ["-p", "pytester"] if suite.way == "plugin" else ["-p", "no:xdist"]
    path = [str(python.parent), os.environ["PATH"]]
    if is_ours and suite.way == "command":
        path.insert(0, str(base / "shim"))
    if is_ours and suite.way != "command":
        command += ["-p", "peers_in_place" if suite.way == "api" else "peers_from_source"]
    environment = clean_environment(PATH=os.pathsep.join(path), COVERAGE_CORE="ctrace")
    environment.pop("PYTHONHASHSEED")  # it stays out, as PYTHONPATH does, which tests ask for
    folders = [str(base / "plugins"), ""]
    command[1:3] = ["-c", f"import sys; sys.path[:0] = {folders}; import pytest; sys.exit(pytest.main(sys.argv[1:]))"]
    with open(base / f"{name}.txt", "wb") as output:
        subprocess.run([*command, *wanted], cwd=folder, env=environment, stdout=output, stderr=output, timeout=_SECONDS)
    if not report.exists():
        raise SystemExit(f"pytest wrote no results; see {base / f'{name}.txt'}")
    outcomes = {}
    for case in xml.etree.ElementTree.parse(report).iter("testcase"):
        tags = {child.tag for child in case}
        outcome = "failed" if tags & {"failure", "error"} else "skipped" if "skipped" in tags else "passed"
        module, _, kind = case.get("classname", "").rpartition(".")
        outcomes[f"{module.replace('.', '/')}.py::{kind}::{case.get('name')}"] = outcome
    return outcomes


if __name__ == "__main__":
    sys.exit(main())
