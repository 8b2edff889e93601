"""The HTML report in a real browser: Chromium opens it from disk and is driven by Selenium.

Skipped where either is missing: `pip install '.[browser]'` and Debian's packages chromium and chromium-driver.
"""

import json
import pathlib
import shutil
from collections.abc import Iterator

import pytest

from footfall.analyze.profile.calltree import Cost, Frame, Function, Profile, ProfiledThread, Squares
from footfall.analyze.profile.rows import rows_from_profile
from footfall.cli.main import main
from footfall.record.data.coverage_tables import write_coverage
from footfall.record.data.profile_tables import write_profile
from footfall.record.data.timelines import TreeNode
from footfall.report.site.flame_file import render_flame_file
from site_data import SEND, TOTAL, as_on_pypy, make_profile, write_project

webdriver = pytest.importorskip("selenium.webdriver")
axe_core_python = pytest.importorskip("axe_core_python")
CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None or DRIVER is None, reason="Chromium and its driver are not installed"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # the driver's pipes
]

FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--window-size=1280,900",
)  # fmt: skip


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[object]:
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    driver.implicitly_wait(5)
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    root = tmp_path_factory.mktemp("project")
    data = write_project(root)
    with pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit) as caught:
        patch.chdir(root)
        main(["html", "--data-file", str(data), "-d", str(root / "site"), "-q"])
    assert not caught.value.code
    return root / "site"


def _open(browser, page: pathlib.Path, fragment: str = "") -> None:
    browser.get("about:blank")  # so that a new fragment loads the page again
    browser.get(page.as_uri() + fragment)


def _all(browser, selector: str) -> list:
    return browser.find_elements("css selector", selector)


def _texts(browser, selector: str) -> list[str]:
    return [element.text for element in _all(browser, selector)]


def _press(browser, key: str) -> None:
    from selenium.webdriver import ActionChains

    ActionChains(browser).send_keys(key).perform()


def _key(name: str) -> str:
    from selenium.webdriver.common.keys import Keys

    return str(getattr(Keys, name))


def _until(browser, script: str) -> object:
    """Wait until a script's value is true, and return it."""
    from selenium.webdriver.support.ui import WebDriverWait

    return WebDriverWait(browser, 60, 0.05).until(lambda driver: driver.execute_script(script))


