"""`footfall html`, `gaps`, `flame` pages: what their payloads say, and that no text can become markup."""

import html.parser
import json
import os
import pathlib
from dataclasses import replace

import pytest

from footfall.analyze import results
from footfall.analyze.profile.calltree import NATIVE, Frame, Function
from footfall.analyze.profile.rows import rows_from_profile
from footfall.analyze.results import tally
from footfall.cli.main import main
from footfall.record.data.coverage_tables import FileData, write_coverage
from footfall.record.data.profile_tables import write_profile
from footfall.record.data.timelines import TreeNode
from footfall.report.site.shell import render_single_page, script_json
from site_data import HELPER, INVOICE, SEND, TOTAL, make_profile, payloads, unpacked_payload, write_project

pytestmark = pytest.mark.any_python


@pytest.fixture
def project(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    monkeypatch.chdir(tmp_path)
    return write_project(tmp_path)


def _run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    return int(caught.value.code or 0)


def _production(root: pathlib.Path) -> pathlib.Path:
    path = root / "production.data"
    with write_coverage(path, {}, has_arcs=True) as connection:
        write_profile(connection, rows_from_profile(make_profile(root, retry_ms=100)))
    return path


def test_the_site_has_a_page_for_each_view(project, tmp_path, capsys) -> None:
    """Overview, flame graph, tests and each source; assets beside them; nothing is loaded from elsewhere."""
    assert _run("html", "--data-file", str(project), "-d", "site") == 0
    assert "Wrote HTML report to site/index.html" in capsys.readouterr().err
    site = tmp_path / "site"
    names = sorted(path.name for path in site.iterdir())
    expected = [".gitignore", "app.css", "app.js", "flame.html", "footfall.json", "index.html", "source", "tests.html"]
    assert names == expected
    assert len(list((site / "source").iterdir())) == 2
    for page in site.rglob("*.html"):
        links = _Links()
        links.feed(page.read_text(encoding="utf-8"))
        assert links.scripts == ["application/json", "app.js" if page.parent == site else "../app.js"]
        assert all(not link.startswith(("http", "//")) for link in links.found)


class _Links(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.scripts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "script":
            self.scripts.append(given.get("type") or given.get("src") or "inline")
        self.found += [given[name] or "" for name in ("href", "src") if name in given]


def test_the_overview_adds_up(project, tmp_path) -> None:
    """Totals are those of `footfall json`; files have their time; gaps name the function that no test runs."""
    _run("html", "--data-file", str(project), "-d", "site", "-q")
    _run("json", "--data-file", str(project), "-o", "report.json", "-q")
    totals = json.loads((tmp_path / "report.json").read_text())["totals"]
    overview = payloads(tmp_path / "site")["index.html"]
    assert overview["totals"]["statements"] == totals["num_statements"]
    assert overview["totals"]["missing"] == totals["missing_lines"]
    assert overview["totals"]["partial"] == totals["num_partial_branches"]
    rows = {row[0]: dict(zip(overview["columns"], row, strict=True)) for row in overview["files"]}
    assert rows["shop/invoice.py"]["ownUs"] == 80_000
    assert rows["shop/invoice.py"]["change"] is None
    assert overview["sampledUs"] == [100_000, 200_000, 50_000, 25_000]
    assert overview["threads"] == [
        ["main 77 (process 77)", 40_000, 20_000, 160_000],
        ["worker 78 (process 77)", 10_000, 5_000, 40_000],
    ]
    gaps = {gap["name"]: gap for gap in overview["gaps"]}
    assert gaps["Invoice.retry"]["missing"] == gaps["Invoice.retry"]["statements"] == 3
    assert overview["tests"] == 2


def test_pages_that_stay_the_same_are_not_written_again(project, tmp_path, monkeypatch) -> None:
    """Only the page of a file that has changed, and the overview; each file's lines are counted once."""
    _run("html", "--data-file", str(project), "-d", "site", "-q")
    pages = {path: path.read_bytes() for path in (tmp_path / "site" / "source").iterdir()}
    for path in pages:
        os.utime(path, ns=(0, 0))
    tallied = []
    monkeypatch.setattr(results, "tally", lambda **file: tallied.append(file["path"]) or tally(**file))
    _run("html", "--data-file", str(project), "-d", "site", "-q")
    assert {path.stat().st_mtime_ns for path in pages} == {0}
    assert sorted(tallied) == sorted(map(str, (tmp_path / "shop").iterdir()))
    invoice = tmp_path / "shop" / "invoice.py"
    invoice.write_text(INVOICE + "# more\n", encoding="utf-8")
    _run("html", "--data-file", str(project), "-d", "site", "-q")
    (written,) = [path for path in pages if path.stat().st_mtime_ns]
    assert b"# more" in written.read_bytes()
    assert all(path.read_bytes() == content for path, content in pages.items() if path != written)


def test_a_source_page_shows_what_ran(project, tmp_path) -> None:
    """States, branches, heat and tests by line are those of the data."""
    _run("html", "--data-file", str(project), "-d", "site", "-q")
    pages = payloads(tmp_path / "site")
    (page,) = (each for each in pages.values() if each.get("name") == "shop/invoice.py")
    assert page["text"] == INVOICE
    states = dict(enumerate(page["states"], 1))
    assert {line for line, state in states.items() if state == "m"} == {13, 14, 15}
    assert {line for line, state in states.items() if state == "p"} == {8}
    assert [way[:2] for way in page["branches"]["8"]] == [[9, 1], [7, 0]]
    assert page["heat"]["9"] == [50_000, 100_000, 25_000, 12_500, 50_000, 100_000, 25_000, 12_500, 50]
    assert page["heat"]["19"][0] == 0
    assert page["heat"]["19"][4] == 100_000
    tests = page["tests"]
    assert tests == [SEND, TOTAL]
    assert [tests[each] for each in page["testSets"][page["testsOf"]["9"]]] == [SEND, TOTAL]
    assert [tests[each] for each in page["testSets"][page["testsOf"]["19"]]] == [SEND]
    assert page["testUs"]["9"] == [[tests.index(SEND), 50_000]]


def test_nothing_waits_for_the_gil_where_that_is_not_known(tmp_path, monkeypatch) -> None:
    """Then there is no such clock on source pages, and no table of threads."""
    monkeypatch.chdir(tmp_path)
    profile = make_profile(tmp_path)
    costs = {key: replace(each, gil_wait_ns=0, gil_untold_ns=each.wall_ns) for key, each in profile.costs.items()}
    _run("html", "--data-file", str(write_project(tmp_path, replace(profile, costs=costs))), "-d", "site", "-q")
    pages = payloads(tmp_path / "site")
    assert pages["index.html"]["threads"] == []
    (page,) = (each for each in pages.values() if each.get("name") == "shop/invoice.py")
    assert len(page["sampledUs"]) == 3
    assert page["heat"]["9"] == [50_000, 100_000, 25_000, 50_000, 100_000, 25_000, 50]


def test_c_functions_are_in_the_flame_graph_alone(tmp_path, monkeypatch) -> None:
    """Below the line that calls them; elsewhere their time is that line's."""
    monkeypatch.chdir(tmp_path)
    profile = make_profile(tmp_path)
    called = Frame(Function(profile.frames[2].function.path, f"{NATIVE}add (fast.so)", 9), 9, 9, None, None)
    profile.frames.append(called)
    profile.nodes.append(TreeNode(3, len(profile.frames) - 1))
    profile.costs[len(profile.nodes) - 1, 0, f"{SEND}|run"] = profile.costs.pop((3, 0, f"{SEND}|run"))
    _run("html", "--data-file", str(write_project(tmp_path, profile)), "-d", "site", "-q")
    pages = payloads(tmp_path / "site")
    assert "<native> add (fast.so)" in [function[1] for function in pages["flame.html"]["functions"]]
    hot = {row[0]: row[4] for row in pages["index.html"]["hot"]}
    assert hot == {"Invoice.total": 80_000}
    (page,) = (each for each in pages.values() if each.get("name") == "shop/invoice.py")
    assert page["heat"]["9"][0] == 50_000


def test_the_tests_page_knows_what_only_one_test_runs(project, tmp_path) -> None:
    """`send` is run by one test alone; phases of a test are one test; its slowest line comes first."""
    _run("html", "--data-file", str(project), "-d", "site", "-q")
    page = payloads(tmp_path / "site")["tests.html"]
    rows = {row[0]: row for row in page["rows"]}
    assert rows[SEND][1:6] == [70_000, 140_000, 70, 6, 1]
    assert rows[TOTAL][5] == 0
    (only,) = rows[SEND][7]
    assert page["files"][only[0]][0] == "shop/invoice.py"
    assert only[1:] == [19, "19"]
    assert rows[SEND][6][0][1:3] == [9, 50_000]


def test_the_flame_graph_has_every_cost(project, tmp_path) -> None:
    """Costs add up to the profile's, by thread and test; a function that tests ran in part says how much."""
    _run("html", "--data-file", str(project), "-d", "site", "-q")
    page = payloads(tmp_path / "site")["flame.html"]
    assert [sum(column) for column in page["costs"][3:]] == [100, 100_000, 200_000, 50_000, 25_000]
    assert page["tests"] == ["", TOTAL, SEND]
    assert [thread.split()[0] for thread in page["threads"]] == ["main", "worker"]
    functions = {function[1]: function for function in page["functions"]}
    assert functions["Invoice.total"][3] == 1.0
    assert functions["dumps"][3] is None
    parents, frames = page["nodes"]
    assert parents[0] == -1
    assert all(parent < node for node, parent in enumerate(parents[1:], 1))
    assert max(frames) < len(page["frames"][0])


def test_the_next_site_shows_what_changed(project, tmp_path, capsys) -> None:
    """A second site in the same folder compares with the first; pages that are gone are removed, others' files are not."""
    _run("html", "--data-file", str(project), "-d", "site", "-q")
    (tmp_path / "site" / "source" / "mine.html").write_text("kept")
    (tmp_path / "shop" / "invoice.py").write_text(INVOICE.replace("        while n:\n            n -= 1\n", ""))
    _run("html", "--data-file", str(project), "-d", "site", "-q", "--omit=*helper*")
    overview = json.loads(_payload(tmp_path / "site" / "index.html"))
    rows = {row[0]: dict(zip(overview["columns"], row, strict=True)) for row in overview["files"]}
    assert rows["shop/invoice.py"]["change"] != 0
    assert overview["totalBefore"] == pytest.approx(78.5714, abs=20)
    assert sorted(path.name[:5] for path in (tmp_path / "site" / "source").iterdir()) == ["mine.", "shop_"]


def test_the_overview_shows_what_changed(tmp_path, monkeypatch) -> None:
    """Coverage by file and time beyond chance, against the site before and against a named data file."""
    monkeypatch.chdir(tmp_path)
    project = write_project(tmp_path, make_profile(tmp_path, n_others=8))  # which tell what the machine changes
    _run("html", "--data-file", str(project), "-d", "site", "-q")
    assert json.loads(_payload(tmp_path / "site" / "index.html"))["changes"] is None
    _run("html", "--data-file", str(project), "-d", "site", "-q")
    assert json.loads(_payload(tmp_path / "site" / "index.html"))["changes"] is None
    later = tmp_path / "later.data"
    retry = {(-1, 1), (1, 4), (4, 5), (5, 12), (12, 18), (18, -1), (-4, 5), (-12, 13), (13, 14), (14, 13)}
    with write_coverage(
        later, {str(tmp_path / "shop" / "invoice.py"): FileData(arcs={"": retry})}, has_arcs=True
    ) as connection:
        write_profile(connection, rows_from_profile(make_profile(tmp_path, retry_ms=100, n_others=8)))
    _run("html", "--data-file", str(later), "-d", "site", "-q")
    changes = json.loads(_payload(tmp_path / "site" / "index.html"))["changes"]
    assert changes["since"].startswith("the report of 20")
    gone, invoice = sorted(changes["files"], key=lambda row: row[0])
    assert gone[0].endswith("helper.py") and gone[1:] == ["", 50.0, None]
    assert invoice[0] == "shop/invoice.py" and invoice[1].startswith("source/") and invoice[3] != invoice[2]
    ((name, _, _, page, before, now),) = changes["functions"]
    assert (name, before, now) == ("Invoice.retry", 0, 100_000) and page == invoice[1]
    _run("html", "--data-file", str(project), "-d", "other", "-q", "--before", str(later))
    changes = json.loads(_payload(tmp_path / "other" / "index.html"))["changes"]
    assert changes["since"] == "the other data file"
    ((name, file, line, page, before, now),) = changes["functions"]
    assert (name, file, line, before, now) == ("Invoice.retry", "shop/invoice.py", 12, 100_000, 0)


def test_the_flame_graph_knows_the_order_in_time(project, tmp_path) -> None:
    """By thread its start and spans: node, microseconds, per cent with CPU and with the GIL; tests in runs."""
    _run("html", "--data-file", str(project), "-d", "site", "-q")
    page = json.loads(_payload(tmp_path / "site" / "flame.html"))
    assert page["timeline"]["stepUs"] == 0
    main_thread, worker = page["timeline"]["threads"]
    number, start, nodes, us, cpu, gil, tests = main_thread
    lines = [page["frames"][1][page["nodes"][1][node]] if node else 0 for node in nodes]
    assert (number, start, lines, us) == (0, 0, [8, 0, 9, 8, 9], [60_000, 40_000, 40_000, 20_000, 60_000])
    assert (cpu, gil) == ([50, 0, 50, 0, 50], [25, 0, 25, 0, 25])
    assert [(page["tests"][test], n) for test, n in tests] == [(TOTAL, 1), ("", 1), (SEND, 3)]
    assert worker[3] == [100_000, 40_000]


def _payload(page: pathlib.Path) -> str:
    return page.read_text(encoding="utf-8").partition('id="payload">')[2].partition("</script>")[0]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[1]",
        b"[" * 100_000,
        b'{"files": 3, "total": "x", "pages": ["../../x.html", 4]}',
        b'{"files": {"a": "x"}, "total": 1e400, "sample_us": [], "functions": [3, ["f"], ["f", "a.py", "x", null], [1, 2, 3, 4]], "created": 5}',
    ],
)
def test_a_damaged_earlier_site_does_no_harm(project, tmp_path, content) -> None:
    """Whatever the earlier site's numbers are, the new one is written, and nothing outside it is removed."""
    (tmp_path / "x.html").write_text("kept")
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "footfall.json").write_bytes(content)
    assert _run("html", "--data-file", str(project), "-d", "site/deep", "-q") == 0
    (tmp_path / "site" / "deep" / "footfall.json").write_bytes(content)
    assert _run("html", "--data-file", str(project), "-d", "site/deep", "-q") == 0
    assert (tmp_path / "x.html").read_text() == "kept"


