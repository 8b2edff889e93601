"""Check a journal against the bank's statement: which line is which transaction?

A bank writes `CORNER SHOP 0042 BERLIN` where the journal says `Corner Shop`, so payees are compared by how
many letters must change. Most of the program's time goes here.
"""

import csv
import datetime
from dataclasses import dataclass

from ledger.model import Journal, Transaction
from ledger.money import Money

DAYS_APART = 5
LEAST_SIMILARITY = 0.3


@dataclass(frozen=True, slots=True)
class StatementLine:
    """One line of a bank statement."""

    date: datetime.date
    text: str
    amount: Money


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """What was found in both, and what in one only."""

    matched: list[tuple[StatementLine, Transaction]]
    only_bank: list[StatementLine]
    only_journal: list[Transaction]


def read_statement(text: str, currency: str = "EUR") -> list[StatementLine]:
    """Read `date,text,amount` lines; the header line may be missing. Raises ValueError."""
    lines = []
    for row in csv.reader(text.splitlines()):
        if not row or row[0] == "date":
            continue
        if len(row) != 3:
            raise ValueError(f"a statement line has three columns, not {len(row)}: {','.join(row)}")
        date, description, amount = row
        if not amount.rstrip().endswith(currency):
            amount = f"{amount} {currency}"
        lines.append(StatementLine(datetime.date.fromisoformat(date), description, Money.parse(amount)))
    return lines


def edit_distance(left: str, right: str) -> int:
    """Letters to insert, delete or change to make one from the other. O(len(left) * len(right))."""
    previous = list(range(len(right) + 1))
    for i, a in enumerate(left, 1):
        current = [i]
        for j, b in enumerate(right, 1):
            if a == b:
                current.append(previous[j - 1])
            else:
                current.append(1 + min(previous[j - 1], previous[j], current[j - 1]))
        previous = current
    return previous[-1]


def similarity(left: str, right: str) -> float:
    """1 for the same payee, 0 for nothing in common."""
    left, right = normalized(left), normalized(right)
    if not left or not right:
        return 0.0
    if left in right or right in left:
        return 1.0
    return 1 - edit_distance(left, right) / max(len(left), len(right))


def normalized(payee: str) -> str:
    """Only what identifies a payee: small letters, no digits, no punctuation."""
    letters = []
    for char in payee.lower():
        if char.isalpha():
            letters.append(char)
        elif char.isspace() and letters and letters[-1] != " ":
            letters.append(" ")
    return "".join(letters).strip()


def reconcile(journal: Journal, statement: list[StatementLine], account: str) -> Reconciliation:
    """Pair each line with the most similar transaction of the same amount about the same day."""
    open_transactions = [entry for entry in journal if entry.amount_in(account) is not None]
    matched = []
    only_bank = []
    for line in statement:
        best, best_score = None, LEAST_SIMILARITY
        for entry in open_transactions:
            if entry.amount_in(account) != line.amount:
                continue
            if abs((entry.date - line.date).days) > DAYS_APART:
                continue
            score = similarity(entry.payee, line.text)
            if score > best_score:
                best, best_score = entry, score
        if best is None:
            only_bank.append(line)
        else:
            open_transactions.remove(best)
            matched.append((line, best))
    return Reconciliation(matched, only_bank, open_transactions)
