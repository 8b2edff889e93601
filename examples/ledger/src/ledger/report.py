"""Journals as text."""

import csv
import datetime
import io
from collections.abc import Iterable

from ledger.model import Transaction
from ledger.money import Money


def balance_table(totals: dict[str, Money], show_empty: bool = False) -> str:
    """One line an account, indented by its level, amounts to the right."""
    rows = []
    for name, total in totals.items():
        if not total and not show_empty:
            continue
        level = name.count(":")
        rows.append(("  " * level + name.rpartition(":")[2], str(total)))
    return align(rows)


def register_table(rows: Iterable[tuple[Transaction, Money, Money]]) -> str:
    """One line a transaction: date, mark, payee, change, balance."""
    return align(
        (entry.date.isoformat(), "*" if entry.cleared else " ", shortened(entry.payee, 30), str(change), str(after))
        for entry, change, after in rows
    )


def align(rows: Iterable[tuple[str, ...]]) -> str:
    """Columns of one width each; those that hold amounts are set flush right."""
    table = list(rows)
    if not table:
        return "(nothing)\n"
    widths = [max(len(cell) for cell in column) for column in zip(*table, strict=True)]
    lines = []
    for row in table:
        cells = []
        for cell, width in zip(row, widths, strict=True):
            cells.append(cell.rjust(width) if cell[-4:-3] == " " else cell.ljust(width))
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines) + "\n"


def shortened(text: str, width: int) -> str:
    """The text, or its start and an ellipsis."""
    if len(text) <= width:
        return text
    return text[: width - 1].rstrip() + "…"


def month_chart(months: dict[datetime.date, Money], width: int = 40) -> str:
    """A bar for each month; `-` bars are below zero."""
    if not months:
        return "(nothing)\n"
    largest = max(abs(money.cents) for money in months.values()) or 1
    lines = []
    for month, money in months.items():
        length = round(abs(money.cents) / largest * width)
        bar = ("-" if money.cents < 0 else "#") * length
        lines.append(f"{month:%Y-%m}  {bar.ljust(width)}  {money}")
    return "\n".join(lines) + "\n"


def export_csv(transactions: Iterable[Transaction], delimiter: str = ",") -> str:
    """Every posting as a line of CSV, for a spreadsheet."""
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter, lineterminator="\n")
    writer.writerow(["date", "payee", "account", "amount", "currency", "tags"])
    for entry in transactions:
        for posting in entry.postings:
            amount = f"{posting.amount.cents / 100:.2f}"
            if delimiter == ";":
                amount = amount.replace(".", ",")
            tags = " ".join(sorted(entry.tags))
            writer.writerow([entry.date, entry.payee, posting.account, amount, posting.amount.currency, tags])
    return out.getvalue()
