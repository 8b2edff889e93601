"""The pytest plugin: its options, and what each of them does.

Every pytest in an environment with footfall loads it, so it imports little and does nothing unless it is asked to or
the process is measured:

- `pytest --footfall` (or pytest-cov's `--cov`, if pytest-cov is not installed): start over under the supervisor
  (restart.py); if another program called pytest, measure from here on (embedded.py).
- In a measured process: tell the sampler which test runs, and the engine too if contexts are wanted (labels.py), and
  read the clocks around each phase of each test (phase_times.py).

PYTEST_DONT_REWRITE: this package has no assertions to explain.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys
from collections.abc import Generator
from types import FrameType

import pytest

from footfall.model import RUN_VARIABLE, SESSION_VARIABLE
from footfall.pytest_plugin import options

__all__: list[str] = []

_COV_NAMES = "footfall.pytest_plugin.cov_names"

# Sessions may be nested: a test may call pytest.main() itself.
_open_sessions: list[pytest.Config] = []


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    """Add our options, and pytest-cov's unless it is there to add them."""
    options.add_options(parser)
    if importlib.util.find_spec("pytest_cov") is None or pluginmanager.is_blocked("pytest_cov"):
        pluginmanager.import_plugin(_COV_NAMES)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(
    early_config: pytest.Config,
) -> Generator[None, object, object]:
    """Start over, measured, if requested: before output is captured and the first conftest.py is imported."""
    given = early_config.known_args_namespace
    is_first = not _open_sessions
    _open_sessions.append(early_config)
    if options.wants_contexts(given):
        from footfall.observe import contexts

        contexts.expect()
    early_config.add_cleanup(lambda: _open_sessions.remove(early_config))
    if is_first and _wants_measuring(early_config, given):
        from footfall.pytest_plugin import restart

        request = options.make_request(given)
        if restart.is_main_program(early_config.invocation_params.args):
            restart.start_over(request)
        from footfall.pytest_plugin.embedded import EmbeddedSession

        embedded = EmbeddedSession(request)
        early_config.pluginmanager.register(embedded, "footfall_embedded")
        early_config.add_cleanup(embedded.end)
    return (yield)


def _wants_measuring(config: pytest.Config, given: argparse.Namespace) -> bool:
    if not options.is_measuring_asked(given) or RUN_VARIABLE in os.environ:
        return False
    return options.runs_tests(given) and not _is_xdist_worker()


def _is_xdist_worker() -> bool:
    """Return whether pytest-xdist runs this session as a worker on another machine; local workers are measured already.

    Its measurement could not be sent back. The variable PYTEST_XDIST_WORKER is no evidence: a pytest that a worker's
    test starts inherits it. execnet runs a worker's code under a name of its own.
    """
    frame: FrameType | None = sys._getframe()
    while frame is not None and frame.f_globals.get("__name__") != "__channelexec__":
        frame = frame.f_back
    return frame is not None


def pytest_collection_finish(session: pytest.Session) -> None:
    """In a measured process, follow the tests. pytest-xdist's controller runs none, and does not call this."""
    config = session.config
    embedded = config.pluginmanager.getplugin("footfall_embedded")
    run_directory = os.environ.get(RUN_VARIABLE) if embedded is None else embedded.run_directory
    if _open_sessions[:1] != [config] or not run_directory:
        return
    from footfall.pytest_plugin import labels, phase_times

    for name in (labels.PLUGIN_NAME, phase_times.PLUGIN_NAME):  # pytest-xdist's --looponfail collects twice
        config.pluginmanager.unregister(name=name)
    labels.register(config, session.items, options.wants_contexts(config.option))
    phase_times.register(config, run_directory)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> Generator[None, object, object]:
    """When the tests are over, or a failed one ended them, make sure that plugins which read the data file find one."""
    try:
        result = yield
    except (session.Failed, session.Interrupted):  # `-x`, `--stepwise`
        _write_where_read(session.config)
        raise
    _write_where_read(session.config)
    return result


def _write_where_read(config: pytest.Config) -> None:
    embedded = config.pluginmanager.getplugin("footfall_embedded")
    if _open_sessions[:1] != [config] or (embedded is None and SESSION_VARIABLE not in os.environ):
        return
    from footfall.pytest_plugin import data_so_far

    if not data_so_far.is_read_by_last_hooks(config):
        return
    if embedded is not None:
        embedded.write_data()
    elif data_so_far.is_supervised_session():
        data_so_far.write()


def pytest_report_header(config: pytest.Config) -> str | None:
    """Report options that can't have their effect."""
    if (
        options.is_measuring_asked(config.option)
        and _open_sessions[:1] == [config]
        and RUN_VARIABLE in os.environ
        and SESSION_VARIABLE not in os.environ
    ):
        return (
            "footfall: measured by `footfall run` already, whose options hold; those given to pytest for measuring"
            " and reporting are ignored [pytest-measured]"
        )
    return None
