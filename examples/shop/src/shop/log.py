"""One line for each thing that happens, with the name of the function that it happened in."""

import inspect

LINES: list[str] = []


def note(text: str) -> None:
    """Log a line under the caller's name."""
    caller = inspect.stack()[1].function
    LINES.append(f"{caller}: {text}")
