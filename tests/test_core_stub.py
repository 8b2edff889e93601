"""The stub of the C core says what is there."""

import ast
import sys
from pathlib import Path

import pytest

import footfall

pytestmark = pytest.mark.skipif(sys.implementation.name != "cpython", reason="PyPy has no C core")


def _declared() -> dict[str, list[str]]:
    """Names of the stub's functions and their parameters, for the running version."""
    tree = ast.parse((Path(footfall.__file__).parent / "_core.pyi").read_text())
    found: dict[str, list[str]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            arguments = [*node.args.posonlyargs, *node.args.args]
            found[node.name] = [argument.arg for argument in arguments]
    if sys.version_info < (3, 12):
        del found["monitoring_start"], found["monitoring_stop"]
    return found


def test_the_stub_names_every_function_and_no_other() -> None:
    """Names in the stub are the module's."""
    from footfall import _core

    assert {name for name in dir(_core) if not name.startswith("__")} == set(_declared())


def test_the_stub_names_every_parameter() -> None:
    """Parameters in the stub are those of the text signatures."""
    from footfall import _core

    for name, parameters in _declared().items():
        signature = getattr(_core, name).__text_signature__ or ""
        if not signature:
            continue
        words = [word.split("=")[0].strip() for word in signature.strip("()").split(",")]
        assert [word for word in words if word not in ("$module", "/", "")] == parameters, name
