"""Real projects to measure: their pinned source distributions, and an environment for each interpreter.

Used by suites.py and others. Everything is made below one work directory, and made again only when it is missing.
"""

import os
import pathlib
import shutil
import subprocess
import tarfile
import tomllib
from dataclasses import dataclass

__all__ = [
    "COVERAGE",
    "PROJECTS",
    "Environment",
    "Project",
    "clean_environment",
    "install",
    "install_footfall",
    "label_of",
    "make_environment",
    "prepare",
    "run_quietly",
]

REPOSITORY = pathlib.Path(__file__).resolve().parent.parent
COVERAGE = "coverage==7.17.5"
_SLIPCOVER = "slipcover==1.1.0; implementation_name == 'cpython'"


@dataclass(frozen=True, slots=True)
class Project:
    """A project whose source distribution holds its tests."""

    name: str
    version: str
    test_requirements: tuple[str, ...]
    pytest_options: tuple[str, ...] = ()

    @property
    def requirement(self) -> str:
        """The pinned requirement, as pip takes it."""
        return f"{self.name}=={self.version}"


# The last Hypothesis that has a wheel for PyPy.
_ATTRS_TESTS = ("pytest", "hypothesis==6.155.7", "cloudpickle; implementation_name == 'cpython'", "pympler")

PROJECTS = {
    project.name: project
    for project in [
        Project("attrs", "26.1.0", _ATTRS_TESTS, ("--hypothesis-seed=0",)),
        Project("jinja2", "3.1.6", ("pytest", "trio")),
        Project("click", "8.5.1", ("pytest",)),
        # Its development server's tests start servers and wait for them: not a thing to measure CPU on.
        Project("werkzeug", "3.1.9", ("pytest", "pytest-timeout", "ephemeral-port-reserve"), ("-m", "not dev_server")),
    ]
}


@dataclass(frozen=True, slots=True)
class Environment:
    """One project, unpacked and installed with its test requirements for one interpreter."""

    project: Project
    label: str  # e.g. "CPython 3.11.7"
    python: pathlib.Path  # in the virtual environment
    directory: pathlib.Path  # of the unpacked source: the commands run here
    config: pathlib.Path  # coverage configuration, for footfall and coverage.py alike


def clean_environment(**extra: str) -> dict[str, str]:
    """Return this process's environment without what would change a measured program.

    Bytecode caches stay on: a suite that compiles everything anew is not what people run.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("COVERAGE_", "FOOTFALL_", "PYTHON", "PYTEST_"))
    }
    return {**kept, "PYTHONHASHSEED": "0", **extra}


def run_quietly(command: list[str], directory: pathlib.Path | None = None) -> str:
    """Run a command and return what it printed; show that and stop when it fails."""
    done = subprocess.run(
        command, cwd=directory, env=clean_environment(), text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\nended with {done.returncode}:\n{done.stdout}")
    return done.stdout


def prepare(project: Project, interpreter: str, work: pathlib.Path) -> Environment:
    """Download, unpack and install the project with its test requirements, coverage.py and this footfall."""
    label = label_of(interpreter)
    base = work / label.replace(" ", "-").lower()
    python = base / f"venv-{project.name}" / "bin" / "python"
    source = base / f"{project.name}-{project.version}"
    if not source.exists():
        _unpack(project, interpreter, work / "downloads", base)
    ready = python.parent.parent / ".ready"
    if not ready.exists():
        shutil.rmtree(python.parent.parent, ignore_errors=True)
        make_environment(interpreter, python.parent.parent)
        install(python, ["-e", str(source), COVERAGE, _SLIPCOVER, *project.test_requirements])
        ready.touch()
    install_footfall(python, base)
    return Environment(project, label, python, source, _write_config(source))


def label_of(interpreter: str) -> str:
    """Name an interpreter, as "CPython 3.11.7"."""
    say = "import platform; print(platform.python_implementation(), platform.python_version())"
    return run_quietly([interpreter, "-S", "-c", say]).strip()


def _unpack(project: Project, interpreter: str, downloads: pathlib.Path, base: pathlib.Path) -> None:
    downloads.mkdir(parents=True, exist_ok=True)
    pattern = f"{project.name}-{project.version}.tar.gz"
    if not list(downloads.glob(pattern)):
        options = ["--no-deps", "--no-binary", project.name, "-d", str(downloads)]
        run_quietly([interpreter, "-m", "pip", "download", "-q", *options, project.requirement])
    base.mkdir(parents=True, exist_ok=True)
    with tarfile.open(next(downloads.glob(pattern))) as archive:
        archive.extractall(base, filter="data")


def make_environment(interpreter: str, directory: pathlib.Path) -> None:
    """Make a virtual environment with pip."""
    if shutil.which("uv"):
        run_quietly(["uv", "venv", "-q", "--seed", "-p", interpreter, str(directory)])
    elif subprocess.run([interpreter, "-c", "import ensurepip"], stderr=subprocess.DEVNULL, check=False).returncode:
        run_quietly([interpreter, "-m", "venv", "--without-pip", str(directory)])
        run_quietly([interpreter, "-m", "pip", "--python", str(directory / "bin" / "python"), "install", "-q", "pip"])
    else:
        run_quietly([interpreter, "-m", "venv", str(directory)])


def install(python: pathlib.Path, arguments: list[str]) -> None:
    """Install by pip's arguments, with uv where it is here; SystemExit when that fails."""
    if shutil.which("uv"):
        run_quietly(["uv", "pip", "install", "-q", "-p", str(python), *arguments])
    else:
        run_quietly([str(python), "-m", "pip", "install", "-q", *arguments])


def install_footfall(python: pathlib.Path, base: pathlib.Path) -> None:
    """Build from a copy of this repository, so that builds for several interpreters do not meet."""
    copy = base / "footfall-source"
    shutil.rmtree(copy, ignore_errors=True)
    ignored = shutil.ignore_patterns(".git", ".footfall", "build", "*.egg-info", ".venv*", "venvs", "__pycache__")
    shutil.copytree(REPOSITORY, copy, ignore=ignored)
    if shutil.which("uv"):
        install(python, ["--reinstall-package", "footfall", str(copy)])
    else:
        install(python, ["--force-reinstall", "--no-deps", str(copy)])
        install(python, [str(copy)])


def _write_config(source: pathlib.Path) -> pathlib.Path:
    """The project's package and tests, branches, and its own exclusions, as a coverage configuration."""
    project = tomllib.loads((source / "pyproject.toml").read_text(encoding="utf-8"))
    report = project.get("tool", {}).get("coverage", {}).get("report", {})
    lines = ["[run]", "branch = true", "source =", "    src", "    tests", "[report]"]
    for key in ("exclude_lines", "exclude_also"):
        if key in report:
            lines += [f"{key} =", *(f"    {pattern}" for pattern in report[key])]
    config = source / "bench.coveragerc"
    config.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return config
