"""Large sources analysed piece by piece: the answers are those for the whole."""

import pytest

from footfall.analyze.source import analysis as source_analysis
from footfall.analyze.source.analysis import SourceAnalysis, SourceError, analyze_source
from footfall.analyze.source.exclude import ExclusionRules
from footfall.probes import pieces
from programs.flow_constructs import CONSTRUCTS
from programs.generated import generate_program

TEXTS = {
    "exits of the module": "if a: b()\nc()\nfor d in e:\n    if d: break\nf = 1\nif g: raise h\ni = 1\nif i:\n    j()\n",
    "a definition at the end": "a = 1\nb = 2\nclass C:\n    def d(self):\n        return 1\n",
    "definitions": "class A:\n    def b(self):\n        def c(): pass\n@d\n@e(\n  1)\nclass F:\n    def g(self): pass\nh()\n",
    "exclusions": (
        "a = 1\ndef b(\n    c,\n):  # pragma: no cover\n    if c: return 1\n    return 2\n"
        "d = 1\nif d:  # pragma: no cover\n    e()\nf()\nmatch g:\n    case 1: h\n    case _:\n        i  # pragma: no cover\nj()\n"
    ),
    "futures": '"""A."""\nfrom __future__ import annotations; a = 1\nb = 1\ndef c(\n    d: e = 1,\n    f: g[\n        h\n    ] = 2,\n): pass\n',
    "with": "with a:\n    with b:\n        if c: d()\nwith e: f()\ng = 1\n",
    "annotations": "a = 1\nb: int\nc: d = 1\ne = 1\n",
}


def _analyze(text: str, monkeypatch: pytest.MonkeyPatch, n_bytes: int = 0) -> SourceAnalysis:
    """Analyse a text in pieces of about so many bytes; 0 for as a whole."""
    with monkeypatch.context() as patch:
        if n_bytes:
            patch.setattr(pieces, "_PIECE_BYTES", n_bytes)
            patch.setattr(source_analysis, "_MAX_WHOLE_BYTES", 0)
        return analyze_source(text, "a.py", ExclusionRules())


def _assert_same(text: str, monkeypatch: pytest.MonkeyPatch, n_bytes: int) -> None:
    """All numbers are equal; definitions are the same in another order."""
    whole, in_pieces = _analyze(text, monkeypatch), _analyze(text, monkeypatch, n_bytes)
    for field in SourceAnalysis.__slots__:
        if field != "definitions":
            assert getattr(in_pieces, field) == getattr(whole, field), field
    assert sorted(_with_parents(in_pieces)) == sorted(_with_parents(whole))


def _with_parents(analysis: SourceAnalysis) -> list[tuple[object, ...]]:
    found = analysis.definitions
    return [
        (each.kind, each.name, each.start, each.first, each.last, found[each.parent].name if each.parent >= 0 else "")
        for each in found
    ]


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
def test_pieces_give_the_answers_of_the_whole(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut wherever that may be done."""
    monkeypatch.setattr(source_analysis, "_compile", _once(source_analysis._compile))
    _assert_same(text, monkeypatch, 1)


def _once(function):  # type: ignore[no-untyped-def]
    """Let the function be called once: for the whole."""
    calls = iter([function])
    return lambda *arguments: next(calls)(*arguments)


def test_what_stands_behind_the_end_of_a_module_is_never_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """The compiler drops it, in whichever piece it is."""
    _assert_same("a = 1\nraise b\nc = 1\nd = 1\n", monkeypatch, 1)


def test_pieces_of_many_programs_give_the_answers_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """So it is in random programs, and for many constructs between others."""
    for seed in range(2):
        _assert_same(generate_program(seed), monkeypatch, 500)
    for text in list(CONSTRUCTS.values())[::4]:
        if _is_python_here(text):
            _assert_same(f"first = 1\n{text}\nlast = 1\n", monkeypatch, 1)


def _is_python_here(text: str) -> bool:
    try:
        compile(text, "", "exec", dont_inherit=True)
    except SyntaxError:
        return False
    return "__future__" not in text


@pytest.mark.parametrize("text", ["a = 1\nb = 2\nc = (\n", "a = 1\ndef b(): pass\ncontinue\nd = 1\n"])
def test_errors_are_those_of_the_whole(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is no Python is said of the file, not of a piece."""
    reported = []
    for n_bytes in (0, 1):
        with pytest.raises(SourceError) as raised:
            _analyze(text, monkeypatch, n_bytes)
        reported.append(str(raised.value))
    assert reported[0] == reported[1]
