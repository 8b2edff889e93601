"""The commands `footfall` (`python -m footfall` too) and `footfall-coverage`: Ctrl-C while they load just ends them."""

from _signal import SIG_DFL, SIGINT, default_int_handler, getsignal, signal  # type: ignore[import-not-found]

__all__ = ["as_coverage", "main"]


def main(is_as_coverage: bool = False) -> None:
    """Load the command line, run it and exit."""
    handler = getsignal(SIGINT)
    if handler is default_int_handler:  # whoever ignores the signal goes on doing so
        signal(SIGINT, SIG_DFL)
    from footfall.cli.main import main as run

    if handler is default_int_handler:
        signal(SIGINT, handler)
    run(is_as_coverage=is_as_coverage)


def as_coverage() -> None:
    """Stand in for the command `coverage`: `main` with coverage.py's defaults."""
    main(is_as_coverage=True)


if __name__ == "__main__":
    main()
