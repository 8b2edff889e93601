"""The command line: `ledger balance|register|months|reconcile|csv JOURNAL ...`."""

import argparse
import pathlib
import sys
from collections.abc import Sequence

from ledger import balance, reconcile, report
from ledger.model import Journal, JournalError
from ledger.parser import parse_journal


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 0 is well, 1 is a difference to the bank, 2 is a mistake in what was given."""
    options = _options().parse_args(arguments)
    try:
        journal = parse_journal(pathlib.Path(options.journal).read_text(encoding="utf-8"), options.strict)
        return _run(options, journal)
    except (JournalError, ValueError, OSError) as error:
        print(f"ledger: {error}", file=sys.stderr)
        return 2


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="ledger", description="Plain-text accounting.")
    parser.add_argument("--strict", action="store_true", help="each account must be declared")
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("balance", "register", "months", "reconcile", "csv"):
        command = commands.add_parser(name)
        command.add_argument("journal")
        if name not in ("balance", "csv"):
            command.add_argument("account")
        if name == "balance":
            command.add_argument("--depth", type=int)
        elif name == "reconcile":
            command.add_argument("statement")
        elif name == "months":
            command.add_argument("--forecast", type=int, default=0, metavar="MONTHS")
    return parser


def _run(options: argparse.Namespace, journal: Journal) -> int:
    match options.command:
        case "balance":
            print(report.balance_table(balance.balances(journal, options.depth)), end="")
        case "register":
            print(report.register_table(balance.register(journal, options.account)), end="")
        case "months":
            months = balance.by_month(journal, options.account)
            print(report.month_chart(months), end="")
            for ahead, money in enumerate(balance.forecast(months, options.forecast), 1):
                print(f"+{ahead:<6}  {money}")
        case "csv":
            print(report.export_csv(journal), end="")
        case _:
            return _reconcile(options, journal)
    return 0


def _reconcile(options: argparse.Namespace, journal: Journal) -> int:
    statement = reconcile.read_statement(pathlib.Path(options.statement).read_text(encoding="utf-8"))
    result = reconcile.reconcile(journal, statement, options.account)
    for line in result.only_bank:
        print(f"only the bank has     {line.date}  {line.text}  {line.amount}")
    for entry in result.only_journal:
        print(f"only the journal has  {entry.date}  {entry.payee}  {entry.amount_in(options.account)}")
    print(f"{len(result.matched)} matched")
    return 1 if result.only_bank or result.only_journal else 0
