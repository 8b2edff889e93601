"""What a journal is made of."""

import datetime
from collections.abc import Iterator
from dataclasses import dataclass, field

from ledger.money import Money


class JournalError(Exception):
    """The journal is wrong at a line."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(f"line {line}: {message}")
        self.line = line


@dataclass(frozen=True, slots=True)
class Posting:
    """Money that goes to (or, when negative, comes from) an account."""

    account: str
    amount: Money

    @property
    def parents(self) -> Iterator[str]:
        """The account and each account above it: `a:b:c`, `a:b`, `a`."""
        name = self.account
        while name:
            yield name
            name = name.rpartition(":")[0]


@dataclass(frozen=True, slots=True)
class Transaction:
    """Postings of one day that add up to nothing."""

    date: datetime.date
    payee: str
    postings: tuple[Posting, ...]
    cleared: bool = False
    tags: frozenset[str] = frozenset()

    def amount_in(self, account: str) -> Money | None:
        """What the transaction brings to the account and those below it; None when it does not touch them."""
        total = None
        for posting in self.postings:
            if account in posting.parents:
                total = posting.amount if total is None else total + posting.amount
        return total


@dataclass(slots=True)
class Journal:
    """Transactions in order of date, and the accounts that were declared."""

    transactions: list[Transaction] = field(default_factory=list)
    accounts: set[str] = field(default_factory=set)

    def add(self, transaction: Transaction) -> None:
        """Insert in order of date, after those of the same day."""
        index = len(self.transactions)
        while index and self.transactions[index - 1].date > transaction.date:
            index -= 1
        self.transactions.insert(index, transaction)

    def __len__(self) -> int:
        return len(self.transactions)

    def __iter__(self) -> Iterator[Transaction]:
        return iter(self.transactions)
