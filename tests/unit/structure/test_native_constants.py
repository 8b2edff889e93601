"""Numbers and texts that stand in C and in Python are the same in both."""

import importlib
import re
import struct
from types import ModuleType

import pytest

from conftest import REPOSITORY
from footfall import formats, model
from footfall.observe import interruptions
from footfall.record.run import event_places, node_table, sample_log

pytestmark = pytest.mark.any_python

NATIVE = REPOSITORY / "native"


def _constants(path: str) -> dict[str, int | str]:
    """Return the values of a C file's simple macros and of its enums' members, by name."""
    text = re.sub(r"/\*.*?\*/", "", (NATIVE / path).read_text(encoding="utf-8"), flags=re.DOTALL)
    found = dict(re.findall(r"^#define ([A-Z]\w+) +(\S.*?) *$", text, re.MULTILINE))
    for members in re.findall(r"\benum\b[\w ]*\{(.*?)\}", text, re.DOTALL):
        for number, member in enumerate(each.strip() for each in members.split(",") if each.strip()):
            name, equals, value = member.partition(" = ")
            found[name] = value if equals else str(number)
    return {name: value for name, text in found.items() if (value := _value(text)) is not None}


def _module(name: str) -> ModuleType:
    """Import a module; sampling other processes is CPython's."""
    if name.startswith("footfall.attach"):
        pytest.importorskip("footfall._core", exc_type=ImportError)
    return importlib.import_module(name)


def _value(text: str) -> int | str | None:
    """Return what a macro stands for: a text, or a number that may be cast or shifted; None of anything else."""
    if text.startswith('"'):
        return bytes(text.strip('"'), "ascii").decode("unicode_escape")
    number = re.sub(r"\(u?int\d+_t\)|\(size_t\)", "", text).strip()
    number = re.sub(r"\b(0[xX][0-9a-fA-F]+|\d+)[uUlL]*\b", r"\1", number)
    if not re.fullmatch(r"[-()\s\d<xXa-fA-F]+", number):
        return None
    return int(eval(number))


def test_the_format_of_records_stands_once():
    """Each number of native/record/format.h is Python's of the same name, and the other way round."""
    header = _constants("record/format.h")
    python = {name: getattr(formats, name) for name in vars(formats) if name.isupper()}
    python |= {name: getattr(model, name) for name in model.__all__ if name.startswith(("EVENT_", "RECORD_"))}
    python = {name: value.decode() if isinstance(value, bytes) else value for name, value in python.items()}
    assert header == python


@pytest.mark.parametrize(
    ("layout", "size"),
    [
        (sample_log._HEADER_LAYOUT, formats.LEASE_AT),
        (sample_log._SAMPLE_LAYOUT, formats.SAMPLE_BYTES),
        (sample_log._WAITING_LAYOUT, formats.WAITING_BYTES),
        (node_table._LAYOUT, formats.NODE_BYTES),
        (event_places._HEAD, formats.EVENTS_HEAD_BYTES),
    ],
)
def test_readers_take_entries_as_long_as_they_are(layout: struct.Struct, size):
    """What a reader unpacks has the size that the writer reserves."""
    assert layout.size == size


@pytest.mark.parametrize(
    ("file", "name", "module", "python_name"),
    [
        ("core/room.c", "STACK_BYTES", "footfall.analyze.source.parse", "_STACK_BYTES"),
        ("core/room.c", "ROOM", "footfall.analyze.source.parse", "_RECURSION_LIMIT"),
        ("engines/probes/marks.h", "MODULE_MARK", "footfall.probes.forms", "HEADER"),
        ("inside/asyncio.c", "SECTION", "footfall.attach.asyncio_tables", "_SECTION"),
        ("inside/source.c", "CPU_ID_OFFSET", "footfall.attach.interpreter", "_CPU_ID_OFFSET"),
        ("remote/target.h", "REMOTE_GONE", "footfall.attach.recording", "_GONE"),
        ("remote/target.h", "REMOTE_LOST", "footfall.attach.recording", "_LOST"),
        ("remote/target.h", "REMOTE_FORBIDDEN", "footfall.attach.recording", "_FORBIDDEN"),
    ],
)
def test_what_both_know_is_the_same(file, name, module, python_name):
    """A macro or an enum's member is what Python has under its own name."""
    assert _constants(file)[name] == getattr(_module(module), python_name)


def test_states_of_tasks():
    """The states of tasks have the numbers that C gives them."""
    dump = _module("footfall.attach.dump")
    numbers = _constants("walk/tasks.h")
    named = [numbers[name] for name in ("TASK_WAITS", "TASK_RUNS", "TASK_ENDED")]
    assert [dump._TASK_STATES[number] for number in named] == ["waiting", "running", "ended"]


def test_the_longest_sample_log_can_be_read():
    """The readers take a file as long as the longest log that the sampler writes, and its last entry."""
    untrusted = importlib.import_module("footfall.record.run.untrusted_file")
    longest_entry = _constants("record/maplog.c")["MAX_ENTRY_BYTES"]
    assert untrusted._MAX_READ_BYTES >= _constants("sampler/log.h")["MAX_LOG_BYTES"] + longest_entry


def test_the_same_signals_wait():
    """C holds back the signals that Python does, but those that no thread can hold back."""
    text = (NATIVE / "core/unseen.c").read_text(encoding="utf-8")
    (names,) = re.findall(r"faults\[\] = \{(.*?)\}", text)
    signal = importlib.import_module("signal")
    faults = {int(getattr(signal, name)) for name in names.split(", ")}
    assert set(range(1, 32)) - faults - {signal.SIGKILL, signal.SIGSTOP} == interruptions._WAITING
