"""`compile` without the C core: its wrapper, in Python, does what the plain function does, and shows in nothing."""

import pytest

from engines import IS_CPYTHON, Engine, Measured, measured  # noqa: F401, a fixture
from footfall.model import ENGINE_PROBES
from footfall.pythons import HAS_PROBES
from marked import write_program

pytestmark = [
    pytest.mark.skipif(not IS_CPYTHON or not HAS_PROBES, reason="there are no such probes here"),
    pytest.mark.parametrize("engine", [Engine("probes", ENGINE_PROBES, is_pure=True)], ids=["probes_pure"]),
]

_MODULE = """
    def choose(x):
        if x:  # true
            return 1
        return 2  # missed
    assert choose(1) == 1
    if __name__ == "<run_path>":  # {run_path}
        by_path = 1  # {body}
"""


@pytest.mark.parametrize(
    ("run", "is_by_path"),
    [
        ("exec(compile(open(path).read(), path, 'exec'), {'__name__': 'module'})", False),
        ("exec(compile(open(path, 'rb').read(), path, mode='exec', dont_inherit=True), {})", False),
        ("exec(compile(ast.parse(open(path).read()), path, 'exec'), {'__name__': 'module'})", False),
        ("exec(compile(ast.parse(open(path).read()), path, 'exec', 0, True, 0), {'__name__': 'module'})", False),
        ("runpy.run_path(path)", True),
        ("runpy.run_path('code.zip')", True),
    ],
    ids=["compile", "bytes", "a tree", "a tree, with all arguments", "run_path", "run_path of an archive"],
)
def test_what_a_program_compiles_is_not_traced(measured: Measured, run: str, is_by_path: bool) -> None:  # noqa: F811
    """Its lines and branches are known from probes, so the program has no trace function."""
    text = _MODULE.format(run_path=str(is_by_path).lower(), body="any" if is_by_path else "missed")
    name = "__main__.py" if "zip" in run else "module.py"
    write_program(measured.work / name, text)
    done = measured.run(
        f"""
        import ast, os, runpy, sys, zipfile
        with zipfile.ZipFile("code.zip", "w") as archive:
            archive.write({name!r})
        path = os.path.abspath({name!r})
        {run}
        assert sys.gettrace() is None
        """
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    if "zip" not in run:
        measured.check_marks()


def test_a_tree_that_the_text_does_not_give_is_traced(measured: Measured) -> None:  # noqa: F811
    """What the tree says runs, on the lines of the file."""
    write_program(measured.work / "module.py", _MODULE.format(run_path="false", body="missed"))
    done = measured.run(
        """
        import ast, os, sys
        path = os.path.abspath("module.py")
        tree = ast.parse(open(path).read())
        tree.body[0].name = tree.body[1].test.left.func.id = "chosen"
        exec(compile(tree, path, "exec"), {"__name__": "module"})
        assert sys.gettrace() is not None
        """
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    measured.check_marks()


_ERRORS = """
    from __future__ import annotations
    import inspect, os, pickle, traceback, types
    for arguments in ("a b", __file__, "exec"), ("a b", "<text>", "exec"), ("a",), (1, "", ""), ("", "", "none"):
        try:
            try:
                raise KeyError
            except KeyError:
                compile(*arguments)
        except Exception as error:
            names = [frame.name for frame in traceback.extract_tb(error.__traceback__)]
            print(type(error).__name__, error, names, type(error.__context__).__name__)
    text = "def f(a: b): return 0"
    for filename in __file__ + "x", "<text>":
        code = compile(text, filename, "exec")
        space = {}
        exec(code, space)
        print(space["f"].__annotations__, code.co_flags == compile(text, "<again>", "exec").co_flags)
    exec(compile(text, "<text>", "exec", 0, True), {"b": 5}, space)
    print(space["f"].__annotations__)
    class Namespace:
        compile = compile
    print(Namespace().compile("1", "", "eval").co_name, type(compile("1", "", "eval", 0x400)).__name__)
    print(compile, isinstance(compile, types.BuiltinFunctionType), inspect.signature(compile))
    print(pickle.loads(pickle.dumps(compile)) is compile, compile.__name__, compile.__self__.__name__)
"""


def test_errors_flags_and_looks_are_those_of_the_plain_function(measured: Measured) -> None:  # noqa: F811
    """Messages, tracebacks, contexts of errors, inherited future features, and what programs ask of a function."""
    done = measured.run(_ERRORS)
    bare = measured.run_bare()
    assert "SyntaxError" in bare.stdout and "TypeError" in bare.stdout and "ValueError" in bare.stdout
    assert (done.returncode, done.stdout, done.stderr) == (0, bare.stdout, "")
