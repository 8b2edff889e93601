"""Code of a measured file that does not come through its loader or `compile`: from syntax trees, bytecode, archives.

Its lines and branches are those of the file's text, or a message names the file.
"""

import pathlib
import py_compile
import zipfile

import pytest

from engines import Measured, each_engine, measured, with_default  # noqa: F401, a fixture
from footfall.analyze.resolve import resolve

_MODULE = """\
word = "plain"
def choose(x):
    if x:
        return word
    return None
print(choose(1))
"""
_LINES = {1, 2, 3, 4, 6}

_AS_IT_IS = """\
import ast, marshal, os
path = os.path.abspath("module.py")
text = open(path).read()
space = {"__name__": "module"}
"""
_CHANGED = (
    _AS_IT_IS
    + """
tree = ast.parse(text)
tree.body[0].value.value = "changed"
"""
)

_SAME_CODE = [
    ("exec", "exec(compile(ast.parse(text), path, 'exec'), space)"),
    ("exec in the running namespace", "exec(compile(ast.parse(text), path, 'exec'))"),
    ("eval", "eval(compile(ast.parse(text), path, 'exec'), space)"),
    ("twice", "code = compile(ast.parse(text), path, 'exec')\nexec(code, space, None)\nexec(code, {})"),
    ("stored by marshal", "exec(marshal.load(open('stored', 'rb')), space)"),
    ("run_path", "import runpy; runpy.run_path('stored.pyc')"),
]
_OTHER_CODE = [
    ("a changed tree", "exec(compile(tree, path, 'exec'), space)"),
    ("after an import", "import module\nexec(compile(tree, path, 'exec'), space)"),
    ("piece by piece", "for node in tree.body: exec(compile(ast.Interactive([node]), path, 'single'), space)"),
    (
        "in a function of its own",
        "exec(compile(ast.Module(tree.body[:2], []), path, 'exec'), space)\nprint(space['choose'](1))",
    ),
]


def _compile(work: pathlib.Path) -> None:
    (work / "module.py").write_text(_MODULE)
    py_compile.compile(str(work / "module.py"), str(work / "stored.pyc"), doraise=True)
    (work / "stored").write_bytes((work / "stored.pyc").read_bytes()[16:])


def _check(measured: Measured, name: str = "module.py", lines: set[int] = _LINES) -> None:  # noqa: F811
    """The lines ran, with one of the two branches taken."""
    file = resolve(measured.run_directory).files[str(measured.work / name)]
    assert set().union(*file.lines.values()) == lines
    if measured.engine.branch:
        assert {pair for pair in set().union(*file.arcs.values()) if pair[0] == 3} == {(3, 4)}


@with_default
@pytest.mark.parametrize("run", [run for _, run in _SAME_CODE], ids=[name for name, _ in _SAME_CODE])
def test_code_that_the_text_gives_gets_probes(measured: Measured, run: str) -> None:  # noqa: F811
    """Wherever it comes from; nothing is said, and nothing is traced."""
    _compile(measured.work)
    done = measured.run(_AS_IT_IS + run + "\nimport sys; assert sys.gettrace() is None\n")
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.split()) == {"plain"}
    assert done.stderr == ""
    _check(measured)


@with_default
@pytest.mark.parametrize("run", [run for _, run in _OTHER_CODE], ids=[name for name, _ in _OTHER_CODE])
def test_code_of_a_program_s_own_tree_is_traced(measured: Measured, run: str) -> None:  # noqa: F811
    """It runs as it is, and a message says that it costs more."""
    _compile(measured.work)
    done = measured.run(_CHANGED + run + "\n")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[-1] == "changed"
    if measured.engine.name == "probes":
        (reported,) = measured.messages_of("code-from-elsewhere")
        assert reported.startswith(str(measured.work / "module.py"))
    _check(measured, lines=_LINES - {6} if "choose'" in run else _LINES)


