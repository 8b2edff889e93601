"""Adding up."""

import datetime

from ledger.balance import balances, by_month, forecast, register
from ledger.money import Money
from ledger.parser import parse_journal


def test_balances_include_what_is_below(household):
    totals = balances(household)
    assert totals["assets"] == Money(151790)
    assert totals["expenses"] == totals["expenses:food"] + totals["expenses:rent"] == Money(98210)


def test_depth_leaves_out_lower_levels(household):
    assert list(balances(household, depth=1)) == ["assets", "expenses", "income"]


def test_the_whole_journal_adds_up_to_nothing(year):
    totals = balances(parse_journal(year[0]), depth=1)
    assert sum(money.cents for money in totals.values()) == 0


def test_register_runs_the_balance(household):
    rows = register(household, "assets:checking")
    assert [after.cents for _, _, after in rows] == [250000, 160000, 155790, 151790]


def test_register_skips_other_accounts(household):
    assert [change.cents for _, change, _ in register(household, "expenses:food")] == [4210, 4000]


def test_months(household):
    assert by_month(household, "expenses") == {
        datetime.date(2024, 3, 1): Money(94210),
        datetime.date(2024, 4, 1): Money(4000),
    }


def test_forecast_is_the_mean_of_three_months():
    months = {datetime.date(2024, month, 1): Money(cents) for month, cents in [(1, 900), (2, 100), (3, 200), (4, 300)]}
    assert forecast(months, 2) == [Money(200), Money(233)]