def test_text_is_never_markup(project, tmp_path) -> None:
    """Sources, file names and tests with tags in them end no script: each page has its own two, and parses."""
    _run("html", "--data-file", str(project), "-d", "site", "-q", "--title", "</title><script>alert(1)</script>")
    for page in (tmp_path / "site").rglob("*.html"):
        links = _Links()
        links.feed(page.read_text(encoding="utf-8"))
        assert len(links.scripts) == 2, page
    texts = [page.get("text") for page in payloads(tmp_path / "site").values()]
    assert INVOICE in texts
    assert HELPER in texts
    assert json.loads(script_json("</script>\u2028&<!--")) == "</script>\u2028&<!--"
    with pytest.raises(ValueError, match="end its own tag"):
        render_single_page("flame", "", {}, style="", script="'</SCRIPT>'")


def test_a_long_payload_is_packed() -> None:
    """It comes out as it went in, takes a fraction of the length, and is the same each time; a short one is as it is."""
    payload = {"name": "</script>\u2028", "nodes": [[at, at * 7 % 200] for at in range(100_000)]}
    page = render_single_page("flame", "", payload, style="", script="")
    assert unpacked_payload(page) == payload
    assert len(page) < len(script_json(payload)) / 2
    assert page == render_single_page("flame", "", payload, style="", script="")
    assert '<script type="application/json" id="payload">' in render_single_page("flame", "", {}, style="", script="")


