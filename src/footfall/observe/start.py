"""The start hook: imported by `footfall.pth` in every interpreter that inherits FOOTFALL_RUN.

Reads the run's settings, opens this process's record file, starts an engine and the sampler. Whatever goes
wrong here is said once on stderr with a slug, and the program runs unmeasured.
"""

import os
import sys

from footfall.model import ENGINE_MONITORING, ENGINE_PROBES, RUN_VARIABLE
from footfall.observe.scope import Scope
from footfall.observe.settings import Settings, read_settings

__all__ = ["report", "start"]

_TOOL_NAME = "footfall"
# Ids that no other tool is known to ask for come first: 0 debuggers, 1 coverage, 2 profilers,
# 3 Hypothesis, 5 optimizers.
_TOOL_IDS = (4, 1, 3, 5, 2, 0)


def report(slug: str, what: str, next_step: str = "") -> None:
    """Say one line on stderr, and keep it in the record file where there is one."""
    text = (what + " " + next_step).rstrip()
    try:
        sys.stderr.write("footfall: " + text + " [" + slug + "]\n")
    except Exception:  # stderr may be closed or replaced by anything: there is no one to tell
        pass
    if sys.implementation.name == "cpython":
        from footfall import _core

        _core.record_message(slug, text)


def start(directory: str) -> None:
    """Start measuring this process for the run in `directory`. Never raises."""
    try:
        settings = read_settings(directory)
    except (OSError, ValueError) as error:
        report("run-unreadable", "not measured: " + str(error) + ".", "Start it with `footfall run`.")
        return
    try:
        if settings.cover:
            _start_coverage(settings)
    except Exception as error:  # any failure of ours must leave the program as it is
        report("start-failed", "coverage did not start: " + repr(error) + ".")
    try:
        if settings.profile:
            _start_sampler(settings)
    except Exception as error:  # as above
        report("sampler-failed", "the profile did not start: " + repr(error) + ".")


def _engine(settings: Settings) -> int:
    if sys.implementation.name != "cpython" or sys.version_info < (3, 12):
        return ENGINE_PROBES
    if settings.branch and sys.version_info < (3, 14):
        return ENGINE_PROBES  # DISABLE on BRANCH would kill both directions there
    return ENGINE_MONITORING


def _start_coverage(settings: Settings) -> None:
    engine = _engine(settings)
    flags = 1 if settings.branch else 0
    scope = Scope(settings)
    if sys.implementation.name == "cpython":
        from footfall import _core

        _core.record_open(
            os.fsencode(settings.directory),
            engine,
            flags,
            os.fsencode(os.getcwd()),
            os.fsencode(sys.executable or ""),
        )
        os.register_at_fork(after_in_child=_core.record_after_fork)
    if engine == ENGINE_MONITORING:
        _start_monitoring(scope, settings.branch)
    else:
        from footfall.observe import probes

        probes.start(settings, scope)


def _start_monitoring(scope: Scope, with_branches: bool) -> None:
    from footfall import _core

    monitoring = sys.monitoring
    for tool_id in _TOOL_IDS:
        if monitoring.get_tool(tool_id) is None:
            monitoring.use_tool_id(tool_id, _TOOL_NAME)
            break
    else:
        report("no-tool-id", "coverage did not start: all six sys.monitoring tools are taken.")
        return
    _core.monitoring_start(tool_id, scope.decide, with_branches)


def _start_sampler(settings: Settings) -> None:
    if sys.implementation.name == "cpython":
        from footfall.sample import inside

        inside.start(settings.directory, settings.rate_hz)
    else:
        from footfall.sample import pypy

        pypy.start(settings.directory, settings.rate_hz)


def _start_from_environment() -> None:
    directory = os.environ.get(RUN_VARIABLE)
    if directory:
        start(directory)


_start_from_environment()
