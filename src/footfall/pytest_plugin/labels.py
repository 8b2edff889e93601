"""Telling the measurement which test runs: the sampler by the test, the engine by the test and its phase.

Labels of phases are pytest-cov's ("nodeid|setup", "nodeid|run", "nodeid|teardown"), put at the same moments.

PYTEST_DONT_REWRITE
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from footfall.observe import contexts

__all__ = ["register"]


def register(config: pytest.Config, has_contexts: bool) -> None:
    """Follow the tests of this session."""
    if has_contexts:
        config.pluginmanager.register(_PhaseLabels(contexts.switch), "footfall_labels")
    else:
        config.pluginmanager.register(_SampleLabels(contexts.switch_samples), "footfall_labels")


class _SampleLabels:
    """The profile by test. Plain hooks, once a test each."""

    def __init__(self, switch: Callable[[str], object]) -> None:
        self._switch = switch

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self._switch(nodeid)

    def pytest_runtest_logfinish(self) -> None:
        self._switch("")


class _PhaseLabels:
    """Which test ran which line."""

    def __init__(self, switch: Callable[[str], object]) -> None:
        self._switch = switch

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        self._switch(item.nodeid + "|setup")

    def pytest_runtest_call(self, item: pytest.Item) -> None:
        self._switch(item.nodeid + "|run")

    def pytest_runtest_teardown(self, item: pytest.Item) -> None:
        self._switch(item.nodeid + "|teardown")

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        self._switch("")
