"""The analyses that all reports share: packed and unpacked, kept by content, made by several processes."""

import dataclasses
import os
import pathlib
import shutil
import sqlite3

import pytest

import footfall.analyze
from footfall.analyze.source.analysis import SourceAnalysis, analyze_source
from footfall.analyze.source.exclude import ExclusionRules
from footfall.errors import FootfallError
from footfall.load import analyses, parallel
from footfall.load.analyses import analyze_sources
from footfall.load.analysis_cache import AnalysisCache, key_maker, open_cache
from footfall.load.analysis_codec import CodecError, analysis_from_bytes, bytes_from_analysis
from footfall.load.parallel import analyze_in_parallel, count_workers

SOURCES = {
    "empty": "",
    "nested": '''\
"""A module."""
class Outer:
    class Ünner:
        def method(self, *, a=(1,
                               2)):
            with open(a) as f, open(a) as g:
                if f: return g
            return [x for x in f if x]

def other(): pass
def skipped():  # pragma: no cover
    while True:
        yield
''',
    "surrogate": "x = 1\nif x == '\\ud800':\n    y = '\\udcff'\nfor z in (): pass\n",
    "branches": "match x:\n    case 1:\n        a()\n    case [2, *_] if b:\n        c()\nwhile p:  # pragma: no branch\n    q()\n",
}
RULES = ExclusionRules()
# reports fork only where there are no threads; here a worker of pytest-xdist has one
forks = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")


def _analyze(text: str, path: str = "a.py") -> SourceAnalysis:
    return analyze_source(text, path, RULES)


