"""Tells the measurement which test runs: the sampler by test, the engine by test and phase.

Labels of phases are pytest-cov's ("nodeid|setup", "nodeid|run", "nodeid|teardown"), set at the same moments.

PYTEST_DONT_REWRITE
"""

from __future__ import annotations

import os

import pytest

from footfall.model import RUN_VARIABLE, UNCOVERED_CONTEXT
from footfall.observe.contexts import switch, switch_samples

__all__ = ["PLUGIN_NAME", "register"]

PLUGIN_NAME = "footfall_labels"


def register(config: pytest.Config, items: list[pytest.Item], has_contexts: bool) -> None:
    """Follow the tests of this session, which are known by now."""
    uncovered = {item for item in items if _is_uncovered(item)}
    followers = {
        (False, False): _SampleLabels,
        (False, True): _SampleLabelsWithGaps,
        (True, False): _PhaseLabels,
        (True, True): _PhaseLabelsWithGaps,
    }
    follower = followers[has_contexts, bool(uncovered)]()
    if isinstance(follower, _Gaps):
        follower.uncovered = uncovered
    config.pluginmanager.register(follower, PLUGIN_NAME)


def _is_uncovered(item: pytest.Item) -> bool:
    """Return whether a test wants no coverage of its call: by pytest-cov's marker or fixture."""
    return item.get_closest_marker("no_cover") is not None or "no_cover" in getattr(item, "fixturenames", ())


class _SampleLabels:
    """The profile by test. Plain hooks, one call at each end of a test."""

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        switch_samples(nodeid)

    def pytest_runtest_logfinish(self) -> None:
        switch_samples("")


class _Gaps:
    """Leaves out the calls of some tests, and the processes that they start."""

    uncovered: set[pytest.Item]
    _run: str | None = None

    def _begin_gap(self) -> None:
        switch(UNCOVERED_CONTEXT)
        self._run = os.environ.get(RUN_VARIABLE)
        if self._run:
            os.environ[RUN_VARIABLE] = ""

    def _end_gap(self) -> None:
        if self._run:
            os.environ[RUN_VARIABLE] = self._run
            self._run = None


class _SampleLabelsWithGaps(_Gaps, _SampleLabels):
    """The profile by test, if the calls of some tests are to be left out."""

    def pytest_runtest_call(self, item: pytest.Item) -> None:
        if item in self.uncovered:
            self._begin_gap()
            switch_samples(item.nodeid)

    def pytest_runtest_teardown(self, item: pytest.Item) -> None:
        if item in self.uncovered:
            self._end_gap()
            switch("")
            switch_samples(item.nodeid)


class _PhaseLabels:
    """Which test ran which line, in which phase; the profile likewise."""

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        switch(item.nodeid + "|setup")

    def pytest_runtest_call(self, item: pytest.Item) -> None:
        switch(item.nodeid + "|run")

    def pytest_runtest_teardown(self, item: pytest.Item) -> None:
        switch(item.nodeid + "|teardown")

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        switch("")


class _PhaseLabelsWithGaps(_Gaps, _PhaseLabels):
    """The same, if the calls of some tests are to be left out."""

    def pytest_runtest_call(self, item: pytest.Item) -> None:
        if item in self.uncovered:
            self._begin_gap()
            switch_samples(item.nodeid + "|run")
        else:
            super().pytest_runtest_call(item)

    def pytest_runtest_teardown(self, item: pytest.Item) -> None:
        self._end_gap()
        super().pytest_runtest_teardown(item)
