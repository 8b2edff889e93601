"""The `footfall` command, also as `python -m footfall`: Ctrl-C before its modules are loaded just ends it."""

from _signal import SIG_DFL, SIGINT, default_int_handler, getsignal, signal  # type: ignore[import-not-found]

__all__ = ["main"]


def main() -> None:
    """Load the command line, run it and exit."""
    handler = getsignal(SIGINT)
    if handler is default_int_handler:  # whoever ignores the signal goes on doing so
        signal(SIGINT, SIG_DFL)
    from footfall.cli.main import main as run

    if handler is default_int_handler:
        signal(SIGINT, handler)
    run()


if __name__ == "__main__":
    main()
