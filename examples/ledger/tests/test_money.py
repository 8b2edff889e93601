"""Money: reading, writing, arithmetic."""

import pytest

from ledger.money import CurrencyMismatch, Money


@pytest.mark.parametrize(
    ("text", "cents"),
    [("12.50 EUR", 1250), ("12.5 EUR", 1250), ("-1,234.05 EUR", -123405), ("+3 EUR", 300), ("0.01EUR", 1)],
)
def test_parse_reads_amounts(text, cents):
    assert Money.parse(text) == Money(cents, "EUR")


@pytest.mark.parametrize("text", ["", "12.50", "EUR 12.50", "1,23 EUR", "12.505 EUR", "twelve EUR"])
def test_parse_refuses_what_is_not_an_amount(text):
    with pytest.raises(ValueError, match="not an amount"):
        Money.parse(text)


@pytest.mark.parametrize("text", ["0.00 EUR", "-0.05 EUR", "1,234,567.89 USD"])
def test_text_round_trips(text):
    assert str(Money.parse(text)) == text


def test_sums_and_differences():
    assert Money(250) + Money(50) - Money(100) == Money(200)
    assert -Money(5) == Money(-5)
    assert Money(1) and not Money(0)


def test_currencies_do_not_mix():
    with pytest.raises(CurrencyMismatch, match="do not add up"):
        Money(100, "EUR") + Money(100, "USD")


@pytest.mark.parametrize(
    ("cents", "weights", "shares"),
    [
        (100, [1, 1, 1], [34, 33, 33]),
        (1000, [3, 1], [750, 250]),
        (-100, [1, 2], [-33, -67]),
        (5, [1] * 7, [1] * 5 + [0, 0]),
    ],
)
def test_split_loses_no_cent(cents, weights, shares):
    assert [share.cents for share in Money(cents).split(weights)] == shares


def test_convert():
    assert Money(1000, "USD").convert({"USD": 0.915}, "EUR") == Money(915, "EUR")
    assert Money(1000, "EUR").convert({}, "EUR") == Money(1000, "EUR")
