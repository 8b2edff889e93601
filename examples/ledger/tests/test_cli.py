"""The command line, in this process and as a child."""

import os
import subprocess
import sys

import pytest

from ledger.cli import main


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["balance", "--depth", "1"], "income    -2,500.00 EUR"),
        (["register", "expenses:rent"], "Landlord  900.00 EUR"),
        (["months", "expenses", "--forecast", "1"], "+1       491.05 EUR"),
    ],
)
def test_commands(journal_file, capsys, arguments, expected):
    assert main([arguments[0], str(journal_file), *arguments[1:]]) == 0
    assert expected in capsys.readouterr().out


def test_reconcile_tells_differences(journal_file, tmp_path, capsys):
    statement = tmp_path / "bank.csv"
    statement.write_text("2024-03-06,CORNER SHOP 77,-42.10\n2024-03-20,ATM,-50.00\n")
    assert main(["reconcile", str(journal_file), "assets:checking", str(statement)]) == 1
    out = capsys.readouterr().out
    assert "only the bank has     2024-03-20  ATM  -50.00 EUR" in out
    assert out.endswith("1 matched\n")


def test_mistakes_end_with_2(tmp_path, capsys):
    assert main(["balance", str(tmp_path / "none.journal")]) == 2
    assert "ledger: " in capsys.readouterr().err


def test_as_a_module(journal_file):
    source = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "src")
    command = [sys.executable, "-m", "ledger", "--strict", "balance", str(journal_file)]
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": source}, capture_output=True, text=True, check=True)
    assert "assets" in done.stdout
