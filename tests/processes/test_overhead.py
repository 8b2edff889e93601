"""`footfall overhead`: every mode is run as often, what differs is refused, and nothing is left behind."""

import json
import pathlib
import sys

import pytest

from footfall.report.overhead import CostSample, CostTable, overhead_report, overhead_svg, render_overhead
from footfall.report.summary import plain_text

pytestmark = pytest.mark.any_python

_PROGRAM = """\
import os, sys
with open(sys.argv[1], "a") as file:
    print(os.environ.get("FOOTFALL_RUN", ""), "coverage" in sys.modules, file=file)
"""
_MEASURED_ALONE = 'import os\nraise SystemExit("a word on it" if os.environ.get("FOOTFALL_RUN") else 0)\n'


@pytest.fixture
def script(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    (tmp_path / "here").mkdir()
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    path = tmp_path / "here" / "program.py"
    path.write_text(_PROGRAM)
    return path


def test_each_mode_is_run_as_often_and_nothing_is_left(script: pathlib.Path, tmp_path: pathlib.Path, footfall) -> None:
    """Bare is not measured, the others are; all in a few interleaved rounds, one of them before the first counts."""
    pytest.importorskip("coverage")
    log = tmp_path / "log"
    done = footfall("overhead", "--rounds=2", "--json", "--plot=plot.svg", "--", "program.py", log, cwd=script.parent)
    assert (done.returncode, done.stderr) == (0, "Wrote plot to plot.svg\n")
    report = json.loads(done.stdout)
    assert list(report["modes"]) == ["bare", "lines", "branches", "profile", "all", "coverage.py"]
    for name, mode in report["modes"].items():
        assert all(len(clock["runs"]) == 2 for clock in mode.values())
        assert mode["cpu"]["median"] > 0 and mode["wall"]["low"] <= mode["wall"]["median"] <= mode["wall"]["high"]
        assert (mode["results_cpu"]["median"] > 0) == (name not in ("bare", "coverage.py"))
    assert report["modes"]["bare"]["cpu"]["x_bare"] == {"median": 1, "low": 1, "high": 1}
    runs = [line.split(" ") for line in log.read_text().splitlines()]
    assert len(runs) == 3 * 6
    directories = [directory for directory, is_by_coverage in runs if is_by_coverage == "False" and directory]
    assert len(set(directories)) == 3 * 4
    assert sum(is_by_coverage == "True" for _, is_by_coverage in runs) == 3
    assert runs[0][0] == "" and runs[6][0] != ""  # each round begins with another mode
    assert sorted(path.name for path in script.parent.iterdir()) == ["plot.svg", "program.py"]
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.parametrize(
    ("text", "options", "slug", "reported"),
    [
        ("print('a word on it'); raise SystemExit(3)", (), "command-failed", "status 3 (bare)"),
        (_MEASURED_ALONE, ("--ignore-status",), "overhead-differs", "status 1 with lines, and with 0 bare"),
    ],
    ids=["a command that fails", "one that fails only measured"],
)
def test_failures_are_reported_with_their_last_lines(
    script: pathlib.Path,
    tmp_path: pathlib.Path,
    footfall,
    text: str,
    options: tuple[str, ...],
    slug: str,
    reported: str,
) -> None:
    """And nothing is left behind."""
    script.write_text(text)
    done = footfall("overhead", "--rounds=1", *options, script, cwd=script.parent)
    assert done.returncode == 3
    assert reported in done.stderr and "\n  a word on it\n" in done.stderr and f"[{slug}]" in done.stderr
    assert done.stdout == ""
    assert list((tmp_path / "tmp").iterdir()) == [] and list(script.parent.iterdir()) == [script]


def test_a_command_without_python(footfall, script: pathlib.Path) -> None:
    """There is nothing to compare; a plot's folder that is not there is told of before."""
    done = footfall("overhead", "--rounds=1", "true", cwd=script.parent)
    assert done.returncode == 3
    assert "[overhead-differs]" in done.stderr
    done = footfall("overhead", "--plot=none/plot.svg", sys.executable, "-c", "", cwd=script.parent)
    assert done.returncode == 2
    assert "no folder 'none'" in done.stderr


def test_the_table_its_bars_and_the_plot() -> None:
    """Ratios are those of each round's two runs; the bars go with them."""
    second = 1_000_000_000
    bare = [CostSample(cpu * second, cpu * second, 0, 0) for cpu in (1, 2, 3)]
    twice = [
        CostSample(cpu * second, sample.wall_ns, second // 2, second)
        for sample, cpu in zip(bare, (2, 4, 9), strict=True)
    ]
    table = CostTable("run <it>", {"bare": bare, "lines": twice}, 3, notes=["A note."])
    text = plain_text(render_overhead(table))
    assert text.splitlines()[:3] == [
        "Mode       CPU    quartiles  x bare     Wall    quartiles  x bare  Results",
        "bare   2.000 s  1.500-2.500   1.000  2.000 s  1.500-2.500   1.000",
        "lines  4.000 s  3.000-6.500   2.000  2.000 s  1.500-2.500   1.000  0.500 s",
    ]
    assert f"bare   {20 * '#'}{20 * ' '}  1.00x CPU\n" in text
    assert f"lines  {40 * '#'}  2.00x CPU  2.00-2.50\n" in text
    assert "3 interleaved rounds on core 3" in text and "A note." in text
    assert overhead_report(table)["modes"]["lines"]["cpu"]["x_bare"] == {"median": 2, "low": 2, "high": 2.5}
    svg = overhead_svg(table)
    assert "run &lt;it&gt;" in svg and ">2.00x</text>" in svg
