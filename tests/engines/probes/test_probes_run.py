"""The probes engine in real processes: caches, forks, kills, pytest's rewriting, removed and restored probes."""

import os
import subprocess
import sys
import textwrap

import pytest

from footfall.analyze.probes.arcs import arcs_of_events, meanings_of_module
from footfall.record.run.record_file import read_record

pytestmark = pytest.mark.skipif(
    sys.implementation.name == "cpython" and sys.version_info >= (3, 14), reason="sys.monitoring does this there"
)


@pytest.fixture
def measure(tmp_path):
    """Write files, run Python measured, and return (completed process, {file name: (lines, arcs)})."""
    work = tmp_path / "work"
    work.mkdir()

    def run(files, *arguments, branch=1, **variables):
        for name, text in files.items():
            (work / name).write_text(textwrap.dedent(text))
        directory = tmp_path / f"run{len(list(tmp_path.glob('run*')))}"
        directory.mkdir()
        (directory / "settings").write_text(
            f"branch\t{branch}\ncover\t1\nprofile\t0\nsource_dir\t{work}\ncache_dir\t{tmp_path / 'cache'}\n"
        )
        environment = {**os.environ, "FOOTFALL_RUN": str(directory), **variables}
        done = subprocess.run([sys.executable, *arguments], cwd=work, env=environment, text=True, capture_output=True)
        found: dict[str, tuple[set[int], set[tuple[int, int]]]] = {}
        for path in sorted(directory.glob("*.rec")):
            for module in read_record(str(path)).modules:
                lines, arcs = found.setdefault(os.path.basename(module.path), (set(), set()))
                new_lines, new_arcs = arcs_of_events(meanings_of_module(module), module.events)
                lines |= new_lines
                arcs |= new_arcs
        return done, found

    return run


_CHOOSE = """\
    def choose(x):
        if x:
            return 1
        return 2
"""


def test_cache_is_used_and_never_stale(measure, tmp_path):
    """A second run takes the code from the cache; an edit or another mode is seen at once."""
    files = {"choose.py": _CHOOSE, "main.py": "import choose\nprint(choose.choose(0))\n"}
    done, first = measure(files, "main.py")
    assert done.stdout == "2\n"
    assert first["choose.py"] == ({1, 2, 4}, {(2, 4), (4, -1)})
    old = 10**9 * 10**9
    os.utime(tmp_path / "work" / "choose.py", ns=(old, old))
    assert measure({}, "main.py")[1] == first
    edited = {"choose.py": _CHOOSE.replace("2", "3").replace("if x", "if not x")}
    done, second = measure(edited, "main.py")
    assert done.stdout == "1\n"
    assert second["choose.py"][0] == {1, 2, 3}
    if sys.version_info < (3, 12):  # later versions have another engine for lines alone
        assert measure({}, "main.py", branch=0)[1]["choose.py"] == ({1, 2, 3}, set())
    assert not list((tmp_path / "work").glob("__pycache__/choose*"))


_INSIDE = """\
    import ctypes, dis, marshal, pickle, sys, threading
    def loop(n):
        total = 0
        for i in range(n):
            if i % 2:
                total += i
            else:
                total -= i
        return total
"""


# All that shows bytecode. A function that was never run has the same.
_SHOWN = """\
from footfall import _core
code = loop.__code__
def jumps(**adaptive):
    return [at.argval for at in dis.Bytecode(code, **adaptive) if at.opname == "JUMP_FORWARD"]
def look():
    never_run = code.replace()
    copy = marshal.loads(marshal.dumps(code))
    assert jumps(adaptive=True) == jumps()
    assert hash(code) == code.__hash__()
    assert code == never_run and code.__eq__(never_run) and not code != never_run and not code.__ne__(never_run)
    assert code.co_code == never_run.co_code == copy.co_code
    return code.co_code, hash(code), jumps()
"""


