"""The bank's view of things."""

import datetime

import pytest

from ledger.money import Money
from ledger.parser import parse_journal
from ledger.reconcile import StatementLine, edit_distance, normalized, read_statement, reconcile, similarity


@pytest.mark.parametrize(
    ("left", "right", "distance"),
    [("", "", 0), ("", "abc", 3), ("kitten", "sitting", 3), ("flaw", "lawn", 2), ("same", "same", 0)],
)
def test_edit_distance(left, right, distance):
    assert edit_distance(left, right) == edit_distance(right, left) == distance


def test_normalized_keeps_what_identifies():
    assert normalized("CORNER-SHOP 0042  Berlin!") == "cornershop berlin"


def test_similarity():
    assert similarity("Corner Shop", "CORNER SHOP 0042") == 1
    assert similarity("Corner Shop", "C0RNER SH0P") > 0.7
    assert similarity("Corner Shop", "Landlord") < 0.3


def test_statement_is_read():
    lines = read_statement("date,text,amount\n2024-03-06,CORNER SHOP,-42.10\n\n2024-03-07,FX,1.00 EUR\n")
    assert lines[0] == StatementLine(datetime.date(2024, 3, 6), "CORNER SHOP", Money(-4210))
    assert lines[1].amount == Money(100)


def test_matched_and_unmatched(household):
    statement = read_statement("2024-03-06,CORNER SHOP 77,-42.10\n2024-03-20,ATM,-50.00\n")
    result = reconcile(household, statement, "assets:checking")
    assert [entry.payee for _, entry in result.matched] == ["Corner Shop"]
    assert [line.text for line in result.only_bank] == ["ATM"]
    assert len(result.only_journal) == 3


def test_a_day_too_far_is_no_match(household):
    statement = read_statement("2024-03-16,CORNER SHOP,-42.10\n")
    assert reconcile(household, statement, "assets:checking").matched == []


def test_a_year_is_matched(year):
    text, statement = year
    result = reconcile(parse_journal(text), statement, "assets:checking")
    assert len(result.matched) > 330


def test_pairs_of_payees_are_told_apart(year):
    payees = sorted({line.text for line in year[1]})[::4]
    scores = [similarity(left, right) for left in payees for right in payees]
    assert max(scores) == 1 and min(scores) < 0.6
