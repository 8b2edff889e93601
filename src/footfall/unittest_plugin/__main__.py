"""`python -m footfall.unittest_plugin ARGUMENTS`: `python -m unittest ARGUMENTS`, with our options before them."""

from __future__ import annotations

import argparse
import sys
import unittest
from typing import Any

from footfall.unittest_plugin.outcomes import add_options, choice_from, chosen, result_class, write_places

__all__: list[str] = []


class _Runner(unittest.TextTestRunner):
    """Runs what was chosen of the tests that unittest found, or only writes where they are."""

    given: argparse.Namespace

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        own: Any = self.resultclass
        self.resultclass = result_class(own, self.given.footfall_outcomes)  # type: ignore[assignment]

    def run(self, test: Any) -> Any:
        """Run the tests."""
        if self.given.footfall_places is not None:
            write_places(test, self.given.footfall_places)
            raise SystemExit(0)  # unittest would say that no test ran
        given = self.given
        choice = choice_from(given.footfall_tests, given.footfall_only, given.footfall_except)
        return super().run(chosen(test, choice))


def _main() -> None:
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    add_options(parser)
    _Runner.given, arguments = parser.parse_known_args()
    sys.argv[1:] = arguments
    sys.argv[0] = "python -m unittest"  # as there: it is in the help
    unittest.main(module=None, testRunner=_Runner)


_main()
