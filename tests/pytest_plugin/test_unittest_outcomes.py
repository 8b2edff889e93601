"""Tests of unittest and of Django, by their names: where they are, their outcomes as lines of JSON, a context for each."""

import json
import pathlib
import subprocess
import sys
from collections.abc import Callable

import pytest

from footfall.record.data.coverage_tables import read_contexts_by_line

pytestmark = pytest.mark.any_python

_SHOP = "def price(n):\n    if n:\n        return n\n    return 0\n"
_TESTS = """\
import functools
import unittest

import shop


def dressed(function):
    @functools.wraps(function)
    def call(self):
        return function(self)

    return call


class TestShop(unittest.TestCase):
    @dressed
    def test_price(self):
        self.assertEqual(shop.price(1), 1)

    def test_nothing(self):
        self.assertEqual(shop.price(0), 1, "a: b [c]")

    def test_skipped(self):
        self.skipTest("not today")

    @unittest.expectedFailure
    def test_expected(self):
        self.fail("as it should")

    @unittest.expectedFailure
    def test_unexpected(self):
        pass

    def test_parts(self):
        for number in 1, 2:
            with self.subTest(number=number):
                self.assertEqual(number, 1)


class TestBroken(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        raise OSError("no such place")

    def test_never(self):
        pass


class TestAsync(unittest.IsolatedAsyncioTestCase):
    async def test_async(self):
        shop.price(2)
"""
_DJANGO = {
    "manage.py": "import os, sys\nos.environ['DJANGO_SETTINGS_MODULE'] = 'site_settings'\n"
    "from django.core.management import execute_from_command_line\nexecute_from_command_line(sys.argv)\n",
    "site_settings.py": "SECRET_KEY = 'x'\nINSTALLED_APPS = ['shop']\nUSE_TZ = True\n"
    "DATABASES = {'default': {'ENGINE': 'django.db.backends.sqlite3', 'NAME': ':memory:'}}\n",
    "shop/__init__.py": "",
    "shop/models.py": "from django.db import models\n\n\nclass Order(models.Model):\n    n = models.IntegerField()\n\n"
    "    def price(self):\n        if self.n > 5:\n            return 5\n        return self.n\n\n"
    "    class Meta:\n        app_label = 'shop'\n",
    "shop/migrations/__init__.py": "",
    "shop/migrations/0001_initial.py": "from django.db import migrations, models\n\n\nclass Migration(migrations.Migration):\n"
    "    operations = [migrations.CreateModel('Order', [\n"
    "        ('id', models.AutoField(primary_key=True)), ('n', models.IntegerField())])]\n",
    "shop/tests.py": "from django.test import TestCase\n\nfrom shop.models import Order\n\n\nclass TestOrder(TestCase):\n"
    "    def test_small(self):\n        self.assertEqual(Order.objects.create(n=3).price(), 3)\n\n"
    "    def test_large(self):\n        self.assertEqual(Order.objects.create(n=30).price(), 30)\n",
}
_SHOP_TEST = "test_shop.TestShop"

Footfall = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def project(tmp_path: pathlib.Path) -> pathlib.Path:
    """Return a project whose tests are found in a directory below, one of them in a module that can't be imported."""
    (tmp_path / "shop.py").write_text(_SHOP)
    tests = tmp_path / "my tests"
    tests.mkdir()
    (tests / "test_shop.py").write_text(_TESTS)
    (tests / "test_gone.py").write_text("import no_such_module\n")
    return tmp_path


def _lines(path: pathlib.Path) -> dict[str, dict]:
    found = {each.pop("test"): each for each in map(json.loads, path.read_text().splitlines())}
    path.unlink()
    return found


def _contexts(root: pathlib.Path, name: str) -> dict[int, set[str]]:
    return read_contexts_by_line(root / ".coverage")[str(root / name)]


def test_each_test_has_its_outcome_and_its_context(project: pathlib.Path, footfall: Footfall) -> None:
    """Whatever became of it, and of its class or module; the exit status is unittest's."""
    command = ["-m", "footfall.unittest_plugin", "--footfall-outcomes=outcomes", "discover", "-s", "my tests"]
    result = footfall("run", "-q", *command)
    assert (result.returncode, "FAILED (failures=" in result.stderr) == (1, True), result.stderr
    found = _lines(project / "outcomes")
    assert {test: (each["outcome"], each.get("failed_line")) for test, each in found.items()} == {
        f"{_SHOP_TEST}.test_price": ("passed", None),
        f"{_SHOP_TEST}.test_nothing": ("failed", 21),
        f"{_SHOP_TEST}.test_skipped": ("skipped", None),
        f"{_SHOP_TEST}.test_expected": ("passed", None),
        f"{_SHOP_TEST}.test_unexpected": ("failed", None),
        f"{_SHOP_TEST}.test_parts": ("failed", 37),
        "setUpClass (test_shop.TestBroken)": ("failed", 43),
        "test_shop.TestAsync.test_async": ("passed", None),
        "unittest.loader._FailedTest.test_gone": ("failed", None),
    }
    nothing = found[f"{_SHOP_TEST}.test_nothing"]
    assert nothing["failed_path"] == str(project / "my tests" / "test_shop.py")
    assert "0 != 1 : a: b [c]" in nothing["message"]
    assert found[f"{_SHOP_TEST}.test_skipped"]["message"] == "not today"
    gone = found["unittest.loader._FailedTest.test_gone"]
    assert "no_such_module" in gone["message"]
    assert (gone["error"], gone["path"]) == (gone["message"], str(project / "my tests" / "test_gone.py"))
    of_shop = {f"{_SHOP_TEST}.test_price", f"{_SHOP_TEST}.test_nothing", "test_shop.TestAsync.test_async"}
    contexts = _contexts(project, "shop.py")
    assert contexts[2] == of_shop
    assert contexts[4] == {f"{_SHOP_TEST}.test_nothing"}


