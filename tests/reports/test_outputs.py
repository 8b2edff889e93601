"""What footfall writes goes onto regular files and over what is its own; anything else is refused and stays as it is."""

import contextlib
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from footfall.cli.reports.report_files import write_parts
from footfall.errors import FootfallError
from footfall.files import read_file
from footfall.record.data.coverage_tables import read_coverage, write_coverage
from footfall.report.coverage.annotate import is_annotated

Footfall = Callable[..., subprocess.CompletedProcess[str]]

pytestmark = pytest.mark.any_python


@pytest.fixture
def measured(tmp_path: Path, footfall: Footfall) -> Path:
    """A directory with a program and its data file."""
    (tmp_path / "main.py").write_text("x = 1\n")
    assert footfall("run", "--quiet", sys.executable, "main.py").returncode == 0
    return tmp_path


def _link_to_device(path: Path) -> None:
    path.symlink_to("/dev/null")


NO_FILES = {"pipe": os.mkfifo, "directory": os.mkdir, "device": _link_to_device}


def test_a_data_file_replaces_only_files(tmp_path: Path) -> None:
    """Not a pipe, a device or a directory; a link stays, and what it leads to is written."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "directory").mkdir()
    os.symlink("/dev/null", tmp_path / "device")
    for name in ("pipe", "directory", "device"):
        before = (tmp_path / name).lstat().st_mode
        with pytest.raises(FootfallError, match="data-unwritable"), write_coverage(tmp_path / name, {}, has_arcs=False):
            pass
        assert (tmp_path / name).lstat().st_mode == before
    os.symlink("real", tmp_path / "link")
    with write_coverage(tmp_path / "link", {}, has_arcs=False):
        pass
    assert (tmp_path / "link").is_symlink()
    assert read_coverage(tmp_path / "real").files == {}


def test_an_html_report_overwrites_no_page_of_others(tmp_path: Path, footfall: Footfall) -> None:
    """Nor what a link there leads to; an earlier report of ours or of coverage.py is replaced."""
    (tmp_path / "main.py").write_text("x = 1\n")
    assert footfall("run", "--quiet", sys.executable, "main.py").returncode == 0
    site = tmp_path / "site"
    site.mkdir()
    (site / "index.html").write_text("mine")
    done = footfall("html", "-d", site)
    assert (done.returncode, (site / "index.html").read_text()) == (3, "mine")
    assert "[output-unwritable]" in done.stderr
    (site / ".gitignore").write_text("# Created by coverage.py\n*\n")
    assert footfall("html", "-d", site).returncode == 0
    assert footfall("html", "-d", site).returncode == 0
    shutil.move(site / "index.html", tmp_path / "page")
    os.symlink(tmp_path / "page", site / "index.html")
    before = (tmp_path / "page").read_bytes()
    assert footfall("html", "-d", site).returncode == 3
    assert (tmp_path / "page").read_bytes() == before


@pytest.mark.parametrize("kind", NO_FILES)
def test_a_data_file_that_is_no_file_is_refused_before_the_command_runs(
    tmp_path: Path, footfall: Footfall, kind: str
) -> None:
    """Named on the command line or configured; it is as it was then."""
    NO_FILES[kind](tmp_path / "data")
    (tmp_path / "main.py").write_text("open('ran', 'w').close()\n")
    for options in (["--data-file=data"], []):
        done = footfall("run", *options, sys.executable, "main.py")
        assert done.returncode == 3
        assert "[data-unwritable]" in done.stderr
        assert "--data-file=data" not in done.stderr
        (tmp_path / ".coveragerc").write_text("[run]\ndata_file = data\n")
    assert not (tmp_path / "ran").exists()
    done = footfall("report", "--data-file=data")
    assert done.returncode == 3
    assert "Traceback" not in done.stderr


def test_a_data_file_that_becomes_unwritable_is_not_named_again(tmp_path: Path, footfall: Footfall) -> None:
    """The command that makes the data after all has another name to be chosen."""
    (tmp_path / "main.py").write_text("import os\nos.mkdir('data')\n")
    done = footfall("run", "--data-file=data", sys.executable, "main.py")
    assert "[data-unwritable]" in done.stderr
    assert "--data-file=data" not in done.stderr
    (run,) = (tmp_path / ".footfall" / "runs").iterdir()
    assert f"footfall resolve {run} --data-file=FILE" in done.stderr


def test_a_link_to_an_output_outlives_a_failure(tmp_path: Path) -> None:
    """What it leads to is half-written and goes."""
    (tmp_path / "link").symlink_to("output")

    def parts() -> Iterator[str]:
        yield "begun"
        raise OSError("no room")

    with pytest.raises(FootfallError, match="output-unwritable"):
        write_parts(str(tmp_path / "link"), parts(), "report", is_quiet=True)
    assert (tmp_path / "link").is_symlink()
    assert not (tmp_path / "output").exists()


def test_annotate_overwrites_nothing_but_annotated_sources(measured: Path, footfall: Footfall) -> None:
    """Not through a link, and not what somebody else has called so; its own copies are made anew."""
    copy = measured / "main.py,cover"
    assert footfall("annotate").returncode == 0
    (measured / "main.py").write_text("x = 2\n")
    assert footfall("annotate").returncode == 0
    assert copy.read_text() == "> x = 2\n"
    copy.write_text("my notes\n")
    done = footfall("annotate")
    assert (done.returncode, copy.read_text()) == (3, "my notes\n")
    assert "[output-unwritable]" in done.stderr
    copy.unlink()
    (measured / "other").write_text("> x\n")
    copy.symlink_to("other")
    assert footfall("annotate").returncode == 3
    assert (measured / "other").read_text() == "> x\n"
    copy.unlink()
    os.mkfifo(copy)
    assert footfall("annotate").returncode == 3


@pytest.mark.parametrize(
    ("text", "expected"),
    [(b"", True), (b"> a\n!\tb\n", False), (b"> a\n! b\n- c\n  \n", True), (b"> a", False), (b"\xff\n", False)],
)
def test_an_annotated_source_is_known_by_its_margins(text: bytes, expected: bool) -> None:
    """Whatever it was made of."""
    assert is_annotated(text) is expected


def test_an_html_report_does_not_overwrite_other_files(measured: Path, footfall: Footfall) -> None:
    """A style sheet of others, a page that is a link, a list of ignored files."""
    site = measured / "site"
    site.mkdir()
    (site / ".gitignore").write_text("mine\n")
    (site / "app.css").write_text("mine")
    assert footfall("html", "-d", site).returncode == 3
    assert (site / "app.css").read_text() == "mine"
    (site / "app.css").unlink()
    for _ in range(2):
        assert footfall("html", "-d", site).returncode == 0
    assert (site / ".gitignore").read_text() == "mine\n"
    (page,) = (site / "source").glob("*.html")
    (measured / "other").write_text("mine")
    page.unlink()
    page.symlink_to(measured / "other")
    done = footfall("html", "-d", site)
    assert (done.returncode, (measured / "other").read_text()) == (3, "mine")
    assert f"source/{page.name}" in done.stderr


def test_caches_are_not_written_through_links(measured: Path, footfall: Footfall) -> None:
    """Neither the one of analyses, into another program's database, nor the marker of the directory."""
    shutil.rmtree(measured / ".footfall", ignore_errors=True)
    (measured / ".footfall" / "cache").mkdir(parents=True)
    (measured / ".footfall" / ".gitignore").symlink_to(measured / "marker")
    with contextlib.closing(sqlite3.connect(measured / "mail")) as connection, connection:
        connection.execute("create table mail (id)")
    connection.close()
    before = (measured / "mail").read_bytes()
    (measured / ".footfall" / "cache" / "analyses.sqlite").symlink_to(measured / "mail")
    assert footfall("run", sys.executable, "main.py").returncode == 0
    assert footfall("report").returncode == 0
    assert not (measured / "marker").exists()
    assert (measured / "mail").read_bytes() == before


@pytest.mark.parametrize("kind", NO_FILES)
def test_what_a_measured_process_reads_is_a_regular_file(tmp_path: Path, kind: str) -> None:
    """It does not wait for a pipe under the name of a cache's entry."""
    NO_FILES[kind](tmp_path / "entry")
    with pytest.raises(OSError, match=r"directory|regular"):
        read_file(str(tmp_path / "entry"))


@pytest.mark.parametrize(
    "command",
    ["report", "html", "json", "xml", "lcov", "annotate", "flame", "gaps", "tests", "export --format=collapsed", "combine",
     "erase", "debug data", "run main.py", "run --append main.py"],
)  # fmt: skip
def test_a_directory_is_no_data_file(tmp_path: Path, footfall: Footfall, command: str) -> None:
    """Each command says that it is one, and what to name instead."""
    (tmp_path / "place").mkdir()
    (tmp_path / "main.py").write_text("print('ran')\n")
    name, *rest = command.split()
    done = footfall(name, "--data-file=place", *rest)
    assert done.returncode in (1, 3) and done.stdout == ""
    assert "place as the data file: it is a directory. Name a file, for example " in done.stderr
    assert list((tmp_path / "place").iterdir()) == []
