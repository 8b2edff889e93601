"""Sources parsed piece by piece: the pieces together are the whole, and probes mean what they mean in the whole."""

import ast

import pytest

from footfall.analyze.probes.arcs import meanings_of_source
from footfall.analyze.source.parse import PARSE_ERRORS, parse_source
from footfall.probes import pieces as source_pieces
from footfall.probes.mode import BRANCHES, NO_ASSERTS, PHANTOM_LINES, PHANTOMS_BEHIND_CASES, PHANTOMS_BEHIND_EXCEPT_STAR
from footfall.probes.pieces import parse_in_pieces
from programs.flow_constructs import CONSTRUCTS
from programs.generated import generate_program

pytestmark = pytest.mark.any_python

MODES = (
    0,
    BRANCHES,
    BRANCHES | NO_ASSERTS,
    BRANCHES | PHANTOM_LINES | PHANTOMS_BEHIND_CASES | PHANTOMS_BEHIND_EXCEPT_STAR,
)
FUNCTIONS = "".join(f"def f_{n}(x):\n    if x: return {n}\n    return -{n}\n" for n in range(50))

# text -> the lines at which it may be cut
TEXTS = {
    "only functions": ("def f():\n    pass\ndef g():\n    pass\n", [3]),
    "a module's text and futures": ('"""Text."""\nfrom __future__ import annotations\nimport os\n', [3]),
    "decorators": ("a = 1\n@b\n@c\nclass D: pass\nd = 1\n", [2, 5]),
    "a definition in a string": ('a = """\ndef f():\n    pass\n"""\nb = 1\n', [5]),
    "a line that goes on": ("a = 1 + \\\nb()\nc = a\n", [3]),
    "brackets": ("a = [\nb,\nc(1),\n]\nd = 1\ne = 1\n", [6]),
    "clauses": ("import a\ntry:\n    a\nexcept b: c\nelse:\n    d\nfinally:\n    e\nf()\n", [9]),
    "no code": ("a = 1\nassert a\nglobal b\npass\nb = 2\n", [5]),
    "one-line bodies": ("a = 1\nif a: b()\nc()\ndef f(): pass\nclass C: pass\nd()\n", [3, 4, 5, 6]),
    "a raise and what follows it": ("a = 1\nraise b; raise c\ndef d(): pass\nraise e\nf = 1\n", [3, 5]),
    "lambdas": ("a = lambda: 1\nb = lambda: a\ndef c(d=lambda: b): pass\n", [2, 3]),
    "comments at the end": ("a = 1\nb = 2\n# end", [2]),
}


def _cut_everywhere(monkeypatch: pytest.MonkeyPatch, n_bytes: int = 1) -> None:
    monkeypatch.setattr(source_pieces, "_PIECE_BYTES", n_bytes)


@pytest.mark.parametrize(("text", "cuts"), TEXTS.values(), ids=TEXTS.keys())
def test_pieces_are_the_whole(text: str, cuts: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut wherever that may be done, the statements are those of the whole, in their places."""
    whole = [ast.dump(node, include_attributes=True) for node in ast.parse(text).body]
    _cut_everywhere(monkeypatch)
    found: list[str] = []
    found_cuts: list[int] = []
    for tree, is_last in parse_in_pieces(text.encode(), parse_source):
        if not is_last:
            end = tree.body.pop()
            assert isinstance(end, ast.Pass)
            found_cuts.append(end.lineno)
        found += [ast.dump(node, include_attributes=True) for node in tree.body]
    assert found == whole
    assert found_cuts == cuts


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("text", [text for text, _ in TEXTS.values()], ids=TEXTS.keys())
def test_probes_mean_the_same(text: str, mode: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers and meanings of probes do not depend on where the source is cut."""
    _assert_same_meanings(text, mode, monkeypatch)


@pytest.mark.parametrize("mode", MODES)
def test_probes_of_many_programs_mean_the_same(mode: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """So it is in random programs, and where all constructs stand in one module."""
    for seed in range(3):
        _assert_same_meanings(generate_program(seed), mode, monkeypatch, n_bytes=100)
    _assert_same_meanings("\n".join(filter(_is_python_here, CONSTRUCTS.values())), mode, monkeypatch, n_bytes=20_000)


def _is_python_here(text: str) -> bool:
    try:
        ast.parse(text)
    except SyntaxError:
        return False
    return True


def _assert_same_meanings(text: str, mode: int, monkeypatch: pytest.MonkeyPatch, n_bytes: int = 1) -> None:
    source = text.encode()
    meanings_of_source.cache_clear()
    whole = meanings_of_source(source, mode)
    with monkeypatch.context() as patch:
        _cut_everywhere(patch, n_bytes)
        meanings_of_source.cache_clear()
        assert meanings_of_source(source, mode) == whole
    meanings_of_source.cache_clear()


def test_a_large_source_is_never_held_as_one_tree(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is held at once does not grow with the file."""
    monkeypatch.setattr(source_pieces, "_PIECE_BYTES", len(FUNCTIONS) // 5)
    sizes = [len(tree.body) for tree, _ in parse_in_pieces(FUNCTIONS.encode(), parse_source)]
    assert sum(sizes) - len(sizes) + 1 == 50
    assert max(sizes) < 15


@pytest.mark.parametrize("text", ["a = 1\nb = (\n", "a = 1\nb = '''\nc = 1\n", "a = 1\n b = 1\nc = 1\n"])
def test_errors_name_the_line(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is no Python is so in pieces too, at the same line."""
    with pytest.raises(SyntaxError) as whole:
        ast.parse(text)
    _cut_everywhere(monkeypatch)
    with pytest.raises(PARSE_ERRORS) as cut:
        list(parse_in_pieces(text.encode(), parse_source))
    assert isinstance(cut.value, SyntaxError)
    assert (cut.value.msg, cut.value.lineno) == (whole.value.msg, whole.value.lineno)


@pytest.mark.parametrize(
    "source",
    [
        "# coding: latin-1\na = 1\nb = 'é'\n".encode("latin-1"),
        b"\xef\xbb\xbfa = 1\nb = 2\n",
        b"a = 1\r\nb = 2\r\n",
    ],
    ids=["another encoding", "a mark", "line ends of Windows"],
)
def test_what_reads_otherwise_in_parts_is_not_cut(source: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """A part alone would be taken for UTF-8, or begin with something else."""
    _cut_everywhere(monkeypatch)
    assert [is_last for _, is_last in parse_in_pieces(source, parse_source)] == [True]
