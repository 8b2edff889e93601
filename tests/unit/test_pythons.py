"""Pythons that footfall does not know, played by this one with its row taken out or changed in a copy of the package."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import footfall
from footfall.analyze.bytecode.opcodes import CONSTANT_TESTS_BY_VERSION, OPCODES_BY_VERSION
from footfall.analyze.resolve import resolve
from footfall.model import ENGINE_MONITORING, ENGINE_SETTRACE, RUN_VARIABLE
from footfall.pythons import CPYTHON, NEWEST
from footfall.record.run.directory import RunSettings, make_run_directory
from footfall.record.run.record_file import read_record

OWN = sys.version_info[:2]
IS_CPYTHON = sys.implementation.name == "cpython"
needs_cpython = pytest.mark.skipif(not IS_CPYTHON, reason="of CPython's versions")

_PROGRAM = "def f(x):\n    if x:\n        return 1\n    return 2\nf(0)\nf(1)\n"


def _copy(folder: Path, file: str, pattern: str, replacement: str) -> Path:
    """Copy the installed package, with one text in one file replaced; return what to put on PYTHONPATH."""
    shutil.copytree(Path(footfall.__file__).parent, folder / "footfall")
    path = folder / "footfall" / file
    changed, n = re.subn(pattern, replacement, path.read_text(), flags=re.MULTILINE)
    assert n == 1
    path.write_text(changed)
    return folder


def _unknown_version(folder: Path) -> Path:
    return _copy(folder, "pythons.py", rf"^    \({OWN[0]}, {OWN[1]}\): \(.*\n", "")


def _unknown_magic(folder: Path) -> Path:
    return _copy(folder, "pythons.py", rf"^    \({OWN[0]}, {OWN[1]}\): \(\d+", rf"    {OWN}: (1")


def _free_threaded(folder: Path, tried: str = "") -> Path:
    """Play a build without the GIL; `tried` is what the copy knows of such builds."""
    _copy(folder, "tier.py", r'^IS_FREE_THREADED = "free-threading" in sys.version', "IS_FREE_THREADED = True")
    path = folder / "footfall" / "pythons.py"
    changed, n = re.subn(r"^_FREE_THREADED = .*$", f"_FREE_THREADED = ({tried})", path.read_text(), flags=re.MULTILINE)
    assert n == 1
    path.write_text(changed)
    return folder


def _run(tmp_path: Path, path: Path, *command: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    program = tmp_path / "program.py"
    program.write_text(_PROGRAM)
    environment = {**os.environ, "PYTHONPATH": str(path), **variables}
    return subprocess.run(
        [sys.executable, *(command or (str(program),))], env=environment, cwd=tmp_path, text=True, capture_output=True
    )


@needs_cpython
@pytest.mark.parametrize("change", [_unknown_version, _unknown_magic])
def test_an_unknown_python_is_measured_by_settrace_with_a_message(tmp_path, change) -> None:
    """Lines and branches are all there; the profile is left out, and the run says so at its end, once for all processes."""
    path = change(tmp_path / "copy")
    run = make_run_directory(RunSettings(cwd=str(tmp_path), source_dir=[str(tmp_path)])).path
    done = _run(tmp_path, path, **{RUN_VARIABLE: str(run)})
    assert (done.returncode, done.stderr) == (0, "")
    [record] = run.glob("*.rec")
    assert read_record(str(record)).header.engine == ENGINE_SETTRACE
    assert not list(run.glob("*.smp"))
    found = resolve(run)
    assert [slug for slug, _ in found.messages] == ["python-unknown", "python-unknown"]
    assert any("settrace" in text for _, text in found.messages)
    assert any("there is no profile" in text for _, text in found.messages)
    file = found.files[str((tmp_path / "program.py").resolve())]
    assert {(2, 3), (2, 4)} <= file.arcs[""]


@needs_cpython
@pytest.mark.parametrize(
    ("change", "slug"), [(_unknown_version, "python-unknown"), (_free_threaded, "python-unsupported")]
)
def test_captures_are_refused_where_a_python_is_not_known(tmp_path, change, slug) -> None:
    """Blocks have no engine that needs no knowledge of the bytecode."""
    done = _run(tmp_path, change(tmp_path / "copy"), "-c", "import footfall; footfall.capture()")
    assert done.stderr.splitlines()[-1].startswith("footfall.errors.FootfallError: Can't capture: this ")
    assert f"[{slug}]" in done.stderr


@needs_cpython
@pytest.mark.skipif(OWN < (3, 13), reason="no build of these versions is without the GIL")
def test_a_tried_free_threaded_build_is_measured_in_python_without_a_profile(tmp_path) -> None:
    """Its lines and branches are there, the GIL is left alone (no core is loaded), and the end says what is missing."""
    path = _free_threaded(tmp_path / "copy", f"{OWN},")
    run = make_run_directory(RunSettings(cwd=str(tmp_path), source_dir=[str(tmp_path)])).path
    program = "import sys; sys.argv = ['program.py']; import program; print('footfall._core' in sys.modules)"
    done = _run(tmp_path, path, "-c", program, **{RUN_VARIABLE: str(run)})
    assert (done.returncode, done.stdout, done.stderr) == (0, "False\n", "")
    found = resolve(run)
    has_probes = sys.version_info >= (3, 13, 3)  # before, constants of ours end the interpreter
    assert [slug for slug, _ in found.messages] == ["free-threaded"] * (1 if has_probes else 2)
    assert any("no profile" in text for _, text in found.messages)
    assert any("settrace" in text for _, text in found.messages) != has_probes
    assert not list(run.glob("*.smp"))
    assert {(2, 3), (2, 4)} <= found.files[str((tmp_path / "program.py").resolve())].arcs[""]


@needs_cpython
def test_a_free_threaded_build_that_was_not_tried_is_refused(tmp_path) -> None:
    """The program runs as it is, without the C core, and one line says that it is not measured."""
    path = _free_threaded(tmp_path / "copy")
    run = make_run_directory(RunSettings(cwd=str(tmp_path))).path
    done = _run(tmp_path, path, "-c", "import sys; print('footfall._core' in sys.modules)", **{RUN_VARIABLE: str(run)})
    assert (done.returncode, done.stdout) == (0, "False\n")
    assert done.stderr.count("[python-unsupported]") == 1
    assert not list(run.glob("*.rec"))


@needs_cpython
@pytest.mark.parametrize(
    "change",
    [
        _unknown_version,
        pytest.param(
            lambda folder: _copy(folder, "python_tables.py", r"^STEERING_OPCODES: .*= {$", r"\g<0>}\n_OTHER = {"),
            marks=pytest.mark.skipif(OWN < (3, 14), reason="without branches as events no opcodes are needed"),
            id="no opcodes",
        ),
    ],
)
def test_a_run_of_a_python_that_the_resolver_does_not_know_is_left_out_and_named(tmp_path, change) -> None:
    """What one footfall recorded, another that knows less does not read wrongly."""
    run = make_run_directory(RunSettings(cwd=str(tmp_path), source_dir=[str(tmp_path)])).path
    _run(tmp_path, Path(footfall.__file__).parent.parent, **{RUN_VARIABLE: str(run)})
    text = (
        "from footfall.analyze.resolve import resolve; import sys; found = resolve(sys.argv[1]);"
        "print(sorted({slug for slug, _ in found.messages}), [len(file.lines['']) for file in found.files.values()])"
    )
    done = _run(tmp_path, change(tmp_path / "copy"), "-c", text, str(run))
    [record] = run.glob("*.rec")
    has_codes = read_record(str(record)).header.engine == ENGINE_MONITORING
    assert done.stdout == ("['python-unknown'] []\n" if has_codes else "['python-unknown'] [6]\n"), done.stderr


def test_each_known_python_has_its_data() -> None:
    """The rows of versions and those of opcodes belong together."""
    with_events = {version for version, (_, _, engine) in CPYTHON.items() if engine == ENGINE_MONITORING}
    assert set(OPCODES_BY_VERSION) == set(CONSTANT_TESTS_BY_VERSION) == with_events


@needs_cpython
def test_the_layout_of_a_newer_python_is_not_guessed() -> None:
    """Sampling from outside refuses the version after the newest, and the newest before its release by its level."""
    from footfall.attach.interpreter import _check_version
    from footfall.errors import FootfallError

    for version in (NEWEST[0] << 24 | (NEWEST[1] + 1) << 16 | 0xF0, NEWEST[0] << 24 | NEWEST[1] << 16 | 0xA3):
        with pytest.raises(FootfallError) as caught:
            _check_version(1, version, {})
        assert caught.value.slug == "attach-unsupported"
