"""Who is right where two tools differ: what line events the interpreter sent, in one more run.

An event is proof that a line ran. That there was none is proof where the program sets no trace function of its own, and
the line is not the first one of a statement whose parts alone have instructions.
"""

import pathlib
from collections.abc import Iterable

from differences import Difference, Item, ranges

__all__ = ["ENVIRONMENT_BELOW", "ENVIRONMENT_TO", "PLACE", "events_of", "print_verdicts"]

PLACE = str(pathlib.Path(__file__).with_name("line_events"))
"""To be in PYTHONPATH of what is run as a witness."""
ENVIRONMENT_TO = "LINE_EVENTS_TO"
ENVIRONMENT_BELOW = "LINE_EVENTS_BELOW"

Events = dict[str, set[tuple[int, int]]]
"""For each file, absolute: pairs of lines that ran after one another in a frame."""


def events_of(file: pathlib.Path) -> Events:
    """Read what line_events/sitecustomize.py wrote; lines torn by a killed process are left out."""
    events: Events = {}
    for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
        name, *numbers = line.split("\t")
        if len(numbers) == 2 and all(number.lstrip("-").isdigit() for number in numbers):
            events.setdefault(name, set()).add((int(numbers[0]), int(numbers[1])))
    return events


def print_verdicts(found: Iterable[Difference], events: Events, directory: pathlib.Path) -> None:
    """Say for what only one tool has executed whether the interpreter sent an event; paths are from `directory`."""
    for each in found:
        if not each.key.startswith("executed"):
            continue
        pairs = events.get(str((directory / each.file).resolve()), set())
        sent: set[Item] = {*pairs} if each.key == "executed_branches" else {line for _, line in pairs}
        print(f"  {each.file}: {each.key}")
        for name, items in (("footfall", each.only_left), ("coverage.py", each.only_right)):
            for verdict, is_sent in (("the interpreter sent", True), ("it did not send", False)):
                chosen = [item for item in items if (item in sent) is is_sent]
                if chosen:
                    print(f"    {name} only, and {verdict}: {ranges(chosen)}")