@pytest.mark.skipif(sys.implementation.name != "cpython", reason="probes are removed on CPython")
@pytest.mark.parametrize(
    "body",
    [
        "code = loop.__code__\nassert loop(9) == -4\n"
        "live = ctypes.string_at(id(code) + type(code).__basicsize__, len(code.co_code))\n"
        "assert live[::2].count(dis.opmap['JUMP_FORWARD']) >= 5",
        _SHOWN + "before = look()\nloop(9)\nassert look() == before\n_core.probes_rearm()\nassert look() == before\n"
        "loop(9)\nassert look() == before",
        _SHOWN + "loop(9)\nremoved = look()\n_core.probes_rearm()\nassert look() == removed",
        "from footfall import _core\nloop(9)\nassert _core.probes_rearm() >= 5\nassert loop(9) == -4\n"
        "assert _core.probes_rearm() >= 5",
        "sys.settrace(lambda *args: None)\nassert loop(9) == -4\nsys.settrace(None)\nassert loop(9) == -4",
        "seen = []\ndef trace(frame, event, arg):\n    seen.append(frame.f_lineno)\n    return trace\n"
        "loop(2)\nsys.settrace(trace)\nloop(2)\nsys.settrace(None)\n"
        "assert seen == [2, 3, 4, 5, 8, 4, 5, 6, 4, 9, 9], seen",
        "from footfall import _core\nseen = []\ndef trace(frame, event, arg):\n    seen.append(frame.f_lineno)\n    return trace\n"
        "loop(9)\nsys.settrace(trace)\nloop(2)\nhash(loop.__code__)\nassert loop.__code__ == loop.__code__.replace()\n"
        "seen.clear()\nloop(2)\nassert seen == [2, 3, 4, 5, 8, 4, 5, 6, 4, 9, 9], seen\n"
        "_core.probes_rearm()\nseen.clear()\nloop(2)\nassert seen == [2, 3, 4, 5, 8, 4, 5, 6, 4, 9, 9], seen\n"
        "sys.settrace(None)\nassert loop(9) == -4",
        "loop(9)\ncopy = type(loop)(marshal.loads(marshal.dumps(loop.__code__)), globals())\nassert copy(9) == -4",
        "copy = type(loop)(loop.__code__.replace(co_name='x'), globals())\nassert copy(9) == loop(9) == -4",
        "marks = [const for const in loop.__code__.co_consts if type(const).__name__ == 'Events']\n"
        "assert len(marks) == 1\nassert pickle.loads(pickle.dumps(marks[0])) == marks[0]\nassert hash(marks[0])\nloop(3); loop(2)",
        "threads = [threading.Thread(target=loop, args=(20000,)) for _ in range(4)]\n"
        "[thread.start() for thread in threads]\n[thread.join() for thread in threads]",
    ],
    ids=[
        "removed",
        "shown before",
        "shown after",
        "restored",
        "under a tracer",
        "line events",
        "line events, restored",
        "marshal",
        "copied",
        "pickled",
        "threads",
    ],
)
def test_probes_in_live_bytecode(measure, body):
    """Probes leave the running bytecode after the first event, and nothing else notices."""
    done, found = measure({"main.py": textwrap.dedent(_INSIDE) + body + "\n"}, "main.py")
    assert (done.returncode, done.stderr) == (0, "")
    assert {2, 3, 4, 5, 6, 8, 9} <= found["main.py"][0]
    assert {(4, 5), (4, 9), (5, 6), (5, 8)} <= found["main.py"][1]


def test_many_probes_in_one_function(measure):
    """Probes whose constants need EXTENDED_ARG are executed and removed all the same."""
    lines = "".join(f"    x = x + {n + 1000}\n" for n in range(700))
    _done, found = measure({"main.py": f"def f(x):\n{lines}    return x\nfor _ in range(30): f(1)\n"}, "main.py")
    assert found["main.py"][0] == set(range(1, 704))
