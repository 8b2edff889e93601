"""Damage a data file at random; every report reads it: `python tests/support/damage_fuzz.py .coverage --runs 1000`.

Runs in the directory of the measured program, in one process. Prints every result that was more than a message, and
exits with 1 if there was any. Tests of records also use `mutations`; each mutation that failed is kept as
`fail-COMMAND-N`. With `--each 2` a mutation is read by two of the commands, the next one by the following two, and so
on.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import itertools
import random
import signal
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

__all__ = ["mutations"]

_COMMANDS = (
    "report", "report --by line", "report --conditions", "json -q -o o.json", "xml -q -o o.xml", "lcov -q -o o.lcov",
    "html -q -d o.html", "flame -o o.flame.html", "export --format collapsed -o o.collapsed", "gaps", "tests",
)  # fmt: skip
_COMBINE = "combine -q --keep --data-file=o.combined damaged"
_STATUSES = (None, 0, 1, 3)  # 2 is a wrong command line
_HANG_S = 30


def mutations(data: bytes, seed: int) -> Iterator[bytes]:
    """Yield, forever, the data with a flipped bit, cut off, with an impossible number, or with a part moved."""
    chance = random.Random(seed)
    used = len(data.rstrip(b"\0"))
    while True:
        place = chance.randrange(used)
        bad = bytearray(data)
        kind = chance.randrange(4)
        if kind == 0:
            bad[place] ^= 1 << chance.randrange(8)
        elif kind == 1:
            del bad[place:]
        elif kind == 2:
            value = chance.choice([0, 1, 0x7FFFFFFF, 0xFFFFFFFF, chance.randrange(1 << 32)])
            bad[place // 4 * 4 : place // 4 * 4 + 4] = struct.pack("<I", value)
        else:
            size, source = chance.randrange(1, 64), chance.randrange(used)
            bad[place : place + size] = data[source : source + size]
        yield bytes(bad)


def _failure(arguments: list[str]) -> str:
    """Run a command of footfall; return its result if it is more than a message, else ""."""
    from footfall.cli.main import main

    printed, reported = io.TextIOWrapper(io.BytesIO()), io.TextIOWrapper(io.BytesIO())
    status: object = None
    signal.alarm(_HANG_S)
    try:
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(reported):
            main(arguments)
    except SystemExit as end:
        status = end.code
    except BaseException as error:
        return repr(error)
    finally:
        signal.alarm(0)
    reported.flush()
    text = reported.buffer.getvalue().decode("utf-8", "replace")
    return f"status {status}: {text}" if status not in _STATUSES or "Traceback" in text else ""


def _hang(*_: object) -> None:
    raise TimeoutError(f"not done after {_HANG_S} s")


def _main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data_file", type=Path)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--each", type=int, default=len(_COMMANDS) + 1, help="commands for each mutation, in turn")
    options = parser.parse_args()
    signal.signal(signal.SIGALRM, _hang)
    damaged = Path("damaged")
    found = mutations(options.data_file.read_bytes(), options.seed)
    commands = itertools.cycle((*(f"{each} --data-file=damaged" for each in _COMMANDS), _COMBINE))
    n_failed = 0
    for number in range(options.runs):
        damaged.write_bytes(next(found))
        for command in itertools.islice(commands, options.each):
            failure = _failure(command.split())
            if failure:
                n_failed += 1
                kept = f"fail-{command.split()[0]}-{number}"
                Path(kept).write_bytes(damaged.read_bytes())
                print(f"{command} ({kept}): {failure}", flush=True)
    print(f"{n_failed} of {options.runs * options.each} failed, {options.runs} mutations")
    return int(n_failed > 0)


if __name__ == "__main__":
    sys.exit(_main())
