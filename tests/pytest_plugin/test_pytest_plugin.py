"""`pytest --footfall` and pytest-cov's command lines: real sessions in a small project, started as people start them."""

import json
import os
import pathlib
import signal
import subprocess
import sys
from collections.abc import Callable

import pytest

from footfall.pytest_plugin import restart
from footfall.record.data.coverage_tables import read_coverage, write_coverage
from footfall.record.data.profile_tables import read_profile

pytestmark = pytest.mark.any_python

IS_CPYTHON = sys.implementation.name == "cpython"
Session = Callable[..., subprocess.CompletedProcess[str]]

PRICE = """
def total(prices, discount=0):
    found = 0
    for price in prices:
        found += price
    if discount:
        found -= discount
    return found


def unused():
    return 1
"""
TEST_PRICE = """
import pytest

from shop.price import total


def test_total():
    assert total([1, 2]) == 3


@pytest.mark.parametrize("n", [1, 2])
def test_many(n):
    assert total([1] * n) == n
"""


@pytest.fixture
def project(tmp_path: pathlib.Path) -> pathlib.Path:
    """A package `shop` with tests: 10 statements, 3 of them missed, 4 branches."""
    (tmp_path / "shop").mkdir()
    (tmp_path / "tests").mkdir()
    (tmp_path / "shop" / "__init__.py").write_text("")
    (tmp_path / "shop" / "never.py").write_text("x = 1\n")
    (tmp_path / "shop" / "price.py").write_text(PRICE[1:])
    (tmp_path / "tests" / "test_price.py").write_text(TEST_PRICE[1:])
    (tmp_path / "pyproject.toml").write_text('[tool.pytest.ini_options]\npythonpath = ["."]\n')
    return tmp_path


@pytest.fixture
def session(project: pathlib.Path) -> Session:
    """Run `pytest ARGUMENTS...` in the project, whose other plugins stay out."""

    def run(*arguments: str, cwd: pathlib.Path = project, **options: object) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        command = [sys.executable, "-m", "pytest", "-p", "footfall.pytest_plugin", "-p", "no:cacheprovider", "-q"]
        return subprocess.run(
            [*command, *arguments],
            cwd=cwd,
            env=environment,
            text=True,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=120,
            **options,
        )

    return run


def total_line(stdout: str) -> list[str]:
    """The numbers of the last TOTAL."""
    return [line for line in stdout.splitlines() if line.startswith("TOTAL")][-1].split()[1:]


# --- our own options ---


def test_footfall_measures_and_ends_with_the_summary(project, session):
    """One option: pytest's output as ever, then the summary; data of both kinds."""
    done = session("--footfall", "--footfall-source=shop")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("3 passed") == 1
    assert "Coverage 71%" in done.stderr and "Hottest lines" in done.stderr
    coverage = read_coverage(project / ".coverage")
    assert coverage.has_arcs and {os.path.basename(path) for path in coverage.files} == {
        "__init__.py", "never.py", "price.py",
    }  # fmt: skip
    profile = read_profile(project / ".coverage")
    assert profile is not None and profile.n_samples > 0


def test_without_an_option_nothing_is_measured(project, session):
    """The plugin is there for every pytest, and leaves it alone."""
    done = session()
    assert (done.returncode, done.stderr) == (0, "")
    assert not (project / ".coverage").exists() and not (project / ".footfall").exists()


def test_nothing_is_printed_or_imported_twice(project, session):
    """The session starts over before anything of it was seen: conftest.py runs once, and one header is printed."""
    (project / "conftest.py").write_text(
        "import os, sys\nwith open('log', 'a') as file: file.write('conftest\\n')\n"
        "def pytest_report_header(): return 'our header ' + repr(sys.argv[1:])\n"
    )
    done = session("--footfall", "-v", "--footfall-report=none", "tests/test_price.py::test_total")
    assert done.returncode == 0
    assert (project / "log").read_text() == "conftest\n"
    assert done.stdout.count("our header") == 1 and done.stdout.count("test session starts") == 1
    assert "'tests/test_price.py::test_total']" in done.stdout
    assert "Coverage" not in done.stdout + done.stderr


