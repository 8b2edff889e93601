"""The stub of the C core says what is there."""

import ast
import sys
from pathlib import Path

import pytest

import footfall

pytestmark = pytest.mark.skipif(sys.implementation.name != "cpython", reason="PyPy has no C core")


def _declared() -> dict[str, list[str]]:
    """Names of the stub's functions and types, and their parameters, for the running version."""
    tree = ast.parse((Path(footfall.__file__).parent / "_core.pyi").read_text())
    found: dict[str, list[str]] = {}
    methods = {method for node in tree.body if isinstance(node, ast.ClassDef) for method in _methods(node)}
    for node in ast.walk(tree):
        name = getattr(node, "name", "")
        if node in methods:
            continue
        if isinstance(node, ast.ClassDef):
            (node,) = (method for method in _methods(node) if method.name == "__new__")
        if isinstance(node, ast.FunctionDef):
            arguments = [*node.args.posonlyargs, *node.args.args]
            found[name] = [argument.arg for argument in arguments if argument.arg != "cls"]
    if sys.version_info < (3, 12):
        del found["monitoring_start"], found["monitoring_stop"]
    return found


def _methods(node: ast.ClassDef) -> list[ast.FunctionDef]:
    return [method for method in node.body if isinstance(method, ast.FunctionDef)]


def test_the_stub_names_every_function_and_no_other() -> None:
    """Names in the stub are the module's."""
    from footfall import _core

    assert {name for name in dir(_core) if not name.startswith("__")} == set(_declared())


def test_the_stub_names_every_method() -> None:
    """Methods of a type in the stub are the type's."""
    from footfall import _core

    tree = ast.parse((Path(footfall.__file__).parent / "_core.pyi").read_text())
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            public = {name for name in dir(getattr(_core, node.name)) if not name.startswith("__")}
            assert public == {method.name for method in _methods(node)} - {"__new__"}


def test_the_stub_names_every_parameter() -> None:
    """Parameters in the stub are those of the text signatures."""
    from footfall import _core

    for name, parameters in _declared().items():
        signature = getattr(_core, name).__text_signature__ or ""
        if not signature:
            continue
        words = [word.split("=")[0].strip() for word in signature.strip("()").split(",")]
        assert [word for word in words if word not in ("$module", "/", "")] == parameters, name