def test_a_flame_graph_is_one_file(project, tmp_path, capsys) -> None:
    """`flame -o X.html` needs nothing beside it; two data files are compared; other names get collapsed stacks."""
    assert _run("flame", str(project), "-o", "one.html") == 0
    text = (tmp_path / "one.html").read_text(encoding="utf-8")
    links = _Links()
    links.feed(text)
    assert links.scripts == ["application/json", "inline"]
    assert links.found == ["data:,"]
    production = _production(tmp_path)
    assert _run("flame", str(project), str(production), "-o", "two.html") == 0
    page = json.loads(_payload(tmp_path / "two.html"))
    assert sum(page["before"][4]) == 100_000
    assert sum(page["costs"][4]) == 200_000
    assert page["clock"] is None
    assert _run("flame", str(project), "-o", "wall.html", "--clock=wall") == 0
    assert json.loads(_payload(tmp_path / "wall.html"))["clock"] == "wall"
    assert _run("flame", str(project), "-o", "stacks.txt") == 0
    assert "Invoice.total" in (tmp_path / "stacks.txt").read_text()
    for wrong in (["a", "b", "c"], [str(project), str(production), "-o", "x.txt"], [str(project), "--data-file=x"]):
        assert _run("flame", *wrong) == 2
        assert "[too-many-files]" in capsys.readouterr().err


