"""The words of errors."""

import pytest

from footfall.errors import describe_error

pytestmark = pytest.mark.any_python


class Unprintable(Exception):
    def __str__(self) -> str:
        raise RuntimeError


@pytest.mark.parametrize(
    ("error", "text"),
    [(ValueError("no"), "ValueError: no"), (ValueError(), "ValueError"), (Unprintable("x"), "Unprintable")],
    ids=["with a text", "without", "that can't be printed"],
)
def test_an_error_of_others_is_described(error: Exception, text: str) -> None:
    """Its name is always there, its text where it has one."""
    assert describe_error(error) == text
