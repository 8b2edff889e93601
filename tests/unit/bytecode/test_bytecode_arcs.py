"""Events of the monitoring engine to lines and arcs, against coverage.py's C tracer and from stored records."""

import importlib.util
import sys
from pathlib import Path

import pytest

from footfall.analyze.bytecode.arcs import arcs_of_code
from footfall.analyze.bytecode.opcodes import OPCODES_BY_VERSION
from footfall.model import EVENT_LEFT, EVENT_LINE, EVENT_RIGHT
from footfall.record.run.record_file import RecordedCode
from programs.flow_constructs import CONSTRUCTS

has_branch_events = pytest.mark.skipif(
    sys.version_info < (3, 14) or importlib.util.find_spec("coverage") is None,
    reason="branch events came with CPython 3.14, and the comparison needs coverage.py",
)

# def f(b):
#     if not b: raise ValueError
#     return 1
RECORD_3_14 = RecordedCode(
    "f.py", 0x030E0AF0, 1, 3, "f",
    bytes.fromhex("8000df0b0c944ad00e1ed90b0c"), bytes.fromhex("800056002700000000000000670700001c005c00000000000000000068015e012300"), b"", ((12, 18, 30),), "", b"",
)  # fmt: skip


@pytest.fixture(scope="module")
def differences(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What differs, by the construct's name; all run in one go, under each engine."""
    import differential

    directory = tmp_path_factory.mktemp("constructs")
    names = list(CONSTRUCTS)
    return {
        names[int(Path(path).stem.removeprefix("program"))]: differential.describe(ours, theirs)
        for path, ours, theirs in differential.compare_programs(CONSTRUCTS.values(), str(directory))
    }


@has_branch_events
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", CONSTRUCTS)
def test_construct_equals_the_c_tracer(name: str, differences: dict[str, str]) -> None:
    """Executed lines, missing branches and branch counts are those of coverage.py's C tracer."""
    assert differences.get(name) is None


@has_branch_events
@pytest.mark.filterwarnings("ignore")
def test_random_programs_equal_the_c_tracer(tmp_path: Path) -> None:
    """Random programs give the same answer under both."""
    import differential
    from programs import generated as programs

    sources = [programs.generate_program(seed) for seed in range(12)]
    found = [
        f"{path}: {differential.describe(ours, theirs)}"
        for path, ours, theirs in differential.compare_programs(sources, str(tmp_path))
    ]
    assert found == []


def _events(code: RecordedCode, flags: dict[int, int]) -> RecordedCode:
    return code._replace(events=bytes(flags.get(2 * unit, 0) for unit in range(len(code.code) // 2)))


def test_one_line_raise_does_not_mark_the_next_line() -> None:
    """Any interpreter resolves a record of 3.14, and a raise ends the path."""
    code = _events(RECORD_3_14, {2: EVENT_LINE, 12: EVENT_LEFT})
    assert arcs_of_code(code) == ({2}, {(-1, 2), (2, -1)})


def test_not_taken_raise_goes_to_the_next_line() -> None:
    """The other way of the same branch leads to the next line and out."""
    code = _events(RECORD_3_14, {2: EVENT_LINE, 12: EVENT_RIGHT, 30: EVENT_LINE})
    assert arcs_of_code(code) == ({2, 3}, {(-1, 2), (2, 3), (3, -1)})


def test_code_that_was_never_entered_has_nothing() -> None:
    """No events, no lines and no arcs."""
    assert arcs_of_code(_events(RECORD_3_14, {})) == (set(), set())


def test_versions_without_branch_events_give_lines_only() -> None:
    """A record of 3.12 or 3.13 holds LINE events and nothing else."""
    code = _events(RECORD_3_14._replace(version=0x030D00F0, branches=()), {2: EVENT_LINE, 30: EVENT_LINE})
    assert arcs_of_code(code) == ({2, 3}, set())


@pytest.mark.skipif(sys.version_info[:2] not in OPCODES_BY_VERSION, reason="no row for this version")
def test_opcode_row_is_this_interpreters() -> None:
    """The table holds the numbers that this interpreter uses."""
    import opcode

    row = OPCODES_BY_VERSION[sys.version_info[:2]]
    assert row._asdict() == {name: opcode.opmap[name.upper()] for name in row._fields}


@pytest.mark.parametrize(
    ("field", "value"),
    [("exception_table", b"\x81"), ("exception_table", b"\x80\x7f\x3f\x00\x00")],
    ids=["cut short", "past the end"],
)
def test_damaged_tables_are_an_error(field: str, value: bytes) -> None:
    """A table that does not fit the code is a ValueError, not a wrong answer."""
    code = _events(RECORD_3_14._replace(**{field: value}), {2: EVENT_LINE})
    with pytest.raises(ValueError):
        arcs_of_code(code)
