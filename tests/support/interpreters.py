"""Interpreters other than the one that runs the tests, if there are any, and footfall installed for one of them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import REPOSITORY

__all__ = ["OTHERS", "PYPY", "any_python", "each_python", "environment_of"]

_OWN = f"{sys.version_info[0]}.{sys.version_info[1]}" if sys.implementation.name == "cpython" else ""

OTHERS = [
    str(path)
    for version in ("3.11", "3.12", "3.13", "3.14", "3.15")
    for path in [
        *Path.home().glob(f".pyenv/versions/{version}.*/bin/python{version}"),
        *Path.home().glob(f".interpreters/bin/python{version}"),
        Path(f"/usr/bin/python{version}"),
    ]
    if path.exists() and version != _OWN
]
"""CPythons of other versions, the oldest first."""

_PATH = os.pathsep.join([os.environ["PATH"], str(Path.home() / ".interpreters/bin")])
PYPY = shutil.which("pypy3", path=_PATH) or shutil.which("pypy3.11", path=_PATH)


def any_python(pythons: list[str]) -> list[object]:
    """Return parameters, marked if they are another Python than ours: reading one is the same from every Python."""
    return [pytest.param(python, marks=pytest.mark.any_python if python in OTHERS else ()) for python in pythons]


each_python = pytest.mark.parametrize("python", any_python([sys.executable, *OTHERS]))
"""Gives a test each CPython that is found as `python`."""

_FACTS = """
import sys, sysconfig
print(sysconfig.get_path("purelib"))
print(sysconfig.get_path("include"))
print(sysconfig.get_config_var("EXT_SUFFIX"))
"""


def environment_of(python: str, folder: Path, *, with_footfall: bool) -> str:
    """Create an environment of an interpreter in a folder, with or without this tree's package and start hook.

    Returns its Python.
    """
    subprocess.run([python, "-m", "venv", "--without-pip", str(folder)], check=True, timeout=120)
    made = str(folder / "bin" / "python")
    if with_footfall:
        facts = subprocess.run([made, "-c", _FACTS], check=True, capture_output=True, text=True, timeout=60).stdout
        packages, include, suffix = facts.splitlines()
        shutil.copytree(REPOSITORY / "src" / "footfall", Path(packages) / "footfall")
        shutil.copy(REPOSITORY / "footfall.pth", packages)
        if "pypy" not in suffix:
            sources = sorted(map(str, REPOSITORY.glob("native/**/*.c")))
            flags = [
                "-shared",
                "-fPIC",
                "-std=c11",
                "-O1",
                "-D_GNU_SOURCE",
                f"-I{REPOSITORY / 'native'}",
                f"-I{include}",
            ]
            core = Path(packages) / "footfall" / f"_core{suffix}"
            subprocess.run(["cc", *flags, *sources, "-o", str(core)], check=True, timeout=300)
    return made
