"""Code that a program compiles for a file in other ways than from a module's text under a name in a str.

The program's code runs as it is, and its lines are the file's.
"""

import os

import pytest

from engines import IS_CPYTHON, Measured, measured, with_default  # noqa: F401, a fixture
from footfall.analyze.resolve import resolve

_MODULE = """\
word = "plain"
def choose(x):
    if x:
        return word
    return None
print(choose(1))
"""
_RAN = {1, 2, 3, 4, 6}

_CHANGED = 'tree = ast.parse(text.replace("plain", "changed"))\n'


def _lines(measured: Measured, name: str = "module.py") -> set[int]:  # noqa: F811
    return set().union(*resolve(measured.run_directory).files[str(measured.work / name)].lines.values())


def _run(measured: Measured, body: str) -> tuple[str, str]:  # noqa: F811
    (measured.work / "module.py").write_text(_MODULE)
    begin = "import ast, os, pathlib, sys, threading\ntext = pathlib.Path('module.py').read_text()\n"
    done = measured.run(begin + body)
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


@with_default
@pytest.mark.parametrize(
    "arguments",
    [
        'text, pathlib.Path("module.py"), "exec"',
        'text, b"module.py", "exec"',
        'bytearray(text, "utf-8"), "module.py", "exec"',
        'memoryview(text.encode()), "module.py", "exec"',
        'Text(text), Text("module.py"), Text("exec")',
        'ast.parse(text), "module.py", "exec"',
        'optimize=2, mode="exec", source=ast.parse(text), filename=pathlib.Path("module.py")',
    ],
    ids=["a path's name", "name in bytes", "bytearray", "memoryview", "subclasses of str", "its tree", "by keyword"],
)
def test_whatever_a_files_text_is_given_as_it_has_probes(measured: Measured, arguments: str) -> None:  # noqa: F811
    """`compile` takes more than str and bytes."""
    output = _run(measured, f"class Text(str): pass\nexec(compile({arguments}), {{}})")
    assert output == ("plain\n", "")
    assert _lines(measured) == _RAN


@with_default
@pytest.mark.parametrize(
    ("body", "ran"),
    [
        (_CHANGED + 'exec(compile(tree, "module.py", "exec"))', _RAN),
        (_CHANGED + 'code = compile(tree, os.path.abspath("module.py"), "exec")\n'
         "thread = threading.Thread(target=exec, args=(code, {}))\nthread.start()\nthread.join()", _RAN),
        ('for node in ast.parse(text).body:\n    exec(compile(ast.Module([node], []), "module.py", "exec"))', _RAN),
        ('print("plain", eval(compile("\\n\\n(lambda:\\n  3)()", "module.py", "eval")))', {3, 4}),
    ],
    ids=["changed tree", "in a thread", "statement by statement", "expression"],
)  # fmt: skip
def test_code_of_no_whole_text_is_traced_or_named(measured: Measured, body: str, ran: set[int]) -> None:  # noqa: F811
    """Probes can't be put into it: the trace function sees it, or a message says that it is left out."""
    _run(measured, body)
    assert len(measured.messages_of("code-from-elsewhere")) == (measured.engine.name == "probes")
    if IS_CPYTHON:
        assert _lines(measured) == ran


@with_default
def test_a_file_with_probes_is_traced_later(measured: Measured) -> None:  # noqa: F811
    """Tracing has begun for another file when the first code of this one runs, with probes; then come trees of both."""
    (measured.work / "first.py").write_text("def first(x):\n    if x:\n        return 1\n    return 2\n")
    _run(
        measured,
        """\
def run_tree(path, call):
    tree = ast.parse(pathlib.Path(path).read_text())
    tree.body.append(ast.parse(call).body[0])
    exec(compile(tree, path, "exec"), {})
import module
run_tree(module.__file__, "choose(1)")
import first
first.first(1)
run_tree(first.__file__, "first(0)")
""",
    )
    if IS_CPYTHON:
        assert (_lines(measured), _lines(measured, "first.py")) == (_RAN, {1, 2, 3, 4})
        arcs = set().union(*resolve(measured.run_directory).files[str(measured.work / "first.py")].arcs.values())
        assert {(2, 3), (2, 4)} <= arcs


@with_default
def test_footfalls_own_imports_do_not_use_the_programs_finders(measured: Measured) -> None:  # noqa: F811
    """Else code of the project would run that does not without footfall."""
    body = f"""\
class Finder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        print("asked for", name)
sys.meta_path.insert(0, Finder)
{_CHANGED}
exec(compile(tree, "module.py", "exec"))
"""
    assert _run(measured, body)[0] == "changed\n"


@with_default
def test_relative_names_are_looked_for_where_the_program_is(measured: Measured) -> None:  # noqa: F811
    """It may have changed the directory, and names may be below one of `sys.path`, as coverage.py takes them."""
    for name in ("inner/near.py", "library/far.py", "old.py"):
        (measured.work / name).parent.mkdir(exist_ok=True)
        (measured.work / name).write_text("x = 1\nif not x:\n    x = 2\n")
    done = measured.run(
        """
        import os, sys
        text = open("old.py").read()
        sys.path.append(os.path.abspath("library"))
        os.chdir("inner")
        for name in ("near.py", "far.py", "old.py"):
            exec(compile(text, name, "exec"))
        """
    )
    assert (done.returncode, done.stderr) == (0, "")
    for name in ("inner/near.py", "library/far.py", "old.py"):
        assert _lines(measured, name.replace("/", os.sep)) == {1, 2}