@with_default
def test_a_second_file_is_traced_after_its_probes_ran(measured: Measured) -> None:  # noqa: F811
    """A file whose own code the trace function has met and left to its probes is traced when it gets other code."""
    _compile(measured.work)
    (measured.work / "other.py").write_text("def first():\n    return 1\ndef second():\n    return 2\nfirst()\n")
    change = "import other; other.first()\nexec(compile(ast.parse(open('other.py').read() + 'second()'), other.__file__, 'exec'), {})\n"
    done = measured.run(_CHANGED + "exec(compile(tree, path, 'exec'), space)\n" + change)
    assert done.returncode == 0, done.stderr
    _check(measured)
    lines = resolve(measured.run_directory).files[str(measured.work / "other.py")].lines
    assert set().union(*lines.values()) == {1, 2, 3, 4, 5, 6}


@with_default
def test_traced_code_in_contexts_threads_and_children(measured: Measured) -> None:  # noqa: F811
    """What it runs counts for its context, whatever thread or process runs it."""
    (measured.work / "other.py").write_text(
        "def first():\n    return 1\ndef second():\n    return 2\ndef third():\n    return 3\nvalue = 0\n"
    )
    done = measured.run(
        """
        import ast, footfall, os, threading
        path = os.path.abspath("other.py")
        tree = ast.parse(open(path).read())
        tree.body[-1].value.value = 1
        space = {}
        exec(compile(tree, path, "exec"), space)
        with footfall.context("first"):
            space["first"]()
        with footfall.context("thread"):
            thread = threading.Thread(target=space["second"])
            thread.start()
            thread.join()
        with footfall.context("child"):
            if os.fork() == 0:
                space["third"]()
                os._exit(0)
            os.wait()
        """
    )
    assert done.returncode == 0, done.stderr
    lines = resolve(measured.run_directory).files[str(measured.work / "other.py")].lines
    assert lines == {"": {1, 3, 5, 7}, "first": {2}, "thread": {4}, "child": {6}}


