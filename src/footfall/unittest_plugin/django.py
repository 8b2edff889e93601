"""A test runner for Django: `manage.py test --testrunner=footfall.unittest_plugin.django.Runner`.

It is the project's own runner, or Django's, with our options. Tests that processes run in parallel have no contexts.
"""

from __future__ import annotations

import argparse
import unittest
from collections.abc import Collection
from typing import Any

from django.conf import settings  # type: ignore[import-not-found, import-untyped, unused-ignore]
from django.test.utils import get_runner  # type: ignore[import-not-found, import-untyped, unused-ignore]

from footfall.tests_file import Choice
from footfall.unittest_plugin.outcomes import add_options, choice_from, chosen, result_class, write_places

__all__ = ["Runner"]

_OwnRunner: Any = get_runner(settings)


class Runner(_OwnRunner):  # type: ignore[misc]
    """Runs what was chosen of the tests that Django found, or only writes where they are."""

    def __init__(
        self,
        *,
        footfall_outcomes: str | None = None,
        footfall_places: str | None = None,
        footfall_tests: str | None = None,
        footfall_only: Collection[str] = (),
        footfall_except: Collection[str] = (),
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self._outcomes = footfall_outcomes
        self._places = footfall_places
        self._choice = choice_from(footfall_tests, footfall_only, footfall_except)
        if self._choice != Choice() or footfall_places is not None:
            self.parallel = 1  # else the suite is one of processes

    @classmethod
    def add_arguments(cls, parser: argparse.ArgumentParser) -> None:
        """Add Django's options, and ours."""
        super().add_arguments(parser)
        add_options(parser)

    def get_resultclass(self) -> type[unittest.TestResult]:
        """Return the class of the result, which follows the tests."""
        return result_class(super().get_resultclass() or unittest.TextTestResult, self._outcomes)

    def build_suite(self, *labels: Any, **options: Any) -> unittest.TestSuite:
        """Return the tests."""
        return chosen(super().build_suite(*labels, **options), self._choice)

    def run_tests(self, test_labels: Any, **options: Any) -> int:
        """Run the tests, and return how many failed."""
        if self._places is not None:
            write_places(self.build_suite(test_labels), self._places)
            return 0
        return int(super().run_tests(test_labels, **options))
