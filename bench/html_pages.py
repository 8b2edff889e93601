"""How fast the pages of an HTML report open, and how smoothly its flame graph zooms, in headless Chromium.

    python bench/html_site.py --runs 1 --keep /tmp/site && python bench/html_pages.py /tmp/site/htmlcov

Needs Chromium, its driver and selenium (`pip install '.[browser]'`). Prints, for the overview, the flame graph and the
longest source page, the time from navigation to the first frame that shows the page; then, for the flame graph summed
up and in the order of time, the time between frames and what drawing takes of it, while it zooms in and out again.
"""

import argparse
import pathlib
import shutil
import statistics
import tempfile
import time

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains

OPENED = """
const done = arguments[0];
const look = () => {
  const canvas = document.querySelector('.flame canvas');
  const is_there = canvas ? canvas.dataset.drawn : document.querySelector('table.sorted tbody tr, .line');
  if (document.readyState === 'complete' && is_there) requestAnimationFrame(() => done(performance.now()));
  else setTimeout(look, 1);
};
look();
"""
WATCH = """
window.frames_seen = [];
let before = 0;
const look = (now) => {
  const canvas = document.querySelector('.flame canvas');
  if (before) window.frames_seen.push([now - before, Number(canvas.dataset.drawMs)]);
  before = now;
  if (window.frames_seen.length < 40) requestAnimationFrame(look);
};
requestAnimationFrame(look);
"""


def main() -> None:
    """Open each page, zoom, print two tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("site", type=pathlib.Path, help="a folder that `footfall html` wrote")
    parser.add_argument("--runs", type=int, default=7, help="of each kind (default 7)")
    options = parser.parse_args()
    site = options.site.resolve()
    longest = max((site / "source").glob("*.html"), key=lambda page: page.stat().st_size)
    with tempfile.TemporaryDirectory(prefix="footfall-chromium-") as profile:
        browser = _start(profile)
        try:
            print("| page | bytes | open, ms, median | longest |\n|---|---|---|---|")
            for page in (site / "index.html", site / "flame.html", longest):
                opened = [_open(browser, page) for _ in range(options.runs)]
                size, median, most = page.stat().st_size, statistics.median(opened), max(opened)
                print(f"| {page.name} | {size:,} | {median:.0f} | {most:.0f} |")
            print("\n| zooming | frame, ms, median | 95 % | drawing, ms, median | 95 % |\n|---|---|---|---|---|")
            for name, key in (("summed up", ""), ("in the order of time", "t")):
                _open(browser, site / "flame.html")
                _press(browser, key)
                seen = [frame for _ in range(options.runs) for frame in _zoom(browser)]
                row = [cell for values in zip(*seen, strict=True) for cell in _median_and_95(values)]
                print(f"| {name} | " + " | ".join(f"{value:.1f}" for value in row) + " |")
        finally:
            browser.quit()


def _start(profile: str) -> webdriver.Chrome:
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for flag in ("--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--window-size=1280,900"):
        options.add_argument(flag)
    options.add_argument(f"--user-data-dir={profile}")
    return webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))


def _open(browser: webdriver.Chrome, page: pathlib.Path) -> float:
    """Return milliseconds from the start of navigation to a frame that shows the page."""
    browser.get("about:blank")
    browser.get(page.as_uri())
    return float(browser.execute_async_script(OPENED))


def _press(browser: webdriver.Chrome, key: str) -> None:
    if key:
        ActionChains(browser).send_keys(key).perform()
        time.sleep(0.5)


def _zoom(browser: webdriver.Chrome) -> list[list[float]]:
    """Zoom into a frame and out; return [milliseconds since the frame before, of these drawing] of each frame."""
    canvas = browser.find_element("css selector", ".flame canvas")
    x, y = 0.3 * canvas.size["width"] - canvas.size["width"] / 2, 3.5 * 20 - canvas.size["height"] / 2
    seen = []
    for move in (
        ActionChains(browser).move_to_element_with_offset(canvas, int(x), int(y)).click(),
        ActionChains(browser).send_keys("0"),
    ):
        browser.execute_script(WATCH)
        move.perform()
        while len(browser.execute_script("return window.frames_seen")) < 40:
            time.sleep(0.05)
        seen += browser.execute_script("return window.frames_seen")
    return seen


def _median_and_95(values: tuple[float, ...]) -> tuple[float, float]:
    return statistics.median(values), statistics.quantiles(values, n=20)[-1]


if __name__ == "__main__":
    main()
