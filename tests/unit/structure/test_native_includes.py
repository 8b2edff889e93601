"""C files of `native` use each other in one direction: folders down a list, and no file, through others, itself.

What a file uses is what it includes, and what it calls: a function declared by hand would show in no include.
"""

import pathlib
import re

import pytest

from conftest import REPOSITORY

pytestmark = pytest.mark.any_python

NATIVE = REPOSITORY / "native"

# Each may use itself and what stands before it; the files beside the folders, which define modules, may use all.
ORDER = ["compat", "core", "record", "walk", "engines", "sampler", "inside", "remote", "decode"]

COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
INCLUDE = re.compile(r'#include "([^"]+)\.h"')
STRING = re.compile(r'"(?:\\.|[^"\\\n])*"')
# as clang-format lays them out: the type on a line of its own, the name at the start of the next
FUNCTION = re.compile(r"^(?!static |typedef |#)(?:\w[\w ]*\*?)\n(\w+)\(", re.MULTILINE)


def _code(path: pathlib.Path) -> str:
    return COMMENT.sub("", path.read_text(encoding="utf-8"))


def _uses(native: pathlib.Path) -> dict[str, dict[str, str]]:
    """Return, by the name of a .c and its .h ("sampler/loop"), which others it uses, each with one reason."""
    code = {path: _code(path) for path in sorted([*native.rglob("*.c"), *native.rglob("*.h")])}
    name = {path: str(path.relative_to(native).with_suffix("")) for path in code}
    definers = {
        function: name[path] for path in code if path.suffix == ".c" for function in FUNCTION.findall(code[path])
    }
    uses: dict[str, dict[str, str]] = {each: {} for each in name.values()}
    for path, text in code.items():
        for header in INCLUDE.findall(text):
            uses[name[path]][header] = f'#include "{header}.h"'
        for word in set(re.findall(r"\w+", STRING.sub("", text))) & definers.keys() if path.suffix == ".c" else ():
            uses[name[path]][definers[word]] = f"{word}()"
        uses[name[path]].pop(name[path], None)
    return uses


def _rank(name: str) -> int:
    folder, slash, _ = name.partition("/")
    return ORDER.index(folder) if slash else len(ORDER)


def _circles(uses: dict[str, dict[str, str]]) -> dict[str, set[str]]:
    """What is left when files that use nothing of what is left are taken away, again and again."""
    left = {name: set(used) for name, used in uses.items()}
    while leaves := {name for name, used in left.items() if not used}:
        left = {name: used - leaves for name, used in left.items() if name not in leaves}
    return left


def test_c_folders_use_what_is_below_them_only():
    """No C file includes, or calls a function of, a folder that stands after its own."""
    upward = [
        f"native/{name}: {why}"
        for name, used in _uses(NATIVE).items()
        for other, why in used.items()
        if _rank(other) > _rank(name)
    ]
    assert upward == []


def test_no_circle_of_c_files():
    """No C file uses itself by way of others."""
    assert _circles(_uses(NATIVE)) == {}, "these use each other, or what does"


def test_uses_are_found(tmp_path):
    """The test above sees an include, a call without one, and a circle of both."""
    for name in ("core", "sampler"):
        (tmp_path / name).mkdir()
    (tmp_path / "core/a.h").write_text("int a_open(void);\n", encoding="utf-8")
    (tmp_path / "core/a.c").write_text(
        "int b_run(void);\nint\na_open(void)\n{\n    return b_run();\n}\n", encoding="utf-8"
    )
    (tmp_path / "sampler/b.c").write_text(
        '#include "core/a.h"\n/* c_none() */\nint\nb_run(void)\n{\n}\n', encoding="utf-8"
    )
    uses = _uses(tmp_path)
    assert uses == {"core/a": {"sampler/b": "b_run()"}, "sampler/b": {"core/a": '#include "core/a.h"'}}
    assert _circles(uses) == {"core/a": {"sampler/b"}, "sampler/b": {"core/a"}}
