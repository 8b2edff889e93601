"""Option values that the plugin and pytest-cov have in common.

PYTEST_DONT_REWRITE
"""

from __future__ import annotations

import argparse

__all__ = ["FILE_REPORTS", "TERM_REPORTS", "parse_percent"]

TERM_REPORTS = ("term", "term-missing")
FILE_REPORTS = ("annotate", "html", "xml", "json", "lcov", "markdown", "markdown-append")


def parse_percent(text: str) -> float:
    """Read a percentage; the sentences are pytest-cov's."""
    try:
        value = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError("An integer or float value is required.") from None
    if not 0 <= value <= 100:
        raise argparse.ArgumentTypeError("The value must be from 0 to 100.")
    return value
