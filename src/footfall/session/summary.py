"""The summary shown after a measured command. Called by `finish`, and by `attach` for what it sampled."""

from __future__ import annotations

import os

from footfall.analyze.profile.leaves import leaves_of
from footfall.analyze.resolved_run import RunData
from footfall.config.configuration import Config
from footfall.load.gather import Coverage, gather
from footfall.load.known_numbers import KnownNumbers
from footfall.record.data.coverage_tables import stored_from_files
from footfall.record.data.parallel_files import base_of_parallel_name
from footfall.report.hottest import profile_summary
from footfall.report.summary import Summary, Times, render_summary
from footfall.session.output import warn
from footfall.session.terminal import print_lines
from footfall.session.write_run import WrittenRun

__all__ = ["show_summary"]

_N_HOTTEST = 10


def show_summary(
    run: RunData, config: Config, data_file: str, written: WrittenRun | None = None, *, has_failed: bool = False
) -> None:
    """Show the summary of a data file; nothing if the command failed before it ran any of the project's code."""
    total = None
    has_unexecuted = written is not None and (written.files or written.touched)
    if run.files or (has_unexecuted and not has_failed):
        coverage = _gather(run, config, data_file, written)
        total = coverage.total
        total = total if total.n_files else None
        warn(coverage.warnings, config.disable_warnings)
    times = _times(run)
    if has_failed and total is None and (times is None or not (times.hot_lines or times.hot_functions)):
        return
    parallel_base = base_of_parallel_name(data_file) if config.parallel else ""
    print_lines(
        render_summary(
            Summary(
                coverage=total,
                has_arcs=run.has_arcs,
                precision=config.precision,
                data_file=data_file,
                is_default_data_file=os.path.abspath(parallel_base or data_file)
                == os.path.abspath(config.usual_data_file),
                parallel_base=parallel_base,
                times=times,
            )
        )
    )


def _gather(run: RunData, config: Config, data_file: str, written: WrittenRun | None) -> Coverage:
    """Gather what reports count of the data file; from the run itself, if that is the same."""
    contexts = config.report_contexts
    if contexts or written is None or written.files is None:
        return gather(config, data_file, ignore_errors=True, contexts=contexts, with_qualifications=False)
    stored = stored_from_files(written.files, has_arcs=run.has_arcs, touched=written.touched)
    stored.has_profile = run.profile is not None
    with KnownNumbers(data_file, written.source_ids) as known:
        return gather(config, data_file, ignore_errors=True, with_qualifications=False, stored=stored, known=known)


def _times(run: RunData) -> Times | None:
    if run.profile is None:
        return None
    return profile_summary(leaves_of(run.profile), _N_HOTTEST)
