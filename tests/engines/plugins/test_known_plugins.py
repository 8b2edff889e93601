"""The plugins of coverage.py that projects use, against coverage.py itself.

Django's templates and Cython's modules by file tracers, comments with conditions by a parser, shell scripts by `Popen`.

`pip install .[plugins]` has them, without which all is skipped; CI has the extra in one environment, so there is no
`any_python` here.
"""

import os
import pathlib
import subprocess
import sys
from collections.abc import Callable

import pytest

from footfall.pythons import HAS_MONITORING
from footfall.tier import HAS_CORE
from template_project import read_traced

pytest.importorskip("coverage")

Footfall = Callable[..., subprocess.CompletedProcess[str]]

DJANGO = {
    "settings.py": """\
SECRET_KEY = "none"
DEBUG = True
INSTALLED_APPS = []
ENGINE = "django.template.backends.django.DjangoTemplates"
TEMPLATES = [{"BACKEND": ENGINE, "DIRS": ["templates"], "OPTIONS": {"debug": True}}]
""",
    "main.py": """\
import os
os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
import django
django.setup()
from django.template import engines, loader


class Failing:
    @property
    def now(self):
        raise ValueError("now")


items = [{"n": 1}, {"n": 2}, {"n": 7, "is_big": True}]
loader.get_template("page.html").render({"name": "x", "items": items})
engines["django"].from_string("{% for x in y %}{{ x }}{% endfor %}").render({"y": [1, 2]})
try:
    loader.get_template("fails.html").render({"fail": Failing()})
except ValueError:
    pass
""",
    "templates/base.html": """\
{% block title %}none{% endblock %}
{# a comment #}
{% block body %}
{% endblock %}
{% comment %}
not counted
{% endcomment %}
""",
    "templates/page.html": """\
{% extends "base.html" %}
{% block title %}Hello {{ name }}{% endblock %}
{% block body %}
{% for item in items %}
  {% if item.is_big %}
    big {{ item.n }}
  {% elif item.n == 2 %}
    two
  {% else %}
    small
  {% endif %}
  {% include "item.html" with n=item.n %}
{% empty %}
  nothing
{% endfor %}
{% verbatim %}
  {{ not a variable }}
{% endverbatim %}
{% if never %}
  never
{% endif %}
{% endblock %}
""",
    "templates/item.html": "<li>\n{{ n }}\n{% if n > 5 %}\n many\n{% endif %}\n</li>\n",
    "templates/fails.html": "<p>\n{{ fail.now }}\n</p>\n",
    "templates/other.html": "not rendered\n",
    ".coveragerc": "[run]\nplugins = django_coverage_plugin\nbranch = true\nsource = .\n",
}

CYTHON = {
    "calc.pyx": """\
# cython: linetrace=True
def choose(x):
    if x > 1:
        return "big"
    total = 0
    for i in range(x + 2):
        total += i
    return total


def never():
    return 1
""",
    "fast.py": """\
# cython: linetrace=True
def choose(x):
    return 1 if x else 2
""",
    "other.py": "import fast\nfast.choose(0)\n",
    "setup.py": """\
from setuptools import Extension, setup
from Cython.Build import cythonize
macros = [("CYTHON_TRACE", "1"), ("CYTHON_USE_SYS_MONITORING", "0")]
calc = Extension("calc", ["calc.pyx"], define_macros=macros)
fast = Extension("fast", ["fast.py"], define_macros=macros[:1])
setup(ext_modules=cythonize([calc, fast]))
""",
    "main.py": "import calc\ncalc.choose(0)\n",
    ".coveragerc": "[run]\nplugins = Cython.Coverage\n",
}

PRAGMAS = {
    "main.py": """\
import os
def first():  # pragma: no cover (<=py38)
    return 1
def second():  # pragma: no cover (>py38 and CPython)
    return 2
def third(x):  # pragma: no cover
    return x
for x in ():  # pragma: no cover (Windows)
    first()
""",
    ".coveragerc": "[run]\nbranch = true\nplugins = coverage_pyver_pragma\n",
}

SHELL = {
    "main.py": """\
import subprocess
subprocess.run(["bash", "script.sh", "x"], check=True)
""",
    "script.sh": """\
#!/bin/bash
if [ "$1" = y ]; then
  echo never
fi
for i in 1 2; do
  test "$i"
done
""",
    ".coveragerc": "[run]\nparallel = true\nplugins = coverage_sh\n",
}

SELF = """\
import footfall.compat
from Cython.Coverage import Plugin

cov = footfall.compat.Coverage(data_file="by-function", plugins=[lambda registry: registry.add_file_tracer(Plugin())])
with cov.collect():
    import calc
    calc.choose(0)
cov.save()
"""


