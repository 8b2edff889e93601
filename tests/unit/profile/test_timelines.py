"""What each thread did, one after the other: joined, bounded, stored, and rounded to a grid that loses no time."""

import pathlib
import sqlite3
from array import array

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from footfall.analyze.profile.calltree import ProfileBuilder, profile_of_logs
from footfall.analyze.profile.rows import profile_from_rows, rows_from_profile
from footfall.errors import FootfallError
from footfall.record.data.coverage_tables import write_coverage
from footfall.record.data.profile_tables import read_profile, write_profile
from footfall.record.data.timelines import Span, ThreadTimeline, Timelines, pack_column, unpack_column
from footfall.record.run.sample_log import Sample
from made_logs import MS, make_log

EPOCH = 1_700_000_000 * 10**9
TREE = [(0, "main", 1), (1, "f", 11), (1, "g", 21)]


def _log(*samples: tuple[int, int, int], start_ns: int = EPOCH, pid: int = 1):
    """A log with samples (milliseconds since the start, node, wall ms) of one thread."""
    log = make_log(TREE, [], pid)
    log.start_ns = start_ns
    log.samples = [Sample(0, node, at * MS, wall * MS, wall * MS // 2, 0, True, 1) for at, node, wall in samples]
    return log


def _spans(timeline: ThreadTimeline) -> list[tuple[int, int, int]]:
    """Node, samples, wall milliseconds."""
    return [(span.node, span.samples, span.wall_ns // MS) for span in timeline]


def test_samples_come_in_the_order_of_time() -> None:
    """A span for each change of stack; what goes on is one span; time without Python code has its place."""
    profile = profile_of_logs([_log((1, 2, 1), (2, 2, 1), (3, 3, 1), (8, 0, 5), (9, 2, 1))])
    assert profile is not None
    (timeline,) = profile.timelines.threads.values()
    assert _spans(timeline) == [(2, 2, 2), (3, 1, 1), (0, 1, 5), (2, 1, 1)]
    assert (timeline.start_ns, timeline.end_ns) == (EPOCH, EPOCH + 9 * MS)
    assert [span.cpu_ns for span in timeline] == [MS, MS // 2, 5 * MS // 2, MS // 2]


def test_a_recording_goes_on_in_the_next_log() -> None:
    """Logs of one process follow one another, with a gap where nothing was recorded, and nothing twice."""
    builder = ProfileBuilder()
    builder.add(_log((2, 2, 2)), {})
    builder.add(_log((1, 2, 3), (2, 3, 1), start_ns=EPOCH + 4 * MS), {}, is_continued=True)
    (timeline,) = builder.profile.timelines.threads.values()
    assert _spans(timeline) == [(2, 2, 5), (3, 1, 1)]
    builder.add(_log((1, 2, 1), start_ns=EPOCH + 10 * MS), {}, is_continued=True)
    assert _spans(timeline)[2:] == [(0, 0, 4), (2, 1, 1)]


def test_threads_of_a_run_share_one_clock(tmp_path: pathlib.Path) -> None:
    """A data file keeps moments; its reader counts them from the start of the run, the same for all of its processes."""
    profile = profile_of_logs([_log((1, 2, 1)), _log((1, 3, 1), start_ns=EPOCH + 7 * MS, pid=2)])
    assert profile is not None
    data = tmp_path / "data"
    with write_coverage(data, {}, has_arcs=False) as connection:
        write_profile(connection, rows_from_profile(profile), "run")
    assert read_profile(data) == profile_from_rows_without(data)
    stored = read_profile(data, has_timelines=True)
    assert stored is not None
    assert [(each.start_ns, _spans(each)) for each in stored.timelines.threads.values()] == [
        (0, [(2, 1, 1)]), (7 * MS, [(3, 1, 1)]),
    ]  # fmt: skip
    assert profile_from_rows(stored).timelines == stored.timelines


def profile_from_rows_without(data: pathlib.Path):
    """The stored profile with no timelines: what reports read that show sums."""
    stored = read_profile(data, has_timelines=True)
    assert stored is not None
    stored.timelines = Timelines()
    return stored


_SPANS = st.lists(
    st.builds(
        Span, st.integers(0, 3), st.integers(0, 1), st.integers(1, 3), st.integers(1, 40 * MS), st.integers(0, MS), st.integers(0, MS)
    ),
    min_size=1, max_size=60,
)  # fmt: skip
_THREADS = st.lists(st.tuples(st.integers(0, 200 * MS), _SPANS), min_size=1, max_size=4)


def _timeline(start_ns: int, spans: list[Span]) -> ThreadTimeline:
    timeline = ThreadTimeline(start_ns)
    for span in spans:
        timeline.append(*span)
    return timeline


def _sums(timeline: ThreadTimeline) -> tuple[int, ...]:
    return tuple(sum(column) for column in (timeline.samples, timeline.cpu_ns, timeline.gil_ns))


@given(_THREADS, st.integers(1, 40))
@settings(max_examples=60)
def test_a_bound_holds_and_loses_nothing(threads, most: int) -> None:
    """However much came in, so many spans are left (one for each thread at least), and sums are what they were."""
    timelines = Timelines(max_spans=most)
    whole = [_timeline(*thread) for thread in threads]
    for number, timeline in enumerate(whole):
        timelines.take(number, timeline)
    timelines.bound()
    assert sum(map(len, timelines.threads.values())) <= max(most, len(threads))
    for number, timeline in enumerate(whole):
        found = timelines.threads[number]
        assert _sums(found) == _sums(timeline)
        assert sum(found.wall_ns) == found.end_ns - found.start_ns
        assert 0 <= timeline.start_ns - found.start_ns <= timelines.step_ns
        assert 0 <= found.end_ns - timeline.end_ns <= timelines.step_ns


@given(_THREADS, st.integers(1, 12), st.permutations(range(4)))
@settings(max_examples=60)
def test_the_order_of_files_changes_nothing(threads, most: int, order) -> None:
    """Threads that come in in any order, some of them joined and bounded before, give the same timelines."""
    whole = [_timeline(*thread) for thread in threads]
    at_once = Timelines(max_spans=most)
    for number, timeline in enumerate(whole):
        at_once.take(number, timeline)
    at_once.bound()
    first = Timelines(max_spans=most)
    for number in order[:2]:
        if number < len(whole):
            first.take(number, whole[number])
    first.bound()
    later = Timelines(max_spans=most)
    for number in reversed(order):
        if number in first.threads:
            later.coarsen(first.step_ns)
            later.take(number, first.threads[number])
        elif number < len(whole):
            later.take(number, whole[number])
    later.bound()
    assert (later.step_ns, later.threads) == (at_once.step_ns, at_once.threads)


_NEIGHBOURS = [(0, 1 << 19), (1, 1 << 19), (0, 1), (1, (1 << 20) - 1), (0, 1 << 20)]
"""(context, wall_ns): what is joined on the first grid is apart on none, and in one cell of the next."""


@given(st.integers(0, 300 * MS), _SPANS, st.integers(20, 27))
@example(0, [Span(0, context, 1, wall_ns + 1, 1, 1) for context, wall_ns in _NEIGHBOURS], 20)
@settings(max_examples=60)
def test_a_cell_shows_what_was_there_when_it_began(start_ns: int, spans: list[Span], power: int) -> None:
    """After rounding each cell has the stack of its first moment: what a slower sampler would have seen."""
    timeline = _timeline(start_ns, spans)
    step = 1 << power
    found = timeline.rounded(step)

    def at(moment: int, line: ThreadTimeline) -> tuple[int, int]:
        end = line.start_ns
        for span in line:
            end += span.wall_ns
            if moment < end:
                return span.node, span.context
        raise AssertionError(moment)

    for moment in range(-(-start_ns // step) * step, timeline.end_ns, step):
        assert at(moment, found) == at(moment, timeline)
    assert found.rounded(2 * step) == timeline.rounded(2 * step)


@given(_SPANS)
def test_numbers_of_another_file_are_taken_over(spans: list[Span]) -> None:
    """Nodes and contexts get other numbers; where two become one, spans that are alike then are joined."""
    timeline = _timeline(7, spans)
    expected = [(span.node + 5, 1 - span.context, *span[2:]) for span in timeline]
    assert list(timeline.renumbered({n: n + 5 for n in range(4)}, {0: 1, 1: 0})) == expected
    joined = timeline.renumbered(dict.fromkeys(range(4), 9), {0: 0, 1: 0})
    assert [(span.node, span.context, span.wall_ns) for span in joined] == [(9, 0, sum(timeline.wall_ns))]


def test_a_long_run_stays_small() -> None:
    """Hours of changing stacks keep their bound while they are recorded, not only when they are written."""
    timelines = Timelines(max_spans=100)
    for number in range(5000):
        timelines.add(0, EPOCH + (number + 1) * MS, Span(1 + number % 2, 0, 1, MS, 0, 0))
        assert len(timelines.threads[0]) <= 200
    timelines.bound()
    assert len(timelines.threads[0]) <= 100
    assert sum(timelines.threads[0].samples) == 5000


@pytest.mark.parametrize(("time_ns", "wall_ns"), [(2**63, 5), (5, 2**63), (2**64 - 1, 2**64 - 1)])
def test_times_of_a_damaged_log_are_left_out(time_ns: int, wall_ns: int) -> None:
    """A moment that no run has is no reason to lose the data file."""
    log = _log((1, 2, 1))
    log.samples.insert(0, Sample(0, 2, time_ns, wall_ns, 0, 0, False, 1))
    profile = profile_of_logs([log])
    assert profile is not None
    assert _spans(profile.timelines.threads[0]) == [(2, 1, 1)]


@given(st.lists(st.integers(0, 2**32 - 1), max_size=50))
def test_columns_come_back(numbers: list[int]) -> None:
    """Whatever a column holds; and one of another length is refused."""
    column = array("I", numbers)
    assert unpack_column(pack_column(column), "I", len(numbers)) == column
    for count in (len(numbers) + 1, len(numbers) - 1):
        with pytest.raises(ValueError, match="too short or too long"):
            unpack_column(pack_column(column), "I", max(count, 0)) if count >= 0 else unpack_column(
                b"x\x9c\x03\x00\x00\x00\x00\x01", "I", 1
            )


DAMAGES = {
    "another thread": "update footfall_timeline set thread_id = 7",
    "no span": "update footfall_timeline set n_spans = 0",
    "endless spans": "update footfall_timeline set n_spans = 1 << 40",
    "text for columns": "update footfall_timeline set nodes = 'x'",
    "cut off": "update footfall_timeline set wall_ns = x'789c'",
    "negative start": "update footfall_timeline set start_ns = -5",
    "start of text": "update footfall_timeline set start_ns = 'x'",
    "start at the end of time": "update footfall_timeline set start_ns = 9223372036854775807",
    "endless steps": "update footfall_timeline set step_ns = 9223372036854775807",
    "no contexts": "delete from footfall_timeline_context",
    "contexts without numbers": "update footfall_timeline_context set id = 5",
    "context of no text": "update footfall_timeline_context set context = x'00'",
    "node of nothing": "delete from footfall_cost; delete from footfall_node where id = 3",
    "columns gone": "drop table footfall_timeline; create table footfall_timeline (a); insert into footfall_timeline values (1)",
    "no table of contexts": "drop table footfall_timeline_context",
}


@pytest.mark.parametrize("name", DAMAGES)
def test_timelines_that_do_not_fit_are_damage(tmp_path: pathlib.Path, name: str) -> None:
    """What no timeline has is found when it is read, with the file's name; sums are read without it."""
    profile = profile_of_logs([_log((1, 2, 1), (2, 3, 1))])
    assert profile is not None
    data = tmp_path / "data"
    with write_coverage(data, {}, has_arcs=False) as connection:
        write_profile(connection, rows_from_profile(profile))
    connection = sqlite3.connect(data)
    connection.executescript(DAMAGES[name])
    connection.close()
    assert read_profile(data) is not None
    with pytest.raises(FootfallError, match="damaged"):
        read_profile(data, has_timelines=True)


def test_a_data_file_of_before_has_no_timelines(tmp_path: pathlib.Path) -> None:
    """Profiles that were written without an order in time are read as they are."""
    profile = profile_of_logs([_log((1, 2, 1))])
    assert profile is not None
    data = tmp_path / "data"
    with write_coverage(data, {}, has_arcs=False) as connection:
        write_profile(connection, rows_from_profile(profile))
        connection.execute("drop table footfall_timeline")
        connection.execute("drop table footfall_timeline_context")
    stored = read_profile(data, has_timelines=True)
    assert stored is not None and stored.timelines == Timelines()