def test_gaps_are_ranked_by_production(project, tmp_path, capsys) -> None:
    """What is hot in production and untested comes first; `--fail` makes it a failure; JSON has the times."""
    production = str(_production(tmp_path))
    assert _run("gaps", "--data-file", str(project), "--profile", production) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "shop/invoice.py:12: no test runs Invoice.retry (50.0 % of production time, 3 lines)"
    assert lines[-1] == "Untested code took 50.0 % of the time of the other profile."
    assert _run("gaps", "--data-file", str(project), "--profile", production, "--fail") == 1
    capsys.readouterr()
    assert _run("gaps", "--data-file", str(project), "--fail") == 0
    first, *_ = capsys.readouterr().out.splitlines()
    assert first.startswith("shop/invoice.py:5: no test takes 1 branch of Invoice.total (the function takes 80.0 %")
    assert _run("gaps", "--data-file", str(project), "--profile", production, "--format=json") == 0
    report = json.loads(capsys.readouterr().out)
    assert report["total_seconds"] == pytest.approx(0.2)
    assert report["gaps"][0]["function"] == "Invoice.retry"
    assert report["gaps"][0]["untested_seconds"] == pytest.approx(0.1)


def test_time_in_libraries_counts_for_the_line_that_called(project, tmp_path, capsys) -> None:
    """`send` spends its time in json.dumps, which is no file of the project: the time is its own there."""
    assert _run("gaps", "--data-file", str(project), "--include=*invoice.py", "--format=json") == 0
    report = json.loads(capsys.readouterr().out)
    assert report["total_seconds"] == pytest.approx(0.1)
    from footfall.analyze.gaps import times_in_files

    path = str(tmp_path / "shop" / "invoice.py")
    times = times_in_files(make_profile(tmp_path), [path], lambda cost: cost.cpu_ns)
    assert times == {path: {8: 30_000_000, 9: 50_000_000, 19: 20_000_000}}


def test_data_without_profile_and_tests_makes_a_site(tmp_path, monkeypatch) -> None:
    """Coverage alone: no flame graph and no tests, and the overview does not link to them."""
    monkeypatch.chdir(tmp_path)
    data = write_project(tmp_path)
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect(data, isolation_level=None)) as connection:
        connection.execute("drop table footfall_profile")
        connection.execute("delete from arc where context_id <> (select id from context where context = '')")
    assert _run("html", "--data-file", str(data), "-d", "site", "-q") == 0
    pages = payloads(tmp_path / "site")
    assert "flame.html" not in pages
    assert "tests.html" not in pages
    assert pages["index.html"]["site"]["hasProfile"] is False
    assert pages["index.html"]["hot"] == []


def test_a_site_that_can_not_be_written_is_an_error(project, tmp_path, capsys) -> None:
    """A file in the way gives an error with the next step."""
    (tmp_path / "site").write_text("")
    assert _run("html", "--data-file", str(project), "-d", "site") == 3
    assert "[output-unwritable]" in capsys.readouterr().err