def compare(footfall: Footfall, directory: pathlib.Path, said: str) -> str:
    """Run and report by both; return the report, which is the same, as are the data of the plugin's files."""
    environment = {**os.environ, "COVERAGE_CORE": "ctrace", "COVERAGE_FILE": "theirs"}
    coverage = [sys.executable, "-m", "coverage"]
    subprocess.run([*coverage, "run", "main.py"], cwd=directory, env=environment, check=True)
    theirs = subprocess.run([*coverage, "report", "-m"], cwd=directory, env=environment, capture_output=True, text=True)
    done = footfall("run", "-q", "--no-profile", "main.py")
    assert done.returncode == 0
    assert done.stderr.count("\n") == bool(said)
    assert said in done.stderr
    assert footfall("report", "-m").stdout == theirs.stdout
    ours = read_traced(directory / ".coverage")
    assert ours
    assert ours == read_traced(directory / "theirs")
    return theirs.stdout


def write(directory: pathlib.Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (directory / name).parent.mkdir(exist_ok=True)
        (directory / name).write_text(text)


def test_templates_of_django(footfall: Footfall, tmp_path: pathlib.Path) -> None:
    """Inheritance, loops, includes, a template that raises, one that was not rendered: lines, arcs and report."""
    pytest.importorskip("django_coverage_plugin")
    write(tmp_path, DJANGO)
    assert "other.html" in compare(footfall, tmp_path, "" if HAS_MONITORING or HAS_CORE else "[plugins-settrace]")


def test_modules_of_cython(footfall: Footfall, tmp_path: pathlib.Path) -> None:
    """Compiled functions, which have no bytecode."""
    pytest.importorskip("Cython")
    write(tmp_path, CYTHON)
    build = [sys.executable, "setup.py", "-q", "build_ext", "--inplace"]
    subprocess.run(build, cwd=tmp_path, check=True, capture_output=True, timeout=120)
    assert "calc.pyx" in compare(footfall, tmp_path, "[plugins-settrace]")
    ours = read_traced(tmp_path / ".coverage")
    (tmp_path / ".coveragerc").unlink()
    (tmp_path / "self.py").write_text(SELF)
    subprocess.run([sys.executable, "self.py"], cwd=tmp_path, check=True, timeout=60)
    lines = {key[0]: value for key, value in ours.items()}
    assert {key[0]: value for key, value in read_traced(tmp_path / "by-function").items()} == lines
    if hasattr(sys, "monitoring"):  # which Cython has its lines reported to
        assert footfall("run", "-q", "--no-profile", "other.py").returncode == 0
        assert "fast.py" not in footfall("report").stdout


def test_comments_with_conditions(footfall: Footfall, tmp_path: pathlib.Path) -> None:
    """The plugin replaces a method of coverage.py's parser, and is needed in reports alone."""
    pytest.importorskip("coverage_pyver_pragma")
    write(tmp_path, PRAGMAS)
    environment = {**os.environ, "COVERAGE_CORE": "ctrace"}
    coverage = [sys.executable, "-m", "coverage"]
    subprocess.run([*coverage, "run", "main.py"], cwd=tmp_path, env=environment, check=True)
    theirs = subprocess.check_output([*coverage, "report", "-m"], cwd=tmp_path, text=True)
    done = footfall("run", "-q", "--no-profile", "main.py")
    assert (done.returncode, done.stderr) == (0, "")
    assert footfall("report", "-m").stdout == theirs
    assert "main.py       5 " in theirs


def test_shell_scripts(footfall: Footfall, tmp_path: pathlib.Path) -> None:
    """The plugin replaces `subprocess.Popen`, and writes a data file of its own for each script."""
    pytest.importorskip("coverage_sh")
    write(tmp_path, SHELL)
    environment = {**os.environ, "COVERAGE_CORE": "ctrace"}
    coverage = [sys.executable, "-m", "coverage"]
    for command in ("run", "main.py"), ("combine",):
        subprocess.run([*coverage, *command], cwd=tmp_path, env=environment, check=True, capture_output=True)
    theirs = subprocess.check_output([*coverage, "report", "-m"], cwd=tmp_path, text=True)
    ours = read_traced(tmp_path / ".coverage")
    (tmp_path / ".coverage").unlink()
    assert footfall("run", "-q", "--no-profile", "main.py").returncode == 0
    assert footfall("combine").returncode == 0
    assert footfall("report", "-m").stdout == theirs
    assert ours
    assert ours == read_traced(tmp_path / ".coverage")