def test_options_of_the_interpreter_are_kept(project, session):
    """-X, -W and -O belong to the command line that is started over."""
    (project / "tests" / "test_flags.py").write_text(
        "import sys\ndef test(): print(sys.flags.optimize, sys._xoptions, sys.warnoptions, __debug__)\n"
    )
    command = [sys.executable, "-O", "-X", "importtime=0" if not IS_CPYTHON else "dev", "-W", "ignore::UserWarning"]
    done = subprocess.run(
        [*command, "-m", "pytest", "-p", "no:cacheprovider", "--footfall", "-s", "tests/test_flags.py"],
        cwd=project, text=True, capture_output=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "1 {'" in done.stdout and "'ignore::UserWarning'" in done.stdout and "False" in done.stdout


def test_modules_of_conftest_are_covered(project, session):
    """What conftest.py imports is measured from its first line, as nothing was imported before."""
    (project / "conftest.py").write_text("import shop.never\n")
    session("--footfall", "--footfall-source=shop")
    coverage = read_coverage(project / ".coverage")
    assert next(found.lines for path, found in coverage.files.items() if path.endswith("never.py")) == {1}


FAILING = "def test_bad(): assert 0\n"
STATUSES = {
    "a test fails": (FAILING, [], 1),
    "no tests": ("", [], 5),
    "a test crashes the interpreter": ("import os\ndef test(): os.kill(os.getpid(), 9)\n", [], -signal.SIGKILL),
    "the keyboard interrupts": ("def test(): raise KeyboardInterrupt\n", [], 2),
    "a file can't be collected": ("import nothing_of_the_kind\n", [], 2),
    "a wrong option": ("", ["--no-such-option"], 4),
    "a wrong path": ("", ["no_such_file.py"], 4),
    "a wrong configuration": ("", ["--footfall-config=missing.ini"], 4),
}


@pytest.mark.parametrize("what", STATUSES)
def test_exit_status_is_the_sessions(project, session, what):
    """pytest's own status, whatever it is; no summary of a session that never was."""
    source, arguments, status = STATUSES[what]
    (project / "tests" / "test_price.py").write_text("import shop.price\n" + source)
    done = session("--footfall", "--footfall-source=shop", *arguments)
    assert done.returncode == status, done.stderr
    assert ("Coverage" in done.stderr) == (status != 4)
    assert (project / ".coverage").exists() == (status != 4)


def test_only_shown_is_not_measured(project, session):
    """--collect-only, --help and their like run no tests: there is nothing to measure, and the old data stays."""
    for option in ("--co", "--help", "--fixtures"):
        done = session("--footfall", "--cov=shop", option)
        assert done.returncode == 0, done.stderr
        assert "Coverage" not in done.stderr and "TOTAL" not in done.stdout
    assert not (project / ".coverage").exists()


def test_help_shows_the_group(session):
    """`pytest --help` names the options with examples."""
    text = " ".join(session("--help").stdout.split())
    assert "pytest --footfall --footfall-source=src --footfall-report=term-missing" in text
    assert "--cov-fail-under" in text


def test_plugin_can_be_left_out(session):
    """`-p no:footfall` takes all its options away."""
    command = [sys.executable, "-m", "pytest", "-p", "no:footfall", "--footfall"]
    done = subprocess.run(command, text=True, capture_output=True, timeout=120)
    assert done.returncode == 4 and "--footfall" in done.stderr


def test_no_footfall_has_the_last_word(project, session):
    """For when the configuration file says --footfall."""
    (project / "pyproject.toml").write_text('[tool.pytest.ini_options]\npythonpath = ["."]\naddopts = "--footfall"\n')
    assert session("--no-footfall").returncode == 0
    assert not (project / ".coverage").exists()
    session()
    assert (project / ".coverage").exists()


def test_reports_of_our_own(project, session):
    """Any combination; the table has the time, files are where they were asked for."""
    done = session(
        "--footfall", "--footfall-source=shop", "--footfall-no-branch", "--footfall-data-file=out/data",
        "--footfall-report=term-missing:skip-covered", "--footfall-report=json:out/c.json",
        "--footfall-report=html:out/site", "--footfall-report=lcov:out/c.info",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    table = done.stdout[done.stdout.index("Name ") :].splitlines()
    assert table[0].split() == ["Name", "Stmts", "Miss", "Cover", "Time", "Missing"]
    assert total_line(done.stdout)[:3] == ["10", "3", "70%"]
    assert json.loads((project / "out" / "c.json").read_text())["totals"]["num_statements"] == 10
    assert (project / "out" / "site" / "index.html").exists() and (project / "out" / "c.info").exists()
    assert (project / "out" / "data").exists() and not (project / ".coverage").exists()
    assert "Coverage 7" not in done.stderr  # no summary when others were asked for


def test_measured_already_is_reported(project, session, footfall):
    """Under `footfall run` the run's options hold: one line says so, and nothing is measured twice."""
    done = footfall(
        "run", sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--cov=shop", "--cov-fail-under=99",
        cwd=project,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "[pytest-measured]" in done.stdout and "TOTAL" not in done.stdout
    assert done.stderr.count("Coverage ") == 1


# --- pytest started by another program ---

CALLER = """
import sys, pytest
print("before")
print("status", int(pytest.main(["-q", "-p", "no:cacheprovider", *sys.argv[1:]])))
"""


def test_a_session_started_by_a_test_of_an_xdist_worker(session, monkeypatch):
    """It inherits the worker's variables, and is measured: it is no worker."""
    monkeypatch.setenv("PYTEST_XDIST_WORKER", "gw0")
    monkeypatch.setenv("PYTEST_XDIST_WORKER_COUNT", "2")
    done = session("--footfall", "--footfall-report=term")
    assert done.returncode == 0, done.stdout
    assert "TOTAL" in done.stdout


def test_a_worker_that_does_not_inherit_the_run(project, session):
    """As one on another machine: it runs its tests and starts no measurement, which could not come back."""
    pytest.importorskip("xdist")
    (project / "conftest.py").write_text(
        "import sys\n"
        "def pytest_report_to_serializable(config, report):\n"
        "    if hasattr(config, 'workerinput') and report.when == 'call':\n"
        "        report.sections.append(('loaded', str('footfall.observe.start' in sys.modules)))\n"
        "def pytest_runtest_logreport(report):\n"
        "    if report.when == 'call': print(report.sections)\n"
    )
    without = f"popen//python=env -u FOOTFALL_RUN {sys.executable}"
    done = session("-p", "xdist.plugin", "-s", "--footfall", "--footfall-report=term", "--dist=load", "--tx", without)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("('loaded', 'False')") == 3


def test_pytest_main_is_measured_from_there(project):
    """A program that calls pytest.main() is not started over; what it imported before is inferred."""
    (project / "caller.py").write_text("import shop.never\n" + CALLER)
    done = subprocess.run(
        [sys.executable, "caller.py", "--cov=shop", "--cov-branch", "--cov-fail-under=90"],
        cwd=project, text=True, capture_output=True, timeout=120,
    )  # fmt: skip
    assert done.stdout.count("before") == 1 and "status 1" in done.stdout, done.stderr
    assert total_line(done.stdout) == ["10", "2", "4", "1", "79%"]
    assert "FAIL Required test coverage of 90% not reached. Total coverage: 78.57%" in done.stdout


@pytest.mark.parametrize(("option", "is_left"), [("", False), ("--cov-append", True)])
def test_data_of_an_earlier_session_goes_at_the_start(project, option, is_left):
    """It is not there to be taken for this session's, which never comes to its end here; --cov-append keeps it."""
    (project / "caller.py").write_text(CALLER)
    (project / "conftest.py").write_text("import os\ndef pytest_collection(session): os._exit(9)\n")
    data_file = project / ".coverage"
    with write_coverage(data_file, {}, has_arcs=True):
        pass
    command = [sys.executable, "caller.py", "--cov=shop", *option.split()]
    done = subprocess.run(command, cwd=project, text=True, capture_output=True, timeout=120)
    assert done.returncode == 9, done.stdout
    assert data_file.exists() == is_left


@pytest.mark.parametrize("argument", ["--no-such-option", "no_such_test.py"])
@pytest.mark.parametrize("program", ["-mpytest", "caller.py"])
def test_a_command_line_that_pytest_refuses(project, program, argument):
    """Nothing was tested, so earlier data stays as it was, and nothing is said of what was measured."""
    (project / "caller.py").write_text(CALLER)
    data_file = project / ".coverage"
    with write_coverage(data_file, {}, has_arcs=True):
        pass
    before = data_file.read_bytes()
    command = [sys.executable, program, "--footfall", argument]
    done = subprocess.run(command, cwd=project, text=True, capture_output=True, timeout=120)
    assert done.returncode == 4 or "status 4" in done.stdout
    assert "footfall: " not in done.stderr and "Coverage" not in done.stderr + done.stdout
    assert data_file.read_bytes() == before
    assert not [*project.glob(".footfall/runs/*")]


def test_status_of_a_usage_error_after_tests(project, session):
    """What ran is in the data."""
    (project / "conftest.py").write_text(
        "import pytest\ndef pytest_runtest_logfinish(nodeid): pytest.exit('enough', returncode=4)\n"
    )
    assert session("--footfall").returncode == 4
    assert str(project / "shop" / "price.py") in read_coverage(project / ".coverage").files


COMMANDS = [
    (["python", "-m", "pytest", "-q"], 1, True),
    (["python", "-mpytest", "-q"], 1, True),
    (["python", "-Im", "pytest", "-q"], 1, True),
    (["python", "-X", "dev", "-W", "error", "-m", "pytest"], 0, True),
    (["python", "/v/bin/pytest", "tests", "-q"], 2, True),
    (["python", "/usr/bin/py.test-3", "tests"], 1, True),
    (["python", "-m", "coverage", "run", "-m", "pytest", "-q"], 1, False),
    (["python", "run_tests.py", "-q"], 1, False),
    (["python", "-c", "import pytest; pytest.main()"], 0, False),
    (["python", "-m", "pdb", "-m", "pytest"], 0, False),
    (["python", "pytest", "pytest"], 0, False),
]


@pytest.mark.parametrize(("command", "n_arguments", "is_main"), COMMANDS)
def test_only_a_pytest_itself_is_started_over(monkeypatch, command, n_arguments, is_main):
    """The command line tells."""
    arguments = command[len(command) - n_arguments :]
    monkeypatch.setattr(sys, "orig_argv", command)
    monkeypatch.setattr(sys, "argv", ["whatever", *arguments])
    assert restart.is_main_program(arguments) == is_main
    assert not restart.is_main_program([*arguments, "more"])


# --- pytest-cov's command lines ---

COV_LINES = {
    "--cov=shop tests": ["10", "3", "70%"],
    "--cov shop --cov-report term": ["10", "3", "70%"],
    "--cov=shop --cov-branch tests": ["10", "3", "4", "1", "71%"],
    "--cov": ["16", "2", "88%"],
    "--cov=": ["16", "2", "88%"],
    "--cov=never --cov-reset --cov=shop": ["10", "3", "70%"],
    "--cov --cov=shop": ["16", "2", "88%"],
    "--cov=shop --cov-precision=2": ["10", "3", "70.00%"],
    "--cov=shop --cov-config=other.ini": ["9", "2", "78%"],
    "--cov=shop --cov-report=term:skip-covered": ["10", "3", "70%"],
}


@pytest.mark.parametrize("line", list(COV_LINES)[: None if IS_CPYTHON else 3])  # on PyPy each takes seconds
def test_pytest_covs_command_lines(project, session, line):
    """The table that pytest-cov prints, with its headings, and nothing of ours in it."""
    (project / "other.ini").write_text("[run]\nomit = */never.py\n")
    done = session(*line.split())
    assert done.returncode == 0, done.stderr
    assert total_line(done.stdout) == COV_LINES[line]
    assert "= tests coverage =" in done.stdout and f"_ coverage: platform {sys.platform}, python 3." in done.stdout
    assert "Coverage 7" not in done.stderr
    assert ("1 file skipped due to complete coverage." in done.stdout) == ("skip-covered" in line)


def test_term_missing_and_the_configuration(project, session):
    """Missing lines; with the settings in the configuration file, as most projects have it."""
    (project / "pyproject.toml").write_text(
        '[tool.pytest.ini_options]\npythonpath = ["."]\naddopts = "--cov --cov-report term-missing"\n'
        "[tool.coverage.run]\nsource = ['shop']\nbranch = true\n[tool.coverage.report]\nfail_under = 75\n"
    )
    done = session()
    assert done.returncode == 1, done.stderr
    assert "price.py" in done.stdout and "77%   6, 11" in done.stdout
    assert "FAIL Required test coverage of 75% not reached. Total coverage: 71.43%" in done.stdout


def test_reports_to_files(project, session):
    """Every type of pytest-cov's, at its usual place and at one that is named, without a table."""
    names = ["coverage.xml", "coverage.json", "coverage.md", "coverage.lcov", "htmlcov/index.html"]
    done = session("--cov=shop", *(f"--cov-report={kind}" for kind in ("xml", "json", "markdown", "lcov", "html")))
    assert done.returncode == 0, done.stderr
    assert all((project / name).exists() for name in names)
    assert "TOTAL" not in done.stdout and "Coverage XML written to file coverage.xml" in done.stdout
    places = ["xml:o/c.xml", "json:o/c.json", "markdown:o/c.md", "markdown-append:a.md", "lcov:o/c.info", "html:o/site"]
    for _ in range(2):
        done = session("--cov=shop", *(f"--cov-report={place}" for place in places))
    assert sorted(path.name for path in (project / "o").iterdir()) == ["c.info", "c.json", "c.md", "c.xml", "site"]
    assert (project / "a.md").read_text().count("TOTAL") == 2
    assert "Coverage HTML written to dir o/site" in done.stdout


UNDER = {
    "--cov-fail-under=70": (0, "Required test coverage of 70% reached. Total coverage: 70.00%"),
    "--cov-fail-under=70.5": (1, "FAIL Required test coverage of 70.5% not reached. Total coverage: 70.00%"),
    "--cov-fail-under=101": (4, ""),
    "--cov-fail-under=much": (4, ""),
}


@pytest.mark.parametrize("option", UNDER)
def test_fail_under(session, option):
    """A total that is too low fails a session that passed, in pytest-cov's words; the report may be left out."""
    status, sentence = UNDER[option]
    report = "--cov-report=term" if status == 1 else "--cov-report="
    done = session("--cov=shop", report, option)
    assert done.returncode == status, done.stderr
    assert sentence in done.stdout
    assert ("TOTAL" in done.stdout) == (status == 1)


def test_append(project, session):
    """The second session adds to the first one's data."""
    (project / "tests" / "test_never.py").write_text("def test_never(): import shop.never\n")
    (project / "tests" / "test_unused.py").write_text(
        "def test_unused():\n    from shop.price import unused\n    assert unused()\n"
    )
    assert total_line(session("--cov=shop", "tests/test_never.py").stdout) == ["10", "9", "10%"]
    done = session("--cov=shop", "--cov-append", "tests/test_unused.py")
    assert total_line(done.stdout) == ["10", "6", "40%"], done.stderr


def test_no_cov_on_fail(project, session):
    """No report where tests failed; the data is written all the same."""
    (project / "tests" / "test_bad.py").write_text(FAILING)
    done = session("--cov=shop", "--no-cov-on-fail", "--cov-fail-under=99")
    assert done.returncode == 1 and "TOTAL" not in done.stdout and "FAIL Required" not in done.stdout
    assert (project / ".coverage").exists()


def test_no_cov(project, session):
    """Nothing is measured; a contradiction is said."""
    assert "TOTAL" not in session("--cov=shop", "--no-cov").stdout
    done = session("--no-cov", "--cov=shop")
    assert done.returncode == 0 and "WARNING: Coverage disabled via --no-cov switch!" in done.stdout
    assert not (project / ".coverage").exists()


@pytest.mark.parametrize(
    "option",
    ["--cov-report=pdf", "--cov-report=term:x", "--cov-context=file",
     "--cov-report=markdown --cov-report=markdown-append"],
)  # fmt: skip
def test_what_cant_be_is_a_usage_error(session, option):
    """Said by pytest before anything runs."""
    done = session("--cov=shop", *option.split())
    assert done.returncode == 4 and "usage" in done.stderr and done.stdout == ""


def test_pytest_cov_has_its_own_options(project, session):
    """Where pytest-cov is installed, its names are its own."""
    (project / "pytest_cov.py").write_text("")
    environment = {**os.environ, "PYTHONPATH": str(project), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    command = [sys.executable, "-m", "pytest", "-p", "footfall.pytest_plugin"]
    done = subprocess.run(
        [*command, "--cov=shop"], cwd=project, env=environment, text=True, capture_output=True, timeout=120
    )
    assert done.returncode == 4 and "unrecognized arguments: --cov=shop" in done.stderr


def test_fixtures_of_pytest_cov(project, session):
    """They are there, so that tests which ask for them go on."""
    (project / "tests" / "test_price.py").write_text(
        "import pytest\ndef test(cov, no_cover): assert cov is None\n@pytest.mark.no_cover\ndef test_marked(): pass\n"
    )
    done = session("--strict-markers")
    assert done.returncode == 0, done.stdout


def _pytest(project, *arguments, **variables):
    """A pytest with all plugins that are found, as people start it."""
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:asyncio", *arguments],
        cwd=project,
        env={**os.environ, **variables},
        text=True,
        capture_output=True,
        timeout=120,
    )


def test_the_plugin_name_pytest_cov(project):
    """`-p pytest_cov`, `required_plugins` and `hasplugin("pytest_cov")` find footfall; `-p no:pytest_cov` leaves --cov."""
    (project / "conftest.py").write_text(
        "def pytest_report_header(config): return f'named: {config.pluginmanager.hasplugin(\"pytest_cov\")}'\n"
    )
    with (project / "pyproject.toml").open("a") as file:
        file.write('required_plugins = ["pytest-cov>=4"]\n')
    for variables in ({}, {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}):
        done = _pytest(project, "-p", "pytest_cov", "--cov=shop", **variables)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "named: True" in done.stdout and "shop/price.py" in done.stdout
    assert "shop/price.py" in _pytest(project, "--cov=shop").stdout
    done = _pytest(project, "-p", "no:pytest_cov", "--cov=shop", "-o", "required_plugins=")
    assert "named: False" in done.stdout and "shop/price.py" in done.stdout


def test_the_plugin_name_is_pytest_covs_where_that_is_installed(project):
    """Whichever of the two is found first: its hooks run, once, and it has the name and the distribution."""
    (project / "pytest_cov").mkdir()
    (project / "pytest_cov" / "__init__.py").write_text("")
    (project / "pytest_cov" / "plugin.py").write_text(
        "def pytest_addoption(parser): parser.addoption('--cov', default=None)\n"
        "def pytest_report_header(config): return f'{__name__} has --cov={config.getoption(\"--cov\")}'\n"
    )
    installed = project / "pytest_cov-9.9.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: pytest-cov\nVersion: 9.9\n")
    (installed / "entry_points.txt").write_text("[pytest11]\npytest_cov = pytest_cov.plugin\n")
    with (project / "pyproject.toml").open("a") as file:
        file.write('required_plugins = ["pytest-cov==9.9"]\n')
    last = "import sys; sys.path.remove(''); sys.path.append(''); import pytest; sys.exit(pytest.main(sys.argv[1:]))"
    for start in (["-m", "pytest"], ["-c", last]):
        for variables, extra in (({}, []), ({"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}, ["-p", "pytest_cov"])):
            done = subprocess.run(
                [sys.executable, *start, *extra, "-p", "no:cacheprovider", "--cov=shop"],
                cwd=project, env={**os.environ, **variables}, text=True, capture_output=True, timeout=120,
            )  # fmt: skip
            assert done.returncode == 0, done.stdout + done.stderr
            assert done.stdout.count("pytest_cov.plugin has --cov=shop") == 1
            assert "cov-9.9" in done.stdout