def test_places_and_a_choice_of_tests(project: pathlib.Path) -> None:
    """Tests are found without running them, and chosen by the same names wherever they were found."""

    def run(*arguments: str) -> int:
        command = [sys.executable, "-m", "footfall.unittest_plugin", *arguments, "discover", "-s", "my tests"]
        return subprocess.run(command, cwd=project, capture_output=True, timeout=60, check=False).returncode

    package = project / "my tests" / "part"
    package.mkdir()
    (package / "__init__.py").write_text("1 / 0\n")
    assert run("--footfall-places=places") == 0
    lines = [json.loads(line) for line in (project / "places").read_text().splitlines()]
    reasons = {each["path"]: each["error"].splitlines()[-1] for each in lines if "error" in each}
    assert reasons == {
        str(project / "my tests" / "test_gone.py"): "ModuleNotFoundError: No module named 'no_such_module'",
        str(package): "ZeroDivisionError: division by zero",
    }
    places = {each.pop("test"): each for each in lines if "error" not in each}
    assert {test: (each["path"], each["line"]) for test, each in places.items()} == {
        test: (str(project / "my tests" / "test_shop.py"), line)
        for test, line in {
            f"{_SHOP_TEST}.test_price": 16,
            f"{_SHOP_TEST}.test_nothing": 20,
            f"{_SHOP_TEST}.test_skipped": 23,
            f"{_SHOP_TEST}.test_expected": 26,
            f"{_SHOP_TEST}.test_unexpected": 30,
            f"{_SHOP_TEST}.test_parts": 34,
            "test_shop.TestBroken.test_never": 45,
            "test_shop.TestAsync.test_async": 50,
        }.items()
    }
    chosen = ("test_price", "test_skipped")
    assert run("--footfall-outcomes=outcomes", *(f"--footfall-only={_SHOP_TEST}.{each}" for each in chosen)) == 0
    assert set(_lines(project / "outcomes")) == {f"{_SHOP_TEST}.{each}" for each in chosen}
    (project / "choice").write_text(json.dumps({"only": [f"{_SHOP_TEST}.test_price", "test_gone.TestGone.test_it"]}))
    assert run("--footfall-outcomes=outcomes", "--footfall-tests=choice") == 1
    assert set(_lines(project / "outcomes")) == {f"{_SHOP_TEST}.test_price", "unittest.loader._FailedTest.test_gone"}
    assert run("--footfall-tests=none") == 2
    left = [f"--footfall-except={each}" for each in (f"{_SHOP_TEST}.test_price", "test_shop.TestAsync.test_async")]
    assert run("--footfall-outcomes=outcomes", *left) == 1
    found = set(_lines(project / "outcomes"))
    assert f"{_SHOP_TEST}.test_nothing" in found
    assert not found & {f"{_SHOP_TEST}.test_price", "test_shop.TestAsync.test_async"}


def test_tests_of_django(tmp_path: pathlib.Path, footfall: Footfall) -> None:
    """The same with `manage.py test`, with a database."""
    pytest.importorskip("django")
    for name, text in _DJANGO.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    command = ["manage.py", "test", "--testrunner=footfall.unittest_plugin.django.Runner"]
    result = footfall("run", "-q", *command, "--footfall-outcomes=outcomes")
    assert result.returncode == 1, result.stderr
    names = [f"shop.tests.TestOrder.test_{each}" for each in ("small", "large")]
    found = _lines(tmp_path / "outcomes")
    assert {test: (each["outcome"], each.get("failed_line")) for test, each in found.items()} == {
        names[0]: ("passed", None),
        names[1]: ("failed", 11),
    }
    contexts = _contexts(tmp_path, "shop/models.py")
    assert [contexts[line] for line in (8, 9, 10)] == [set(names), {names[1]}, {names[0]}]
    subprocess.run([sys.executable, *command, "--footfall-places=places"], cwd=tmp_path, check=True, timeout=60)
    assert {test: each["line"] for test, each in _lines(tmp_path / "places").items()} == {names[0]: 7, names[1]: 10}
    (tmp_path / "choice").write_text(json.dumps({"except": names[1:]}))
    for choice in (f"--footfall-only={names[0]}", "--footfall-tests=choice"):
        subprocess.run(
            [sys.executable, *command, "--footfall-outcomes=outcomes", choice],
            cwd=tmp_path,
            check=True,
            capture_output=True,
            timeout=60,
        )
        assert [*_lines(tmp_path / "outcomes")] == [names[0]]
    (tmp_path / "shop" / "test_gone.py").write_text("import no_such_module\n")
    subprocess.run([sys.executable, *command, "--footfall-places=places"], cwd=tmp_path, check=True, timeout=60)
    errors = [json.loads(line) for line in (tmp_path / "places").read_text().splitlines() if '"error"' in line]
    assert [each["path"] for each in errors] == [str(tmp_path / "shop" / "test_gone.py")]
