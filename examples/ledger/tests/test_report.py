"""Text reports."""

import datetime

from ledger.balance import balances, by_month, register
from ledger.money import Money
from ledger.report import align, balance_table, month_chart, register_table, shortened


def test_balance_table(household):
    assert balance_table(balances(household, depth=1)) == (
        "assets     1,517.90 EUR\nexpenses     982.10 EUR\nincome    -2,500.00 EUR\n"
    )


def test_lower_levels_are_indented(household):
    assert "\n  food" in balance_table(balances(household))


def test_empty_accounts_are_left_out():
    assert balance_table({"a": Money(0), "b": Money(1)}) == "b  0.01 EUR\n"


def test_register_table(household):
    lines = register_table(register(household, "expenses:food")).splitlines()
    assert lines[0] == "2024-03-05     Corner Shop  42.10 EUR  42.10 EUR"
    assert lines[1] == "2024-04-05  *  Corner Shop  40.00 EUR  82.10 EUR"


def test_nothing_to_show():
    assert align([]) == "(nothing)\n"


def test_long_payees_are_shortened():
    assert shortened("A Very Long Name", 8) == "A Very…"


def test_month_chart(household):
    chart = month_chart(by_month(household, "expenses"), width=10)
    assert chart == "2024-03  ##########  942.10 EUR\n2024-04              40.00 EUR\n"


def test_bars_below_zero():
    assert "-----" in month_chart({datetime.date(2024, 1, 1): Money(-5)}, width=5)
