"""A household's journal, and a year of it for the slower tests."""

import datetime
import random

import pytest

from ledger.model import Journal
from ledger.money import Money
from ledger.parser import parse_journal
from ledger.reconcile import StatementLine

HOUSEHOLD = """\
# a household in March
account assets:checking
account expenses:food
account expenses:rent
account income:salary

2024-03-01 * Employer Ltd  ; monthly
    assets:checking    2,500.00 EUR
    income:salary

2024-03-02 Landlord
    expenses:rent      900.00 EUR
    assets:checking   -900.00 EUR

2024-03-05 ! Corner Shop  ; food, weekly
    expenses:food      42.10 EUR
    assets:checking

2024-04-05 * Corner Shop
    expenses:food      40 EUR
    assets:checking
"""

PAYEES = [
    "Corner Shop",
    "Bakery Meyer",
    "City Transport",
    "Landlord Holdings",
    "Energy Works",
    "Book House",
    "Garden Centre",
    "Cinema Odeon",
    "Pharmacy Sun",
    "Bicycle Repair",
]


@pytest.fixture
def household() -> Journal:
    return parse_journal(HOUSEHOLD)


@pytest.fixture
def journal_file(tmp_path):
    path = tmp_path / "household.journal"
    path.write_text(HOUSEHOLD, encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def year() -> tuple[str, list[StatementLine]]:
    """A journal's text with 360 transactions, and the bank's view of them: other dates, other spelling."""
    chance = random.Random(2024)
    blocks, statement = [], []
    for number in range(360):
        date = datetime.date(2024, 1, 1) + datetime.timedelta(days=number)
        payee, cents = chance.choice(PAYEES), chance.choice([990, 1250, 1999, 4500])
        amount = f"{cents // 100}.{cents % 100:02d} EUR"
        account = f"expenses:shopping:{payee.split()[0].lower()}"
        blocks.append(f"{date} {payee}\n    {account}  {amount}\n    assets:checking\n")
        bank = payee.upper().replace("E", "3", chance.randrange(3)) + f" {chance.randrange(10_000):04d} BERLIN DE"
        statement.append((date + datetime.timedelta(days=chance.randrange(4)), bank, -cents))
    text = "\n".join(blocks)
    return text, [StatementLine(date, bank, Money(cents)) for date, bank, cents in statement]
