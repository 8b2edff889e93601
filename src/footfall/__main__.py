"""The commands `footfall` (`python -m footfall` too) and `footfall-coverage`: Ctrl-C while they load just ends them."""

import sys
from _signal import SIG_DFL, SIGINT, default_int_handler, getsignal, signal  # type: ignore[import-not-found]

__all__ = ["as_coverage", "main"]

_DEPENDENCIES = ("click", "elftools", "rich", "textual")
_EXIT_ENVIRONMENT = 3


def main(is_as_coverage: bool = False, arguments: list[str] | None = None) -> None:
    """Run the command line with `arguments`, by default those of the process, and exit."""
    handler = getsignal(SIGINT)
    if handler is default_int_handler:  # a process that ignores the signal goes on ignoring it
        signal(SIGINT, SIG_DFL)
    try:
        from footfall.cli.main import main as run

        if handler is default_int_handler:
            signal(SIGINT, handler)
        _end_coverage_of_this_process()
        try:
            run(arguments, is_as_coverage=is_as_coverage)
        finally:
            if arguments is None:  # else a program may go on after us
                _skip_last_collections()
    except ModuleNotFoundError as error:
        name = (error.name or "").partition(".")[0]
        if name not in _DEPENDENCIES:
            raise
        what = f"This command needs {name}, which is not installed: footfall was installed without its dependencies."
        sys.stderr.write(
            f"footfall: {what} Install it: {sys.executable} -m pip install footfall. [dependency-missing]\n"
        )
        sys.exit(_EXIT_ENVIRONMENT)


def _end_coverage_of_this_process() -> None:
    """Stop coverage.py, or our classes in its place, if COVERAGE_PROCESS_START has every process measured, this one
    too.

    It would leave a data file about footfall's own code, which `combine` would take for the project's.
    """
    startup = getattr(sys.modules.get("coverage.control"), "process_startup", None)
    measuring = getattr(startup, "coverage", None)
    ours = sys.modules.get("footfall.compat")
    if measuring is None and ours is not None:
        measuring = ours.Coverage.current()
    if measuring is not None:
        import contextlib

        with contextlib.suppress(Exception):  # it may be another project's
            measuring.stop()
            measuring._auto_save = measuring._auto_data = False


def _skip_last_collections() -> None:
    """Exempt all objects from the collections at the interpreter's end, which would look at each and free nothing."""
    import gc

    if hasattr(gc, "freeze"):  # not on PyPy
        gc.freeze()


def as_coverage() -> None:
    """Stand in for the `coverage` command: `main` with coverage.py's defaults."""
    main(is_as_coverage=True)


if __name__ == "__main__":
    main()
