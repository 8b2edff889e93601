"""Errors that a user can act on: what happened, where, and the next step.

Raised by every phase outside the measured process; only `cli.main` prints them and picks the exit code.
Each slug has an entry in docs/messages.md.
"""

from footfall.printable import printable

__all__ = ["EXIT_ENVIRONMENT", "EXIT_FINDINGS", "EXIT_USAGE", "FootfallError", "UsageError", "describe_error"]

EXIT_FINDINGS = 1
EXIT_USAGE = 2
EXIT_ENVIRONMENT = 3


def describe_error(error: BaseException) -> str:
    """Return the name and the text of someone else's error, as in `ValueError: no`. An empty text is left out.

    Exceptions raised by the error's own methods are swallowed.
    """
    try:
        text = str(error)
    except Exception:  # its class can't be printed
        text = ""
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


class FootfallError(Exception):
    """Something the user can fix. `help` says what to try next, as a command where there is one."""

    exit_code = EXIT_ENVIRONMENT

    def __init__(self, slug: str, message: str, help: str = "") -> None:
        super().__init__(message)
        self.slug = slug
        self.message = message
        self.help = help

    def __str__(self) -> str:
        text = f"{self.message} {self.help}".rstrip()
        return printable(f"{text} [{self.slug}]")


class UsageError(FootfallError):
    """The command line or a configuration file asks for something impossible."""

    exit_code = EXIT_USAGE
