"""Adding up: balances by account, a register, months."""

import datetime
from collections import defaultdict
from collections.abc import Iterable

from ledger.model import Transaction
from ledger.money import Money


def balances(transactions: Iterable[Transaction], depth: int | None = None) -> dict[str, Money]:
    """Balance of each account, those below it included; only the first `depth` levels when given."""
    totals: dict[str, Money] = {}
    for transaction in transactions:
        for posting in transaction.postings:
            for name in posting.parents:
                if depth is not None and name.count(":") >= depth:
                    continue
                if name in totals:
                    totals[name] += posting.amount
                else:
                    totals[name] = posting.amount
    return dict(sorted(totals.items()))


def register(transactions: Iterable[Transaction], account: str) -> list[tuple[Transaction, Money, Money]]:
    """Each transaction that touches the account, what it brought, and the balance after it."""
    rows = []
    running = None
    for transaction in transactions:
        change = transaction.amount_in(account)
        if change is None:
            continue
        running = change if running is None else running + change
        rows.append((transaction, change, running))
    return rows


def by_month(transactions: Iterable[Transaction], account: str) -> dict[datetime.date, Money]:
    """What each month brought to the account, by the month's first day."""
    months: dict[datetime.date, list[Money]] = defaultdict(list)
    for transaction in transactions:
        change = transaction.amount_in(account)
        if change is not None:
            months[transaction.date.replace(day=1)].append(change)
    return {month: sum(changes[1:], changes[0]) for month, changes in sorted(months.items())}


def forecast(monthly: dict[datetime.date, Money], months: int) -> list[Money]:
    """The next months, each the mean of the three before it."""
    known = list(monthly.values())
    if not known:
        return []
    coming: list[Money] = []
    for _ in range(months):
        recent = (known + coming)[-3:]
        cents = sum(money.cents for money in recent)
        coming.append(Money(round(cents / len(recent)), recent[-1].currency))
    return coming
