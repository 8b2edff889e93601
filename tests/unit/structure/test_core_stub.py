"""The stubs of the C extensions say what is there."""

import ast
import importlib
import sys
from pathlib import Path

import pytest

import footfall

pytestmark = [
    pytest.mark.skipif(sys.implementation.name != "cpython", reason="PyPy has no C extensions"),
    pytest.mark.parametrize("name", ["_core", "_decode"]),
]


def _stub(name: str) -> ast.Module:
    return ast.parse((Path(footfall.__file__).parent / f"{name}.pyi").read_text())


def _declared(module: str) -> dict[str, list[str]]:
    """Names of the stub's functions and types, and their parameters, for the running version."""
    tree = _stub(module)
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
            found[name] += ["*" + node.args.vararg.arg] if node.args.vararg else []
    if module == "_core" and sys.version_info < (3, 12):
        found = {name: arguments for name, arguments in found.items() if not name.startswith("monitoring_")}
    return found


def _methods(node: ast.ClassDef) -> list[ast.FunctionDef]:
    return [method for method in node.body if isinstance(method, ast.FunctionDef)]


def test_the_stub_names_every_function_and_no_other(name: str) -> None:
    """Names in the stub are the module's."""
    module = importlib.import_module(f"footfall.{name}")
    assert {public for public in dir(module) if not public.startswith("__")} == set(_declared(name))


def test_the_stub_names_every_method(name: str) -> None:
    """Methods and attributes of a type in the stub are the type's."""
    module = importlib.import_module(f"footfall.{name}")
    for node in _stub(name).body:
        if isinstance(node, ast.ClassDef):
            public = {method for method in dir(getattr(module, node.name)) if not method.startswith("__")}
            attributes = {each.target.id for each in node.body if isinstance(each, ast.AnnAssign)}
            methods = {method.name for method in _methods(node) if not method.name.startswith("__")}
            assert public == methods | attributes


def test_the_stub_names_every_parameter(name: str) -> None:
    """Parameters in the stub are those of the text signatures."""
    module = importlib.import_module(f"footfall.{name}")
    for each, parameters in _declared(name).items():
        signature = getattr(module, each).__text_signature__ or ""
        if not signature:
            continue
        words = [word.split("=")[0].strip() for word in signature.strip("()").split(",")]
        assert [word for word in words if word not in ("$module", "/", "")] == parameters, each
