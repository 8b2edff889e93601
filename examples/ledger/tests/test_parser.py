"""The journal's text."""

import datetime

import pytest

from ledger.model import JournalError
from ledger.money import Money
from ledger.parser import parse_journal


def test_transactions_are_read(household):
    assert len(household) == 4
    first = household.transactions[0]
    assert (first.date, first.payee, first.cleared) == (datetime.date(2024, 3, 1), "Employer Ltd", True)
    assert first.tags == {"monthly"}


def test_a_missing_amount_is_worked_out(household):
    assert household.transactions[2].postings[1].amount == Money(-4210)


def test_order_of_dates_not_of_lines():
    text = "2024-02-01 Late\n a  1 EUR\n b\n2024-01-01 Early\n a  1 EUR\n b\n"
    assert [entry.payee for entry in parse_journal(text)] == ["Early", "Late"]


def test_strict_wants_declared_accounts():
    with pytest.raises(JournalError, match="account b is not declared"):
        parse_journal("account a\n2024-01-01 Shop\n a  1 EUR\n b\n", strict=True)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("    assets:x  1 EUR\n", "line 1: a posting without a transaction"),
        ("hello\n", "line 1: neither a transaction nor a directive"),
        ("# head\n2024-13-01 Shop\n a  1 EUR\n b\n", "line 2: .*month must be in 1..12"),
        ("2024-01-01 Shop\n a  1 EUR\n b  1 EUR\n", "line 1: it does not balance: -2.00 EUR"),
        ("2024-01-01 Shop\n a  1 EUR\n b\n c\n", "line 4: two amounts are left out"),
        ("2024-01-01 Shop\n a  1 FRANC\n b\n", "line 2: not an amount"),
        ("2024-01-01 Shop\n a\n", "line 1: a transaction needs an amount"),
    ],
)
def test_mistakes_name_their_line(text, message):
    with pytest.raises(JournalError, match=message):
        parse_journal(text)


def test_a_year_is_read(year):
    for _ in range(5):
        assert len(parse_journal(year[0])) == 360
