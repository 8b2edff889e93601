"""Any project with its tests, installed for one interpreter by its own files; and what some need beside these."""

import pathlib
import re
import shutil
import tarfile
import tempfile
import tomllib
from dataclasses import dataclass

from projects import COVERAGE, install, install_footfall, label_of, make_environment, run_quietly

__all__ = ["NotTried", "Trial", "Wanted", "prepare"]

_GROUPS = ("test", "tests", "testing", "dev")
_REQUIREMENT_FILES = (
    "requirements/tests.txt", "requirements/test.txt", "requirements-test.txt", "test-requirements.txt",
    "requirements/testing.txt", "requirements-tests.txt", "tests/requirements.txt", "requirements-dev.txt",
    "tests/requirements/py3.txt",
)  # fmt: skip
_DISTURBING = ("pytest-cov", "pytest-xdist", "pytest-randomly", "pytest-codspeed")
"""They would measure beside us, spread or shuffle the tests."""
_NAME = re.compile(r"[A-Za-z0-9._-]+")
_PYTEST = ("-m", "pytest", "-q", "-rfE", "-p", "no:cacheprovider")


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a project needs beyond what its files say."""

    needs: tuple[str, ...] = ()
    is_complete: bool = False
    """Whether `needs` is all: its files name linters, servers' clients or pins that can't be had everywhere."""
    command: tuple[str, ...] = ()
    """What runs instead of pytest: arguments of python."""
    options: tuple[str, ...] = ()
    """Of pytest: a part of the tests where all take too long."""
    directory: str = "."
    repository: str = ""
    """Where its sources are, if its source distribution lacks the tests."""


_RECIPES = {
    "anyio": Recipe(needs=("trio",)),
    "attrs": Recipe(needs=("hypothesis<6.156", "pympler", "cloudpickle; implementation_name == 'cpython'")),
    "django": Recipe(
        needs=("jinja2", "pyyaml", "docutils", "tblib", "pillow"),
        is_complete=True,
        command=("runtests.py", "--parallel=1", "--settings=test_sqlite", "model_fields", "queries", "utils_tests"),
        directory="tests",
    ),
    "rich": Recipe(needs=("attrs",), repository="https://github.com/Textualize/rich"),
    "starlette": Recipe(needs=("httpx", "anyio", "trio", "itsdangerous", "jinja2", "python-multipart", "pyyaml")),
    "trio": Recipe(
        needs=("pytest>=8.4", "trustme", "pyopenssl", "async_generator", "jedi", "astor", "isort", "pyyaml"),
        is_complete=True,
        options=("--skip-optional-imports",),
    ),
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """A project as the command line names it, and what it says of how to run it; empty is as the recipe says."""

    name: str
    """A requirement, a directory, or the URL of a git repository."""
    revision: str = ""
    needs: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    directory: str = ""

    @property
    def project(self) -> str:
        """The project's own name."""
        if "://" in self.name or pathlib.Path(self.name).is_dir():
            return pathlib.Path(self.name).resolve().name.removesuffix(".git").lower()
        return self.name.partition("==")[0].lower()

    @property
    def label(self) -> str:
        """The project's name with what was asked for of it; each has an environment of its own."""
        asked = self.revision or ("" if "://" in self.name else self.name.partition("==")[2])
        return f"{self.project}@{asked}" if asked else self.project


@dataclass(frozen=True, slots=True)
class Trial:
    """One project installed for one interpreter."""

    name: str
    label: str  # of the interpreter, as "CPython 3.11.7"
    python: pathlib.Path
    sources: pathlib.Path
    directory: pathlib.Path  # the command runs here
    command: tuple[str, ...]
    scratch: pathlib.Path


class NotTried(Exception):
    """The project can't be compared here; the text says why."""


def prepare(wanted: Wanted, interpreter: str, work: pathlib.Path) -> Trial:
    """Unpack and install a project and its test requirements, unless that is done, and this footfall anew.

    Raises NotTried, and SystemExit where a command fails.
    """
    label = label_of(interpreter)
    base = work / label.replace(" ", "-").lower()
    base.mkdir(exist_ok=True)
    recipe = _RECIPES.get(wanted.project, Recipe())
    name = wanted.label
    source = base / f"source-{name}"
    python = base / f"venv-{name}" / "bin" / "python"
    ready = python.parent.parent / ".ready"
    if not ready.exists():
        shutil.rmtree(source, ignore_errors=True)
        shutil.rmtree(python.parent.parent, ignore_errors=True)
        make_environment(interpreter, python.parent.parent)
        _place_sources(wanted, recipe.repository, source, python)
        install(python, ["-e", str(source), COVERAGE, "pytest"])
        requirements = [] if recipe.is_complete else _test_requirements(source)
        _install_one_by_one(python, [*requirements, *recipe.needs, *wanted.needs])
        run_quietly([str(python), "-m", "pip", "uninstall", "-q", "-y", *_DISTURBING])  # what others have brought
        ready.touch()
    install_footfall(python, base)
    command = wanted.command or recipe.command or (*_PYTEST, *(wanted.options or recipe.options))
    scratch = base / f"scratch-{name}"
    scratch.mkdir(exist_ok=True)
    return Trial(name, label, python, source, source / (wanted.directory or recipe.directory), command, scratch)


def _place_sources(wanted: Wanted, repository: str, source: pathlib.Path, python: pathlib.Path) -> None:
    is_directory = pathlib.Path(wanted.name).is_dir()
    origin = wanted.name if is_directory or "://" in wanted.name else repository
    if is_directory and not wanted.revision:
        ignored = shutil.ignore_patterns(".git", ".venv*", "__pycache__", "*.so")
        shutil.copytree(wanted.name, source, ignore=ignored, symlinks=True)
    elif origin and "==" in wanted.name:
        raise NotTried("it is cloned: name its version by --revision")
    elif origin:
        run_quietly(["git", "clone", "-q", origin, str(source)])
        run_quietly(["git", "checkout", "-q", wanted.revision or "HEAD"], source)
    elif wanted.revision:
        raise NotTried("a revision is of a git repository: give its URL or its directory")
    else:
        _unpack(wanted.name, source, python)


def _unpack(requirement: str, source: pathlib.Path, python: pathlib.Path) -> None:
    with tempfile.TemporaryDirectory() as name:
        place = pathlib.Path(name)
        only = requirement.partition("==")[0]
        download = [str(python), "-m", "pip", "download", "-q", "--no-deps", "--no-binary", only]
        run_quietly([*download, "-d", name, requirement])
        archive = next(place.glob("*.tar.gz"), None)
        if archive is None:
            raise NotTried("it has no source distribution as .tar.gz")
        with tarfile.open(archive) as packed:
            packed.extractall(place / "unpacked", filter="data")
        shutil.move(next((place / "unpacked").iterdir()), source)


def _test_requirements(source: pathlib.Path) -> list[str]:
    """What the project says that its tests need, as requirements."""
    file = source / "pyproject.toml"
    project = tomllib.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    groups = project.get("dependency-groups", {})
    extras = project.get("project", {}).get("optional-dependencies", {})
    for table in (groups, extras):
        for name in _GROUPS:
            if name in table:
                return _flattened(table, name)
    for name in _REQUIREMENT_FILES:
        if (source / name).exists():
            lines = (source / name).read_text(encoding="utf-8").splitlines()
            return [
                text
                for line in lines
                if (text := line.partition(" #")[0].split("\\")[0].strip()) and not text.startswith(("#", "-"))
            ]
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