@with_default
def test_what_is_not_measured_is_not_traced(measured: Measured) -> None:  # noqa: F811
    """Trees under made-up names, of files that are no Python and of other folders cost nothing and are not spoken of."""
    (measured.work / "page.txt").write_text("no Python: {% if %}\n")
    done = measured.run(
        _AS_IT_IS.replace("module.py", "main.py")
        + """
import sys, tempfile
for name in "<template>", os.path.abspath("page.txt"), __import__("json").__file__:
    exec(compile(ast.parse("for i in range(3): pass"), name, "exec"), {})
assert eval(compile(ast.parse("1 + 1", mode="eval"), "<value>", "eval")) == 2 == eval("1 + 1")
assert (lambda local: (exec("local += 1"), eval("local")))(1) == (None, 1)
assert sys.gettrace() is None
assert (exec.__name__, exec.__module__, eval.__qualname__) == ("exec", "builtins", "eval")
"""
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert [slug for slug, _ in resolve(measured.run_directory).messages] == []


@each_engine
def test_bytecode_of_an_archive(measured: Measured) -> None:  # noqa: F811
    """A `.pyc` beside the `.py` of a zip archive is what is imported; its lines are the archive's text's."""
    build = measured.work / "build"
    build.mkdir()
    _compile(build)
    with zipfile.ZipFile(measured.work / "code.zip", "w") as archive:
        archive.write(build / "module.py", "module.py")
        archive.write(build / "stored.pyc", "module.pyc")
    for path in build.iterdir():
        path.unlink()
    done = measured.run(
        "import sys\nsys.path.insert(0, 'code.zip')\nimport module\nassert module.__file__.endswith('.pyc')\n"
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "plain\n", "")
    _check(measured, "code.zip/module.py")


@each_engine
def test_moved_bytecode_belongs_to_the_file_next_to_it(measured: Measured) -> None:  # noqa: F811
    """Not of where it was compiled, as coverage.py tells by `__file__`."""
    (measured.work / "old").mkdir()
    (measured.work / "new").mkdir()
    _compile(measured.work / "old")
    (measured.work / "old" / "module.py").rename(measured.work / "new" / "module.py")
    (measured.work / "old" / "stored.pyc").rename(measured.work / "new" / "module.pyc")
    done = measured.run("import runpy\nrunpy.run_path('new/module.pyc')\n")
    assert (done.returncode, done.stdout, done.stderr) == (0, "plain\n", "")
    files = resolve(measured.run_directory).files
    assert str(measured.work / "old" / "module.py") not in files
    _check(measured, "new/module.py")


@each_engine
def test_a_main_script_of_bytecode(measured: Measured) -> None:  # noqa: F811
    """`python main.pyc` measures main.py beside it."""
    _compile(measured.work)
    (measured.work / "stored.pyc").rename(measured.work / "module.pyc")
    done = measured.run("", "module.pyc")
    assert (done.returncode, done.stdout, done.stderr) == (0, "plain\n", "")
    _check(measured)


@each_engine
def test_bytecode_without_its_source_is_named(measured: Measured) -> None:  # noqa: F811
    """No report can show it, which is said at the end whatever the engine."""
    _compile(measured.work)
    (measured.work / "module.py").unlink()
    (measured.work / "stored.pyc").rename(measured.work / "module.pyc")
    done = measured.run("import module\n")
    assert (done.returncode, done.stdout, done.stderr) == (0, "plain\n", "")
    [(slug, text)] = resolve(measured.run_directory).messages
    assert slug == "source-missing"
    assert str(measured.work / "module.py") in text


@each_engine
def test_copies_through_marshal_are_measured(measured: Measured) -> None:  # noqa: F811
    """A function's code that was marshalled counts for its file; as before its bytes hold nothing that can't be loaded."""
    (measured.work / "main.py").write_text(
        "import marshal, module\n"
        "data = marshal.dumps([module.choose.__code__, 1])\n"
        "assert marshal.loads(data)[1] == 1\n"
        "data = bytearray(marshal.dumps(module.choose.__code__))\n"
        "copy = type(module.choose)(marshal.loads(memoryview(data)), {'word': 'copied'})\n"
        "with open('stored', 'wb') as file: marshal.dump([{'code': module.choose.__code__}], file)\n"
        "with open('stored', 'rb') as file: again = type(module.choose)(marshal.load(file)[0]['code'], {'word': 'stored'})\n"
        "print(copy(1), again(0))\n"
        "ring = []; ring += [ring, ring]\n"
        "assert len(marshal.loads(marshal.dumps(ring))) == 2\n"
        "assert marshal.loads.__module__ == 'marshal'\n"
        "try: marshal.loads(b'')\n"
        "except EOFError: print('ended')\n"
    )
    (measured.work / "module.py").write_text(_MODULE.replace("print(choose(1))", "choose"))
    done = measured.run((measured.work / "main.py").read_text())
    assert (done.returncode, done.stdout, done.stderr) == (0, "copied None\nended\n", "")
    file = resolve(measured.run_directory).files[str(measured.work / "module.py")]
    assert set().union(*file.lines.values()) == {*_LINES, 5}
    if measured.engine.branch:
        assert {(3, 4), (3, 5)} <= set().union(*file.arcs.values())


_DEEP = "".join(" " * depth + f"for i{depth} in (1, 2):\n" for depth in range(20)) + " " * 20 + "break\n"
"""As many blocks within each other as the compiler allows."""
_DEEP_TEST = "def test_it():\n" + "".join(" " + line for line in _DEEP.splitlines(keepends=True))


@with_default
@pytest.mark.parametrize(
    ("name", "text", "run"),
    [
        ("deep", _DEEP, "import deep"),
        ("deep", _DEEP, "import runpy; runpy.run_module('deep')"),
        (
            "test_deep",
            _DEEP_TEST,
            "import pytest; assert pytest.main(['-q', '-pno:cacheprovider', 'test_deep.py']) == 0",
        ),
    ],
    ids=["imported", "as a program", "rewritten by pytest"],
)
def test_blocks_nested_as_deeply_as_may_be_are_measured(
    measured: Measured,  # noqa: F811
    name: str,
    text: str,
    run: str,
) -> None:
    """Probes in them may be too much for the compiler: the file runs all the same."""
    (measured.work / f"{name}.py").write_text(text)
    done = measured.run(run + "\n")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "not measured" not in done.stderr
    lines = set().union(*resolve(measured.run_directory).files[str(measured.work / f"{name}.py")].lines.values())
    assert lines == set(range(1, len(text.splitlines()) + 1))
