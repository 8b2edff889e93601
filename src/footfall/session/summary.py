"""The summary shown after a measured command. Called by `finish`, and by `attach` for what it sampled."""

from __future__ import annotations

import os

from footfall.analyze.profile.import_frames import fold_imports
from footfall.analyze.resolved_run import RunData
from footfall.config.configuration import Config
from footfall.load.gather import gather
from footfall.record.data.parallel_files import base_of_parallel_name
from footfall.report.hottest import profile_summary
from footfall.report.summary import Summary, Times, render_summary
from footfall.session.output import warn
from footfall.session.terminal import print_lines

__all__ = ["show_summary"]

_N_HOTTEST = 10


def show_summary(run: RunData, config: Config, data_file: str, *, has_failed: bool = False) -> None:
    """Show the summary of a data file; nothing if the command failed before it ran any of the project's code."""
    total = None
    if run.files:
        coverage = gather(config, data_file, ignore_errors=True, with_qualifications=False)
        total = coverage.total if coverage.files else None
        warn(coverage.warnings, config.disable_warnings)
    times = _times(run)
    if has_failed and total is None and (times is None or not (times.hot_lines or times.hot_functions)):
        return
    print_lines(
        render_summary(
            Summary(
                coverage=total,
                has_arcs=run.has_arcs,
                precision=config.precision,
                data_file=data_file,
                is_default_data_file=data_file == config.data_file,
                parallel_base=base_of_parallel_name(data_file) if config.parallel else "",
                times=times,
            )
        )
    )


def _times(run: RunData) -> Times | None:
    if run.profile is None:
        return None
    return profile_summary(fold_imports(run.profile, os.path.isfile), _N_HOTTEST)
