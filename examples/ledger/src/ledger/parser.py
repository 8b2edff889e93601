"""Text -> journal.

2024-03-01 * Corner Shop  ; food, weekly
    expenses:food     12.50 EUR
    assets:checking
"""

import datetime
import re
from collections.abc import Iterable

from ledger.model import Journal, JournalError, Posting, Transaction
from ledger.money import Money

_HEAD = re.compile(r"(\d{4})-(\d{2})-(\d{2})\s+([*!]?)\s*([^;]+?)\s*(?:;\s*(.*))?")
_COMMENTS = "#;"


def parse_journal(text: str, strict: bool = False) -> Journal:
    """Read a whole journal. In `strict` mode each account must be declared. Raises JournalError."""
    journal = Journal()
    for start, block in _blocks(text.splitlines()):
        head = block[0]
        if head.startswith("account "):
            journal.accounts.add(head.removeprefix("account ").strip())
            continue
        transaction = _transaction(block, start)
        if strict:
            for posting in transaction.postings:
                if posting.account not in journal.accounts:
                    raise JournalError(f"account {posting.account} is not declared", start)
        journal.add(transaction)
    return journal


def _blocks(lines: Iterable[str]) -> Iterable[tuple[int, list[str]]]:
    """A line that starts at the margin and the indented ones below it, with its line number."""
    block: list[str] = []
    start = 0
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.lstrip()[0] in _COMMENTS:
            continue
        if line[0].isspace():
            if not block:
                raise JournalError("a posting without a transaction", number)
            block.append(line.strip())
        else:
            if block:
                yield start, block
            block, start = [line.rstrip()], number
    if block:
        yield start, block


def _transaction(block: list[str], start: int) -> Transaction:
    found = _HEAD.fullmatch(block[0])
    if found is None:
        raise JournalError(f"neither a transaction nor a directive: {block[0]!r}", start)
    year, month, day, mark, payee, tags = found.groups()
    try:
        date = datetime.date(int(year), int(month), int(day))
    except ValueError as error:
        raise JournalError(str(error), start) from None
    return Transaction(
        date,
        payee,
        tuple(_balanced(block[1:], start)),
        cleared=mark == "*",
        tags=frozenset(tag.strip() for tag in (tags or "").split(",") if tag.strip()),
    )


def _balanced(lines: list[str], start: int) -> list[Posting]:
    """The postings, with the one amount that may be left out worked out from the others."""
    postings: list[Posting] = []
    open_account = None
    for offset, line in enumerate(lines, 1):
        account, _, amount = line.partition("  ")
        if amount.strip():
            try:
                postings.append(Posting(account, Money.parse(amount)))
            except ValueError as error:
                raise JournalError(str(error), start + offset) from None
        elif open_account is not None:
            raise JournalError("two amounts are left out", start + offset)
        else:
            open_account = account
    if not postings:
        raise JournalError("a transaction needs an amount", start)
    rest = Money(0, postings[0].amount.currency)
    for posting in postings:
        rest -= posting.amount
    if open_account is not None:
        postings.append(Posting(open_account, rest))
    elif rest:
        raise JournalError(f"it does not balance: {rest} is missing", start)
    return postings