@pytest.fixture(autouse=True)
def in_an_empty_directory(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Caches are kept in the current directory; the user's own stays untouched."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))


@pytest.mark.parametrize("name", SOURCES)
def test_an_analysis_survives_packing(name: str) -> None:
    """Unpacked, every field is what it was; the path is the one asked for."""
    analysis = _analyze(SOURCES[name])
    again = analysis_from_bytes(bytes_from_analysis(analysis), "b.py")
    assert again == dataclasses.replace(analysis, path="b.py")
    for line, _ in analysis.arcs:
        assert again.missing_arc_description(line, -1) == analysis.missing_arc_description(line, -1)


def test_damage_is_detected() -> None:
    """Bytes cut anywhere, changed anywhere or of something else are refused, never misread."""
    packed = bytes_from_analysis(_analyze(SOURCES["nested"]))
    damaged = [packed[:length] for length in range(0, len(packed), 7)]
    damaged += [packed[:at] + bytes([packed[at] ^ 1]) + packed[at + 1 :] for at in range(0, len(packed), 5)]
    for data in [*damaged, packed + b"\0", b"\0" * 200]:
        with pytest.raises(CodecError):
            analysis_from_bytes(data, "a.py")


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths that are analysed in this process."""
    paths: list[str] = []

    def count(text: str, path: str, rules: ExclusionRules) -> SourceAnalysis:
        paths.append(path)
        return analyze_source(text, path, rules)

    monkeypatch.setattr(analyses, "analyze_source", count)
    return paths


def test_a_file_is_analysed_once_until_it_changes(tmp_path: pathlib.Path, counted: list[str]) -> None:
    """The same bytes are not analysed again, under whatever name; other bytes or other rules are."""
    data_file = tmp_path / ".coverage"
    first = analyze_sources({"a.py": b"a = 1\n", "b.py": b"b = 2\nif b: c\n"}, RULES, data_file)
    again = analyze_sources({"a.py": b"a = 1\n", "moved.py": b"b = 2\nif b: c\n"}, RULES, data_file)
    assert counted == ["a.py", "b.py"]
    assert again["a.py"] == first["a.py"]
    assert isinstance(again["moved.py"], SourceAnalysis) and again["moved.py"].path == "moved.py"
    analyze_sources({"a.py": b"a = 1\n\n"}, RULES, data_file)
    analyze_sources({"a.py": b"a = 1\n"}, ExclusionRules(exclude=("a",)), data_file)
    assert counted[2:] == ["a.py", "a.py"]
    assert (tmp_path / ".footfall" / ".gitignore").read_text(encoding="utf-8") == "*\n"


def test_errors_are_not_kept(tmp_path: pathlib.Path) -> None:
    """A file that is no Python has its error each time, beside the analyses of the others."""
    for _ in range(2):
        found = analyze_sources({"bad.py": b"a = = 1\n", "good.py": b"a = 1\n"}, RULES, tmp_path / "data")
        assert isinstance(found["bad.py"], FootfallError) and found["bad.py"].slug == "not-python"
        assert isinstance(found["good.py"], SourceAnalysis)


@pytest.mark.any_python
@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(b"no database at all, but long enough to look at" * 9),
        lambda path: path.write_bytes(path.read_bytes()[:5000]),
        lambda path: path.write_bytes(b""),
        lambda path: _rewrite(path, "update analysis set data = zeroblob(90)"),
        lambda path: _rewrite(path, "update analysis set data = 'text'"),
        lambda path: _rewrite(path, "drop table analysis"),
        lambda path: _rewrite(path, "drop table analysis", "create table analysis (other text)"),
    ],
    ids=["foreign", "cut", "emptied", "wrong bytes", "wrong type", "no table", "other table"],
)
def test_a_damaged_cache_is_only_slower(tmp_path: pathlib.Path, counted: list[str], damage) -> None:
    """Whatever is in the cache's file, the answer is right."""
    sources = {f"{number}.py": b"a = 1\nif a:\n    b = 2\n" * number for number in range(30)}
    first = analyze_sources(sources, RULES, tmp_path / "data")
    [path] = (tmp_path / ".footfall" / "cache").glob("*.sqlite")
    damage(path)
    assert analyze_sources(sources, RULES, tmp_path / "data") == first
    assert len(counted) > len(sources)


def _rewrite(path: pathlib.Path, *statements: str) -> None:
    connection = sqlite3.connect(path)
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()


def test_a_locked_cache_is_left_alone(tmp_path: pathlib.Path) -> None:
    """While another process writes for long, a report goes on without the cache."""
    first = analyze_sources({"a.py": b"a = 1\n"}, RULES, tmp_path / "data")
    [path] = (tmp_path / ".footfall" / "cache").glob("*.sqlite")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("begin exclusive")
    assert analyze_sources({"a.py": b"a = 1\n"}, RULES, tmp_path / "data") == first
    other.execute("rollback")
    other.close()


def _place_of(data_file: pathlib.Path) -> pathlib.Path | None:
    cache = open_cache(data_file)
    if cache is not None:
        cache.put({b"key": b"data"})
        cache.close()
    found = list(pathlib.Path.cwd().rglob("*.sqlite"))
    for path in found:
        path.unlink()
    return found[0].parent.relative_to(pathlib.Path.cwd()) if found else None


def test_the_cache_is_where_runs_keep_theirs(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is in `.footfall` here; in the user's cache directory when the data is elsewhere and footfall never ran here."""
    elsewhere = tmp_path.parent / "elsewhere"
    users, here = pathlib.Path("caches/footfall"), pathlib.Path(".footfall/cache")
    assert _place_of(elsewhere) == users
    assert _place_of(tmp_path / "data") == here
    assert _place_of(elsewhere) == here
    here.chmod(0o777)
    assert _place_of(elsewhere) == users
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert _place_of(elsewhere) is None
    assert isinstance(analyze_sources({"a.py": b""}, RULES, elsewhere)["a.py"], SourceAnalysis)


def test_the_cache_is_bounded(tmp_path: pathlib.Path) -> None:
    """When it is too large the entries that were used longest ago go, and the file becomes smaller."""
    path = tmp_path / "cache"
    for number in range(40):
        cache = AnalysisCache(str(path), max_bytes=200_000)
        cache.put({bytes([number]): b"x" * 10_000})
        cache.close()
    assert path.stat().st_size <= 210_000
    cache = AnalysisCache(str(path), max_bytes=200_000)
    kept = cache.get([bytes([number]) for number in range(40)])
    assert bytes([39]) in kept and bytes([0]) not in kept
    cache.close()


def test_reading_the_cache_writes_nothing(tmp_path: pathlib.Path) -> None:
    """A report that finds all of its analyses leaves the file as it is: a write waits for the disk."""
    path = tmp_path / "cache"
    cache = AnalysisCache(str(path))
    cache.put({b"key": b"x"})
    cache.close()
    os.utime(path, (1, 1))
    cache = AnalysisCache(str(path))
    assert cache.get([b"key"]) == {b"key": b"x"}
    cache.close()
    assert path.stat().st_mtime == 1


def test_the_cache_holds_all_that_one_report_uses(tmp_path: pathlib.Path) -> None:
    """A project of more than fits keeps its analyses from report to report, and only what others left goes."""
    path = tmp_path / "cache"
    cache = AnalysisCache(str(path), max_bytes=200_000)
    cache.put({bytes([number]): b"x" * 10_000 for number in range(100, 120)})
    cache.close()
    project = {bytes([number]): b"x" * 10_000 for number in range(40)}
    for n_found in (0, 40, 40):
        cache = AnalysisCache(str(path), max_bytes=200_000)
        kept = cache.get(project)
        assert len(kept) == n_found
        cache.put({key: data for key, data in project.items() if key not in kept})
        cache.close()
    cache = AnalysisCache(str(path), max_bytes=200_000)
    cache.put({b"part": b"x"})
    assert len(cache.get(project)) == 40
    cache.close()
    for number in range(200):  # edits: what they leave behind goes before the project grows without bound
        cache = AnalysisCache(str(path), max_bytes=200_000)
        cache.put({number.to_bytes(2, "little"): b"x" * 10_000})
        cache.close()
    assert path.stat().st_size < 4 * 450_000


def test_keys_distinguish_all_that_matters() -> None:
    """Patterns move between the settings without one key becoming another's."""
    keys = {
        key_maker(rules).digest()
        for rules in (
            ExclusionRules(("a",), ("b",), ()),
            ExclusionRules(("a", "b"), (), ()),
            ExclusionRules((), ("a", "b"), ()),
            ExclusionRules(("a, b",), (), ()),
        )
    }
    assert len(keys) == 4


def test_any_file_of_the_analysis_makes_other_keys(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Results of code that was edited since are not used, however deep in the package it is."""
    original = pathlib.Path(footfall.analyze.__file__).parent

    def key_of(package: pathlib.Path) -> bytes:
        """A process sees its own code once, so each state of the code is at a place of its own."""
        monkeypatch.setattr(footfall.analyze, "__path__", [str(package)])
        return key_maker("kind", 1).digest()

    unchanged = shutil.copytree(original, tmp_path / "unchanged")
    keys = {key_of(original)}
    assert key_of(unchanged) in keys
    files = sorted(path.relative_to(original) for path in original.rglob("*.py"))
    for number, path in enumerate(files, start=2):
        package = tmp_path / str(number)
        shutil.copytree(original, package, ignore=shutil.ignore_patterns("__pycache__"))
        (package / path).write_text((package / path).read_text() + "#")
        keys.add(key_of(package))
        assert len(keys) == number, path
    assert len(files) > 30


@forks
def test_workers_give_the_same_answers() -> None:
    """Several processes find what one does; what one of them can't analyse is left to the caller."""
    sources = {f"{name}{number}.py": text.encode() for number in range(5) for name, text in SOURCES.items()}
    sources["bad.py"] = b"a = = 1\n"
    packed = analyze_in_parallel(sources, RULES, 3)
    assert packed.keys() == sources.keys() - {"bad.py"}
    for path, data in packed.items():
        assert analysis_from_bytes(data, path) == _analyze(sources[path].decode(), path)


@forks
def test_a_worker_that_dies_is_made_up_for(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of a worker that is killed are analysed by the process that asked."""
    parent = os.getpid()

    def die(source: bytes, path: str, rules: ExclusionRules) -> bytes:
        assert os.getpid() != parent
        os._exit(9)

    monkeypatch.setattr(parallel, "_analyze", die)
    monkeypatch.setattr(analyses, "count_workers", lambda sizes: 2)
    sources = {"a.py": b"a = 1\n", "b.py": b"b = 1\nif b: c\n"}
    found = analyze_sources(sources, RULES, tmp_path / "data")
    assert found == {path: _analyze(source.decode(), path) for path, source in sources.items()}


def test_few_files_are_not_worth_a_worker() -> None:
    """A small project is analysed at once; a large one by no more processes than there are processors."""
    assert count_workers([]) == 1
    assert count_workers([1000] * 20) == 1
    assert 1 <= count_workers([10_000_000] * 20) <= (os.cpu_count() or 1)
