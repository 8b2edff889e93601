"""The frames of the import machinery are shown as one, named by the module that is loaded."""

import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from footfall.analyze.profile.calltree import Cost, Frame, Function, Profile
from footfall.analyze.profile.import_frames import fold_imports
from footfall.analyze.profile.stacks import collapse_stacks
from footfall.record.data.timelines import TreeNode

BOOTSTRAP = "<frozen importlib._bootstrap>"
EXTERNAL = "<frozen importlib._bootstrap_external>"


def profile_of(*stacks: Iterable[tuple[str, str]]) -> Profile:
    """A profile with one sample of each stack of (path, function), outermost first."""
    profile = Profile()
    for place, stack in enumerate(stacks):
        node = 0
        for path, name in stack:
            frame = Frame(Function(path, name, 1), 1, 1, None, None)
            if frame not in profile.frames:
                profile.frames.append(frame)
            child = TreeNode(node, profile.frames.index(frame))
            if child not in profile.nodes:
                profile.nodes.append(child)
            node = profile.nodes.index(child)
        profile.costs[node, 0, str(place)] = Cost(samples=1)
    return profile


def folded(*stacks: Iterable[tuple[str, str]], files: Iterable[str] = ()) -> list[str]:
    """The stacks after folding, as `function;function count`."""
    found = fold_imports(profile_of(*stacks), {*files}.__contains__)
    assert all(node.parent < number for number, node in enumerate(found.nodes))
    shown = collapse_stacks(found)
    return sorted(f"{';'.join(part.partition(' (')[0] for part in stack)} {cost.samples}" for stack, cost in shown)


def test_machinery_is_one_frame_by_module() -> None:
    """Runs of importlib's frames become `<import NAME>` above a module's body, `<import>` where it searches."""
    main = ("/p/main.py", "<module>")
    load = [(BOOTSTRAP, "_find_and_load"), (BOOTSTRAP, "_load_unlocked"), (EXTERNAL, "exec_module")]
    json = ("/usr/lib/python3.12/json/__init__.py", "<module>")
    assert folded(
        [main, *load, json],
        [main, *load, json, *load, ("/usr/lib/python3.12/json/decoder.py", "<module>"), ("<frozen re>", "compile")],
        [main, *load[:2], (EXTERNAL, "get_data")],
        [main],
    ) == [
        "<module> 1",
        "<module>;<import json>;<module> 1",
        "<module>;<import json>;<module>;<import json.decoder>;<module>;compile 1",
        "<module>;<import> 1",
    ]


def test_machinery_of_pypy() -> None:
    """There the two halves of importlib have names of two kinds."""
    external = "<builtin>/frozen importlib._bootstrap_external"
    load = [(BOOTSTRAP, "_find_and_load"), (external, "exec_module"), (BOOTSTRAP, "_call_with_frames_removed")]
    assert folded([("/p/main.py", "<module>"), *load, ("/p/a.py", "<module>")]) == ["<module>;<import a>;<module> 1"]


def test_import_hooks_stay() -> None:
    """Code that is not importlib's stays, below the machinery that called it."""
    main = ("/p/main.py", "<module>")
    load = [(BOOTSTRAP, "_find_and_load"), (BOOTSTRAP, "_load_unlocked")]
    assert folded([main, *load, ("/s/hook.py", "Hook.exec_module"), ("/p/a.py", "<module>")]) == [
        "<module>;<import>;Hook.exec_module;<module> 1"
    ]


NAMES: dict[str, tuple[str, list[str]]] = {
    "/v/lib/python3.11/site-packages/rich/text.py": ("rich.text", []),
    "/v/lib/python3.11/site-packages/rich/__init__.py": ("rich", []),
    "/usr/lib/python3.13/lib-dynload/_x.so": ("_x", []),
    "<frozen os>": ("os", []),
    "/p/src/shop/cart.py": ("shop.cart", ["/p/src/shop/__init__.py"]),
    "/p/src/shop/__init__.py": ("shop", ["/p/src/shop/__init__.py"]),
    "/p/src/alone.py": ("alone", []),
    "/__init__.py": ("__init__", []),
}


@pytest.mark.parametrize("path", NAMES)
def test_names_of_modules(path: str) -> None:
    """A module is named by the packages that it lies in."""
    name, files = NAMES[path]
    load = [("/p/main.py", "<module>"), (BOOTSTRAP, "_find_and_load")]
    assert folded([*load, (path, "<module>")], files=files) == [f"<module>;<import {name}>;<module> 1"]


def test_nothing_to_fold() -> None:
    """A profile without imports is left alone."""
    profile = profile_of([("/p/main.py", "<module>"), ("/p/main.py", "f")])
    assert fold_imports(profile, lambda _: False) is profile


def test_a_line_of_a_pth_file_is_a_part_of_site() -> None:
    """So is what starts footfall; what such a line calls stays. Other texts, of `-c` or a program's own, are shown."""
    line = ("<string>", "<module>")
    for site in "<frozen site>", "/usr/lib/python3.14/site.py":
        main, package = (site, "main"), (site, "addpackage")
        assert folded(
            [main, package, line], [main, package, line, ("/a/b.py", "f")], [line], [("/p/site.py", "g"), line]
        ) == [
            "<module> 1",
            "g;<module> 1",
            "main;addpackage 1",
            "main;addpackage;f 1",
        ]


def test_every_view_shows_imports(
    footfall: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A real slow import is named in flame, export and report, and importlib is not."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / "__init__.py").write_text("")
    (tmp_path / "pack" / "slow.py").write_text(
        "import time\nend = time.thread_time() + 0.15\nwhile time.thread_time() < end: pass\n"
    )
    (tmp_path / "main.py").write_text("import pack.slow\n")
    run = footfall("run", "-q", "--no-cover", "--rate=2000", sys.executable, "main.py")
    assert run.returncode == 0, run.stderr
    shown = [
        footfall("flame", "-o", "-", "--clock=samples"),
        footfall("export", "--format=collapsed", "-o", "-"),
        footfall("report", "--by=function", "-n", "0"),
    ]
    for done in shown:
        assert done.returncode == 0, done.stderr
        assert "<import pack.slow>" in done.stdout
        assert "_find_and_load" not in done.stdout
        assert "exec_module" not in done.stdout
    by_file = footfall("report", "--by=file", "-n", "0").stdout.partition("In libraries and the interpreter:")[0]
    places = {line.split()[-1] for line in by_file.splitlines()[1:] if line[:1].strip().isdigit()}
    assert places <= {"pack/slow.py", "main.py"}
    assert "pack/slow.py" in by_file
