"""`footfall report --by`: the stored profile by test, function, file, line, thread or process."""

from __future__ import annotations

from footfall.analyze.profile.selection import Selection
from footfall.cli.reports.profile_options import choose_part
from footfall.cli.reports.report_files import write_output
from footfall.cli.reports.reporting import warn_of_profile
from footfall.config.configuration import Config
from footfall.errors import UsageError
from footfall.record.data.test_times import read_test_times
from footfall.report.jsontext import render_json
from footfall.report.profile.timetable import TimeTableOptions, render_times, times_by_report
from footfall.report.times import need_clock, need_profile
from footfall.session.terminal import print_lines

__all__ = ["show_times"]

_FORMATS = ("text", "json")
_INDENT = 4


def show_times(config: Config, options: TimeTableOptions, format_: str, selection: Selection) -> None:
    """Print the times.

    Raises FootfallError: `no-profile`, `clock-unknown`, `bad-sort`, `bad-format`, or what reading the data raises.
    """
    if format_ not in _FORMATS:
        raise UsageError(
            "bad-format", f"Can't show times in the format {format_!r}.", f"There are: {', '.join(_FORMATS)}."
        )
    profile = need_profile(config, config.data_file, config.report_contexts)
    need_clock(profile, options.clock)
    warn_of_profile(config, config.data_file, profile)
    profile = choose_part(profile, selection)
    has_test_times = options.by == "test" and profile.origin is None and selection.is_whole
    test_times = read_test_times(config.data_file, config.report_contexts) if has_test_times else {}
    if format_ == "json":
        write_output("-", render_json(times_by_report(profile, options, test_times), indent=_INDENT) + "\n", "profile")
    else:
        print_lines(render_times(profile, options, test_times), is_report=True)