@pytest.fixture(autouse=True)
def no_console_errors(browser) -> Iterator[None]:
    browser.get_log("browser")
    yield
    assert [entry for entry in browser.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")] == []


def _source_page(site: pathlib.Path) -> pathlib.Path:
    (page,) = (site / "source").glob("shop_invoice_*.html")
    return page


FILES = "section:not(.gil) table.sorted"
"""The overview's table of files; the other is that of threads."""


def test_the_overview_sorts_and_filters(browser, site) -> None:
    """Columns sort both ways by click, the box and the list of states choose rows, `f` goes to the box."""
    _open(browser, site / "index.html")
    names = f"{FILES} tbody td:first-child"
    assert _texts(browser, names) == ["shop/</script><i>helper.py".replace("/script", "_script"), "shop/invoice.py"]
    heads = {head.text.rstrip(" ↑↓"): head for head in _all(browser, f"{FILES} th button")}
    heads["Statements"].click()
    assert _texts(browser, names)[0] == "shop/invoice.py"
    assert _all(browser, f"{FILES} th[aria-sort=descending]")[0].text.startswith("Statements")
    heads["Statements"].click()
    assert _texts(browser, names)[-1] == "shop/invoice.py"
    _press(browser, "f")
    _press(browser, "invoice")
    assert _texts(browser, names) == ["shop/invoice.py"]
    assert browser.switch_to.active_element.get_attribute("value") == "invoice"


def test_the_overview_shows_totals_of_directories(browser, site) -> None:
    """A directory's row has the sums of its files; its name opens them in the table of files."""
    _open(browser, site / "index.html")
    row = f"{FILES} tbody td"
    files = [int(_texts(browser, row)[k]) for k in (1, len(_texts(browser, row)) // 2 + 1)]
    browser.execute_script("""
        const select = document.querySelector("select[aria-label='Rows of the table']");
        select.value = "directories";
        select.dispatchEvent(new Event("change"));""")
    assert _texts(browser, row)[:2] == ["shop/", str(sum(files))]
    assert "1 of 1 directory" in browser.find_element("css selector", "body").text
    _all(browser, f"{row} button")[0].click()
    assert len(_texts(browser, f"{FILES} tbody tr")) == 2
    assert browser.switch_to.active_element.get_attribute("value") == "shop/"


def test_the_overview_leads_to_the_source(browser, site) -> None:
    """The first gap's link opens the source at its first missing line; the map has an area for each file."""
    _open(browser, site / "index.html")
    assert len(_all(browser, "svg.treemap a")) == 2
    gap = next(link for link in _all(browser, ".gaps a") if link.text == "Invoice.retry")
    gap.click()
    assert "/source/shop_invoice_" in browser.current_url
    assert browser.current_url.endswith("#L13")
    (line,) = _all(browser, ".line:target")
    assert "while n:" in line.text


def test_the_source_shows_what_ran(browser, site) -> None:
    """Missing and partial lines, where a branch did not go, heat, and who ran a line."""
    _open(browser, _source_page(site))
    assert [line.get_attribute("id") for line in _all(browser, ".line.missing")] == ["L13", "L14", "L15"]
    (partial,) = _all(browser, ".line.partly")
    assert partial.get_attribute("id") == "L8"
    assert "line 8 didn't jump to line 7" in partial.text
    assert [way.text for way in partial.find_elements("css selector", ".way")] == ["→ 9", "↛ 7"]
    assert "50%" in browser.find_element("id", "L9").text
    browser.find_element("css selector", "#L19 button.tests").click()
    assert SEND in browser.find_element("css selector", ".who").text
    assert (
        "100.0% of the line's time" not in browser.find_element("css selector", ".who").text
    )  # its time is in `dumps`


def test_keys_go_to_missing_and_hot_lines(browser, site) -> None:
    """`n` and `b` go through the gaps, `h` through the hottest lines; what is reached is said to screen readers."""
    _open(browser, _source_page(site))
    current = "return document.querySelector('.line.current')?.id"
    _press(browser, "n")
    assert browser.execute_script(current) == "L8"
    _press(browser, "n")
    assert browser.execute_script(current) == "L13"
    assert "missing" in browser.execute_script("return document.getElementById('announcer').textContent")
    _press(browser, "n")
    assert browser.execute_script(current) == "L13"
    _press(browser, "b")
    assert browser.execute_script(current) == "L8"
    _press(browser, "g")  # line 8 is the second hottest
    assert browser.execute_script(current) == "L9"
    _press(browser, "h")
    assert browser.execute_script(current) == "L8"


def test_text_is_shown_as_it_is(browser, site) -> None:
    """Tags in the source and in names are text on the page; no script of theirs runs."""
    _open(browser, _source_page(site))
    assert "</script><script>alert(1)</script>" in browser.find_element("id", "L15").text
    assert len(_all(browser, "script")) == 2
    _open(browser, site / "tests.html")
    assert SEND in _texts(browser, "table.sorted td:first-child")
    assert _all(browser, "table.sorted td:first-child b") == []


def test_the_flame_graph_searches(browser, site) -> None:
    """`f` goes to the box; what matches is counted with its share of all time; a link can hold the search."""
    _open(browser, site / "flame.html")
    _press(browser, "f")
    _press(browser, "total")
    found = browser.find_element("css selector", ".found")
    assert found.text.startswith("1 function, 80.0% ± 4.0 of all")
    _open(browser, site / "flame.html", "#q=dumps")
    assert browser.find_element("css selector", ".found").text.startswith("1 function, 20.0%")
    _open(browser, site / "flame.html", "#q=(")
    assert browser.find_element("css selector", ".found").text.startswith("0 functions")


def test_a_match_is_gone_to(browser, tmp_path) -> None:
    """Enter and `n` go to the next match, `b` back: the graph scrolls to it and so does the window, and what is too
    narrow to be seen is zoomed to."""
    page = tmp_path / "deep.html"
    page.write_text(render_flame_file(_deep_profile(), title="deep"))
    _open(browser, page)
    browser.set_window_size(1280, 420)
    try:
        _press(browser, "f")
        _press(browser, "wanted")
        for key, match, depth in (
            (_key("ENTER"), "match 1 of 2", 60),
            (_key("ENTER"), "match 2 of 2", 30),
            ("b", "match 1 of 2", 60),
            ("n", "match 2 of 2", 30),
        ):
            if key == "b":
                browser.execute_script("document.activeElement.blur()")
            _press(browser, key)
            assert match in browser.find_element("css selector", ".found").text
            top, bottom, height = browser.execute_script(_PLACE_OF_ROW, depth)
            assert 0 <= top < bottom <= height, key
        assert _texts(browser, ".crumb")[-1] == "g1"  # the outermost frame in which the narrow one is seen
        announced = browser.execute_script("return document.getElementById('announcer').textContent")
        assert announced.startswith("wanted_narrow, /p/deep.py:200, 1.0 ms")
    finally:
        browser.set_window_size(1280, 900)


_PLACE_OF_ROW = """
const graph = document.querySelector('.flame'), box = graph.getBoundingClientRect();
const at = box.top + 20 * (arguments[0] - 1) - graph.scrollTop;
return [at, at + 20, Math.min(innerHeight, box.bottom)];
"""


def _deep_profile() -> Profile:
    """Return a profile with a wide frame at depth 60, and at depth 30, in another branch, a narrow one."""
    names = [f"f{depth}" for depth in range(60)] + [f"g{depth}" for depth in range(29)] + ["wanted_narrow"]
    names[59] = "wanted_wide"
    functions = [Function("/p/deep.py", name, 200 if name == "wanted_narrow" else 1) for name in names]
    frames = [Frame(function, function.first_line, function.first_line, None, None) for function in functions]
    chain = [TreeNode(node - 1, node - 1) for node in range(61)]
    branch = [TreeNode(2 if at == 0 else 60 + at, 61 + at) for at in range(28)]
    nodes = [TreeNode(-1, -1), *chain[1:], *branch]
    narrow = len(nodes) - 1
    nodes[narrow] = TreeNode(narrow - 1, len(frames) - 1)
    costs = {(60, 0, ""): Cost(10**10, 10**10, 0, 10_000), (narrow, 0, ""): Cost(10**6, 10**6, 0, 1)}
    return Profile(frames, nodes, [ProfiledThread(1, 1, "main")], costs, 1, 10_001, 0, 0, 1_000_000)


def test_a_link_shows_the_frames_of_one_test_alone(browser, site) -> None:
    """The page of tests links to a test's own frames, without those of what runs it; a test without samples is said."""
    _open(browser, site / "tests.html")
    browser.find_element("link text", SEND).click()
    status = browser.find_element("css selector", "main > p.dim")
    _until(browser, "return document.querySelector('.flame canvas')?.dataset.drawn == '2'")
    assert status.text.startswith("70 ms in 70 samples") and "100.0% in my code" in status.text
    _open(browser, site / "flame.html", "#test=test_none&frames=own")
    status = browser.find_element("css selector", "main > p.dim")
    assert status.text.startswith("No sample is of test_none: this is the whole run · 100 ms")


def test_a_frame_opens_its_source(browser, site) -> None:
    """A click zooms, shows the lines with their shares, and the source page with them in a frame; Escape goes back."""
    _open(browser, site / "flame.html")
    _click_frame(browser, depth=1)
    assert _texts(browser, ".crumb") == ["all", "send", "Invoice.total"]
    rows = _texts(browser, ".beside .lines td")
    assert rows == ["50.0%", "line 9", "30.0%", "line 8"]
    browser.switch_to.frame(browser.find_element("css selector", ".beside iframe"))
    _until(browser, "return document.querySelectorAll('.line.of-frame').length == 2")
    assert "50.0%" in browser.find_element("css selector", "#L9 .heat").text
    browser.switch_to.default_content()
    _press(browser, _key("ESCAPE"))
    assert _texts(browser, ".crumb") == ["all"]
    _press(browser, "0")
    _until(browser, "return document.querySelector('.flame canvas').dataset.drawn == '3'")


def _click_frame(browser, depth: int, part: float = 0.1) -> None:
    from selenium.webdriver import ActionChains

    canvas = browser.find_element("css selector", ".flame canvas")
    size = canvas.size
    x, y = part * size["width"] - size["width"] / 2, (depth + 0.5) * 20 - size["height"] / 2
    ActionChains(browser).move_to_element_with_offset(canvas, int(x), int(y)).click().perform()


def test_the_flame_graph_has_keys(browser, site) -> None:
    """Arrows move between frames and say where they are; Enter zooms; `i` turns the tree over; `c` colours."""
    _open(browser, site / "flame.html")
    browser.execute_script("document.querySelector('.flame canvas').focus()")
    announced = "return document.getElementById('announcer').textContent"
    _press(browser, _key("ARROW_DOWN"))
    assert browser.execute_script(announced).startswith("Invoice.total, shop/invoice.py:5, 80 ms")
    _press(browser, _key("ARROW_RIGHT"))
    assert browser.execute_script(announced).startswith("dumps, json/__init__.py:180")
    _press(browser, _key("ARROW_UP"))
    assert browser.execute_script(announced).startswith("send,")
    _press(browser, _key("ARROW_DOWN"))
    _press(browser, _key("ENTER"))
    assert _texts(browser, ".crumb")[-1] == "Invoice.total"
    _press(browser, "i")
    _press(browser, "c")
    assert browser.execute_script(announced) == "Coloured by coverage"
    _until(browser, "return document.querySelector('.flame canvas').dataset.drawn == '4'")  # two leaves, two callers


def test_clock_thread_and_test_are_chosen_afterwards(browser, site) -> None:
    """One recording, several views: wall time is twice the CPU time here, a thread and a test have their part."""
    from selenium.webdriver.support.ui import Select

    _open(browser, site / "flame.html")
    status = browser.find_element("css selector", "main > p.dim")
    assert status.text.startswith("100 ms in 100 samples")
    choosers = {
        label.text.split("\n")[0]: Select(label.find_element("tag name", "select"))
        for label in _all(browser, ".controls label")
    }
    choosers["Clock"].select_by_value("wall")
    assert status.text.startswith("200 ms")
    choosers["Thread"].select_by_visible_text("worker 78 (process 77)")
    assert status.text.startswith("40 ms in 20 samples")
    choosers["Thread"].select_by_value("-1")
    choosers["Test"].select_by_visible_text(SEND)
    assert status.text.startswith("140 ms in 70 samples")


def test_a_long_list_of_tests_is_made_when_it_is_opened(browser, tmp_path) -> None:
    """By the keyboard or the pointer, or by a link to one of its tests."""
    from selenium.webdriver.support.ui import Select

    profile = make_profile(tmp_path)
    for number in range(1000):
        profile.costs[4, 1, f"tests/test_many.py::test_{number:03}|run"] = Cost(10**6, 10**6, 0, 1)
    page = tmp_path / "many.html"
    page.write_text(render_flame_file(profile, title="many"))
    _open(browser, page)
    chooser = browser.find_element("xpath", "//label[span='Test']/select")
    count = "return arguments[0].options.length"
    assert browser.execute_script(count, chooser) == 200
    chooser.send_keys(_key("TAB"))
    Select(chooser).select_by_visible_text("tests/test_many.py::test_999")
    assert browser.find_element("css selector", "main > p.dim").text.startswith("1.0 ms in 1 sample ")
    assert browser.execute_script(count, chooser) == 1004  # all, outside of tests, two of the project
    _open(browser, page, "#test=tests/test_many.py::test_998")
    chooser = browser.find_element("xpath", "//label[span='Test']/select")
    assert Select(chooser).first_selected_option.text == "tests/test_many.py::test_998"
    assert browser.execute_script(count, chooser) == 1004  # all, outside of tests, two of the project


def test_clocks_that_were_not_recorded_are_not_offered(browser, tmp_path, monkeypatch) -> None:
    """PyPy's sampler knows CPU time alone: the flame graph, sources and the table of tests have no other."""
    monkeypatch.chdir(tmp_path)
    data = write_project(tmp_path, as_on_pypy(make_profile(tmp_path)))
    with pytest.raises(SystemExit):
        main(["html", "--data-file", str(data), "-d", "site", "-q"])
    _open(browser, tmp_path / "site" / "flame.html")
    clocks = "return [...document.querySelectorAll('main select')].map(e => [...e.options].map(o => o.text)).find(o => o[0] == 'CPU time')"
    assert _until(browser, clocks) == ["CPU time", "samples"]
    _open(browser, _source_page(tmp_path / "site"))
    assert _until(browser, clocks) == ["CPU time"]
    _open(browser, tmp_path / "site" / "tests.html")
    assert "Wall" not in " ".join(_texts(browser, "th"))


def test_what_ran_when(browser, site) -> None:
    """`t` puts stacks in the order of time: a lane for each thread and its tests, moments from the run's start."""
    _open(browser, site / "flame.html")
    assert browser.find_element("css selector", "canvas.axis").is_displayed() is False
    _press(browser, "t")
    drawn = "return document.querySelector('.flame canvas').dataset.drawn"
    # main: a lane of tests with 2, one with send and total twice each (another line is no other frame);
    # worker: a lane of tests with 1, a lane with send, dumps
    _until(browser, drawn + " == '13'")
    assert browser.find_element("css selector", "canvas.axis").is_displayed()
    status = browser.find_element("css selector", "main > p.dim").text
    assert "220 ms from left to right" in status
    browser.execute_script("document.querySelector('.flame canvas').focus()")
    announced = "return document.getElementById('announcer').textContent"
    _press(browser, _key("ARROW_DOWN"))
    assert browser.execute_script(announced) == f"{TOTAL}, from 0 ms for 60 ms, 30 ms CPU time"
    _press(browser, _key("ARROW_RIGHT"))
    assert browser.execute_script(announced).startswith(f"{SEND}, from 100 ms for 120 ms")
    _press(browser, _key("ARROW_UP"))
    _press(browser, _key("ARROW_RIGHT"))
    assert browser.execute_script(announced).startswith("main 77 (process 77)")
    _press(browser, _key("ARROW_DOWN"))
    _press(browser, _key("ARROW_RIGHT"))
    assert browser.execute_script(announced).startswith(
        "send, shop/invoice.py:18, from 100 ms for 120 ms, 50 ms CPU time"
    )
    _press(browser, _key("ARROW_DOWN"))
    _press(browser, _key("ENTER"))
    assert _texts(browser, ".crumb") == ["all", "main 77 (process 77)", "send", "Invoice.total"]
    assert _texts(browser, ".beside .lines td") == ["100.0%", "line 9"]  # line 8 had no CPU time in it
    _press(browser, "i")  # callers first are sums
    assert not browser.find_element("css selector", "canvas.axis").is_displayed()


def test_a_test_has_its_own_time_line(browser, site) -> None:
    """A test's name on the page of tests leads to its flame graph; in the order of time the axis begins where it did."""
    _open(browser, site / "tests.html", "#q=test_send")
    (link,) = _all(browser, "table.sorted td:first-child a")
    link.click()
    status = browser.find_element("css selector", "main > p.dim")
    assert status.text.startswith("70 ms in 70 samples")
    _press(browser, "t")
    assert "120 ms from left to right" in status.text


def test_the_overview_shows_changes(browser, site, tmp_path) -> None:
    """What is covered otherwise and what took more time than before, with links."""
    import shutil as files

    root = site.parent
    files.copytree(site, tmp_path / "site")
    with pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit):
        patch.chdir(root)
        main(
            [
                "html",
                "--data-file",
                str(root / "shop.data"),
                "-d",
                str(tmp_path / "site"),
                "-q",
                "--contexts=test_total",
            ]
        )
    _open(browser, tmp_path / "site" / "index.html")
    (head,) = [head for head in _texts(browser, "h2") if head.startswith("Changed since")]
    assert head.startswith("Changed since the report of 20")
    assert any(text.startswith("shop/invoice.py") and "points" in text for text in _texts(browser, "section .hot li"))


def test_frames_of_libraries_can_be_left_out(browser, site) -> None:
    """`m` leaves the project's frames: what libraries took is their caller's, and no time is lost."""
    _open(browser, site / "flame.html")
    _press(browser, "m")
    _until(browser, "return document.querySelector('.flame canvas').dataset.drawn == '2'")
    assert "100.0% in my code" in browser.find_element("css selector", "main > p.dim").text
    rows = {row.split(" ")[0]: row for row in _texts(browser, "table.sorted tbody tr")}
    assert sorted(rows) == ["Invoice.total", "send"]
    assert "20 ms 20.0% ± 4.0" in rows["send"]
    _press(browser, "m")
    _until(browser, "return document.querySelector('.flame canvas').dataset.drawn == '3'")


def test_a_difference_stands_out(browser, tmp_path) -> None:
    """Two profiles: the table says how much each function's share changed; of few late samples it may be chance."""
    page = tmp_path / "diff.html"
    late = make_profile(tmp_path, 100)
    late.squares = [Squares(wall=200e6 * 50e6, cpu=200e6 * 50e6)]  # some came 50 ms after the one before
    page.write_text(render_flame_file(late, title="x", before=make_profile(tmp_path)))
    _open(browser, page)
    assert " (+100 ms) " in _texts(browser, "table.sorted tbody tr")[0] + " "
    page.write_text(render_flame_file(make_profile(tmp_path, 100), title="x", before=make_profile(tmp_path)))
    _open(browser, page)
    cells = {row.split("\n")[0].split(" ")[0]: row for row in _texts(browser, "table.sorted tbody tr")}
    assert " +100 ms " in cells["Invoice.retry"]
    assert " (+0) " in cells["Invoice.total"]
    assert "compared with 100 ms before" in browser.find_element("css selector", "main > p.dim").text


def test_a_difference_within_the_noise_is_pale(browser, tmp_path) -> None:
    """What differs as all functions do is in brackets, and a line says how much that is; what is gone is in the table."""
    page = tmp_path / "noise.html"
    before, after = make_profile(tmp_path, 2000, n_others=600), make_profile(tmp_path, n_others=600)
    for number, key in enumerate(key for key in before.costs if key[0] > 5):
        before.costs[key] = _seconds(1.0)
        after.costs[key] = _seconds(6.0 if number == 0 else (0.8, 1.25)[number % 2])
    page.write_text(render_flame_file(after, title="x", before=before))
    _open(browser, page)
    rows = browser.execute_script(_CELLS)
    changes = {row[0]: row[5] for row in rows}
    assert (changes["other0"], changes["Invoice.retry"]) == ("+5.00 s", "−2.00 s")
    others = {change for name, change in changes.items() if name.startswith("other") and name != "other0"}
    assert others == {"(+250 ms)", "(−200 ms)"}
    assert len(rows) == 500  # what changed least is left out
    noise = browser.find_element("css selector", "p.noise").text
    assert "standard errors of sampling and of the machine, which made all functions differ by" in noise
    few = make_profile(tmp_path, 100)
    page.write_text(render_flame_file(few, title="x", before=make_profile(tmp_path)))
    _open(browser, page)
    assert "too few functions to tell" in browser.find_element("css selector", "p.noise").text


_CELLS = """
return [...document.querySelectorAll('table.sorted tbody tr')].map((row) => [...row.cells].map((cell) => cell.innerText));
"""


def _seconds(number: float) -> Cost:
    return Cost(round(number * 10**9), round(number * 10**9), 0, round(number * 1000))


def test_a_table_is_as_wide_as_a_panel(browser, tmp_path) -> None:
    """Beside an editor: heads wrap, names keep their room, and there is no column that is empty."""
    page = tmp_path / "panel.html"
    page.write_text(render_flame_file(make_profile(tmp_path, 100), title="x", before=make_profile(tmp_path)))
    browser.set_window_size(680, 700)
    try:
        _open(browser, page)
        heads = [text.removesuffix(" ↓") for text in _texts(browser, "table.sorted th")]
        assert heads == ["Function", "Own", "Own share", "Total", "Total share", "Change", "Place"]
        table, place = browser.execute_script(
            "const t = document.querySelector('table.sorted'); return [t.offsetWidth, t.parentElement.clientWidth]"
        )
        assert table <= place
    finally:
        browser.set_window_size(1280, 900)


def test_dark_and_light(browser, site) -> None:
    """The button switches, and the next page keeps the choice."""
    background = "return getComputedStyle(document.body).backgroundColor"
    _open(browser, site / "index.html")
    light = browser.execute_script(background)
    browser.find_element("css selector", "button[aria-label='Dark or light']").click()
    dark = browser.execute_script(background)
    assert dark != light
    _open(browser, site / "flame.html")
    assert browser.execute_script(background) == dark
    browser.find_element("css selector", "button[aria-label='Dark or light']").click()


def test_a_hundred_thousand_nodes(browser, tmp_path) -> None:
    """A great profile opens, and zooming visits what is seen, not all of it."""
    page = tmp_path / "great.html"
    page.write_text(render_flame_file(_great_profile(100_000), title="great"))
    assert page.stat().st_size < 1_300_000
    _open(browser, page)
    drawn = _until(browser, "return Number(document.querySelector('.flame canvas').dataset.drawn)")
    assert 100 < drawn < 20_000
    _click_frame(browser, depth=3)
    _until(browser, "return document.querySelectorAll('.crumb').length > 3")
    rows = _texts(browser, "table.sorted tbody tr")
    assert len(rows) == 200 and not any(row.endswith(":0") for row in rows)  # no line, no place


def _great_profile(n_nodes: int) -> Profile:
    functions = [Function(f"/p/module{i % 40}.py", f"function{i}", i) for i in range(200)]
    frames = [Frame(function, function.first_line + 1, 1, None, None) for function in functions]
    nodes = [TreeNode(-1, -1)] + [TreeNode((node - 1) // 3, node * 7 % 200) for node in range(1, n_nodes)]
    costs = {(node, 0, ""): Cost(1000, 1000 * (1 + node % 13), 1000, 1) for node in range(n_nodes // 3, n_nodes)}
    return Profile(frames, nodes, [ProfiledThread(1, 1, "main")], costs, 1, len(costs), 0, 0, 1_000_000)


@pytest.mark.parametrize("page", ["index", "flame", "tests", "source"])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_pages_are_accessible(browser, site, page, theme) -> None:
    """axe finds no violation of its rules for WCAG 2 A and AA."""
    _open(browser, _source_page(site) if page == "source" else site / f"{page}.html")
    browser.execute_script(f"document.documentElement.dataset.theme = '{theme}'")
    script = pathlib.Path(axe_core_python.__file__).with_name("axe.min.js").read_text(encoding="utf-8")
    browser.execute_script(script)
    options = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}
    result = browser.execute_async_script(f"const done = arguments[0]; axe.run({json.dumps(options)}).then(done);")
    found = [(each["id"], [node["html"][:200] for node in each["nodes"]][:3]) for each in result["violations"]]
    assert found == []


@pytest.fixture
def narrow(browser) -> Iterator[None]:
    """A window of 400 pixels, as a phone's."""
    size = {"width": 400, "height": 800, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    yield
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


# what stands out to the right, but for what is in a box of its own that scrolls (long lines of source)
STANDS_OUT = """
return [...document.querySelectorAll("button, select, input, a, h1, h2, p, li, td")].filter((each) => {
  const box = each.getBoundingClientRect();
  return box.width > 0 && (box.right > 400.5 || box.left < -0.5) && !each.closest(".source, .quiet, .skip");
}).map((each) => each.outerHTML.slice(0, 120));
"""


def test_a_narrow_window_needs_no_scrolling_sideways(browser, site, narrow) -> None:
    """On each page, with the source beside the flame graph too; every control and every number is within the window."""
    for page in (site / "index.html", site / "tests.html", _source_page(site), site / "flame.html"):
        _open(browser, page)
        _until(browser, "return document.querySelector('main h1')")
        if page.name == "flame.html":
            _click_frame(browser, depth=1)
            assert _texts(browser, ".beside .lines td")
        assert browser.execute_script("return document.documentElement.scrollWidth") <= 400, page
        assert browser.execute_script(
            "return [...document.querySelectorAll('.scroll')].every((each) => each.scrollWidth <= each.clientWidth)"
        )
        assert browser.execute_script(STANDS_OUT) == [], page


def test_a_page_is_printed_light_and_whole(browser, site, narrow) -> None:
    """Also from a dark screen: no long line is cut off, and there are no controls on paper."""
    dark = {"media": "print", "features": [{"name": "prefers-color-scheme", "value": "dark"}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", dark)
    try:
        _open(browser, _source_page(site))
        _until(browser, "return document.querySelector('.line code')")
        assert browser.execute_script("return getComputedStyle(document.body).backgroundColor") == "rgb(251, 250, 248)"
        assert not any(element.is_displayed() for element in _all(browser, ".controls, .bar nav, .bar button"))
        right = "return Math.max(...[...document.querySelectorAll('.line code')].map((e) => e.getBoundingClientRect().right))"
        assert browser.execute_script(right) <= 400
    finally:
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})


def test_why_a_branch_was_not_taken_is_within_the_window(browser, site, narrow) -> None:
    """The whole sentence, however long the line and narrow the window; it stays where it is when the source is scrolled."""
    _open(browser, _source_page(site))
    box = "const box = document.querySelector('#L8 .why').getBoundingClientRect(); return [box.left, box.right]"
    assert "line 8 didn't jump to line 7" in browser.find_element("css selector", "#L8 .why").text
    before = browser.execute_script(box)
    assert 0 <= before[0] < before[1] <= 400
    browser.execute_script("document.querySelector('.source').scrollLeft = 60")
    assert browser.execute_script("return document.querySelector('.source').scrollLeft") == 60
    assert browser.execute_script(box) == before


def test_the_columns_of_a_source_have_heads(browser, site) -> None:
    """Line, time, tests and source stand above their columns, and are said to screen readers."""
    _open(browser, _source_page(site))
    assert [text for text in _texts(browser, ".heads [role=columnheader]") if text] == [
        "line",
        "time",
        "tests",
        "source",
    ]
    right = "return document.querySelector(arguments[0]).getBoundingClientRect().right"
    assert browser.execute_script(right, ".heads .by") == browser.execute_script(right, "#L9 .by")


def test_a_site_of_a_profile_alone(browser, tmp_path) -> None:
    """Times and the flame graph, and nothing of coverage: no percentage, map, gaps or table of files."""
    data = tmp_path / "profile.data"
    with write_coverage(data, {}, has_arcs=False) as connection:
        write_profile(connection, rows_from_profile(make_profile(tmp_path)))
    with pytest.raises(SystemExit) as caught:
        main(["html", "--data-file", str(data), "-d", str(tmp_path / "site"), "-q"])
    assert not caught.value.code
    _open(browser, tmp_path / "site" / "index.html")
    assert [tile.splitlines()[1] for tile in _texts(browser, ".tile")] == ["of CPU time", "tests"]
    assert _texts(browser, "main h2") == ["Hottest functions", "Waiting for the GIL"]
    assert _texts(browser, "main h3") == ["In libraries and the interpreter"]
    assert [text.split()[0] for text in _texts(browser, ".hot li")] == ["Invoice.total", "dumps"]
    assert "covered" not in browser.find_element("tag name", "main").text
    _open(browser, tmp_path / "site" / "flame.html")
    assert _until(browser, "return document.querySelector('.flame canvas')")
