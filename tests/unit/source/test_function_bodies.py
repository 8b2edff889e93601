"""Large modules compiled piece by piece: the code is that of the whole, constants that are one object included."""

import sys
from types import CodeType
from typing import Any

import pytest

from footfall.observe.engines import instrument
from footfall.observe.engines.instrument import Instrumenter
from footfall.probes import pieces
from programs.flow_constructs import CONSTRUCTS
from programs.generated import generate_program

pytestmark = pytest.mark.skipif(
    sys.version_info >= (3, 14) or sys.implementation.name != "cpython",
    reason="has no probes, or compiles all as a whole",
)


def _refuse(*_: object) -> None:
    raise AssertionError("compiled as a whole")


PLAIN = "x = 1\n"
TEXTS = {
    "an import behind a use": "def f(): return os.getcwd()\ndef g(): return re.x()\nimport os, re as r\n",
    "an import in a block": "try:\n    import os.path\nexcept E:\n    from a import b as re\ndef f(): os.f(re.g())\n",
    "an import behind a local use": "def f(os): return os.getcwd()\nimport os\n",
    "an import behind a use in a class": "def f():\n    class C:\n        def g(self): return __a.b()\nimport __a\n",
    "imports that nothing before them uses": "def f(): return os.getcwd()\nimport re, sys\ndef g(): return re.x()\n",
    "global names": "a = b = 1\ndef f():\n    global a\n    def g():\n        global b\ndef h(a): return b\na = b\n",
    "what a definition evaluates": (
        "@d(1)\n@e\ndef f(a, /, b: A = 1, *c: B, d: C = lambda: 3, e, **g: D) -> E:\n    return lambda: a\n"
        "def h(*, a=2): yield a\nasync def i(a, b=(1, 2)): await a\n"
    ),
    "futures": '"""A."""\nfrom __future__ import annotations; x = 1\ndef f():\n    def g(a: b) -> c: d: e = 1\n',
    "one name again": "def f(): return 1\ndef f(): return 2\nif f:\n    def f(): return 3\n",
    "classes": "class C:\n    def f(self): return super().f(1000.5)\n    def __g(self): self.__g\ndef f(): return C\n",
    "constants": "a = 'a b', 1000\ndef f(): return 'a b', 1000, -0.0, (1, 2.5)\ndef g(): return 1000, 0.0, (1, 2.5)\n",
}
FIELDS = [
    name
    for name in dir(_refuse.__code__)
    if name.startswith("co_") and name not in ("co_consts", "co_lnotab", "co_lines", "co_positions", "co_branches")
]
HAS_TYPE_PARAMETERS = sys.version_info >= (3, 12)
if HAS_TYPE_PARAMETERS:
    TEXTS["type parameters"] = "def f[T: (int, str)](a: T) -> T: return a\nclass C[T]: pass\n"


def _compile(text: str, monkeypatch: pytest.MonkeyPatch, n_bytes: int) -> CodeType:
    """Return the text's code with probes, compiled in pieces of about so many bytes; 0 for as a whole."""
    with monkeypatch.context() as patch:
        if n_bytes:
            patch.setattr(pieces, "_PIECE_BYTES", n_bytes)
            patch.setattr(instrument, "_MAX_WHOLE_BYTES", 0)
        return Instrumenter("", True, lambda make: make()).code_of_source(text, "a.py", b"")


def _parts(code: CodeType, objects: dict[int, int]) -> list[Any]:
    """Return all that code consists of; each constant with the number of its object."""
    parts: list[Any] = [(name, getattr(code, name)) for name in FIELDS]
    parts.append(list((code.co_positions if hasattr(code, "co_positions") else code.co_lines)()))
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            parts.append(_parts(constant, objects))
        elif isinstance(constant, frozenset):  # no program gets hold of one
            parts.append(constant)
        else:
            parts.append((type(constant), repr(constant), objects.setdefault(id(constant), len(objects))))
    return parts


def _assert_same_code(text: str, monkeypatch: pytest.MonkeyPatch, n_bytes: int) -> None:
    whole = _compile(text, monkeypatch, 0)
    with monkeypatch.context() as patch:
        patch.setattr(Instrumenter, "instrument", _refuse)
        in_pieces = _compile(text, monkeypatch, n_bytes)
    assert _parts(in_pieces, {}) == _parts(whole, {})


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
def test_pieces_give_the_code_of_the_whole(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut wherever that may be done, each code object is what it is without."""
    _assert_same_code(PLAIN + text if "__future__" not in text else text, monkeypatch, 1)


def test_imports_in_later_pieces_seldom_cost_a_second_compilation(monkeypatch: pytest.MonkeyPatch) -> None:
    """Functions are compiled again only if one before the import uses its name."""
    parse = instrument.parse_in_pieces
    used = "def f(): return os.getcwd()\ndef g(): return 1\nimport os\nx = 2\n"
    for text, times in ((used, 2), (used.replace("return os", "return so"), 1)):
        passes: list[bytes] = []

        def parse_counted(source: bytes, *others: Any, passes: list[bytes] = passes) -> Any:
            passes.append(source)
            return parse(source, *others)

        monkeypatch.setattr(instrument, "parse_in_pieces", parse_counted)
        _compile(text, monkeypatch, 1)
        assert len(passes) == times, text


def test_pieces_of_many_programs_give_the_code_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """So it is in random programs, and where many constructs stand in one module."""
    for seed in range(2):
        _assert_same_code(PLAIN + generate_program(seed), monkeypatch, 500)
    constructs = [text for text in list(CONSTRUCTS.values())[::3] if _is_python_here(text)]
    _assert_same_code(PLAIN + "\n".join(constructs), monkeypatch, 20_000)


def _is_python_here(text: str) -> bool:
    try:
        compile(text, "", "exec", dont_inherit=True)
    except SyntaxError:
        return False
    return "__future__" not in text


def test_a_large_module_takes_little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its tree as a whole takes most of what compiling takes."""
    import tracemalloc  # PyPy has none

    text = "".join(f"def f_{n}(a, b):\n    if a: b(a + {n})\n    return b(a, {n})\n" for n in range(400))
    peaks = []
    for n_bytes in (0, 2000):
        tracemalloc.start()
        _compile(text, monkeypatch, n_bytes)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] / 2


def test_errors_are_those_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is no Python is said of the file, not of a piece."""
    text = "a = 1\ndef f(): pass\nb = 2\ndef g(:\n"
    errors = []
    for n_bytes in (0, 1):
        with pytest.raises(SyntaxError) as raised:
            _compile(text, monkeypatch, n_bytes)
        errors.append((raised.value.msg, raised.value.lineno, raised.value.text))
    assert errors[0] == errors[1]
