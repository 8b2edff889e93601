"""The outside reader meets damaged memory: a few seconds of tests/remote_fuzz.py."""

from __future__ import annotations

import sys

import pytest

pytestmark = pytest.mark.skipif(sys.implementation.name != "cpython", reason="reads from CPython only")
pytest.importorskip("elftools")


def test_damaged_memory_is_harmless() -> None:
    """No crash, no hang, no error but footfall's own, whatever the target's structures say."""
    from remote_fuzz import fuzz

    fuzz(4.0, 20_000, at_least=20)
