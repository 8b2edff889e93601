"""footfall: what ran and where the time went, from one run of any command.

PYTEST_DONT_REWRITE: pytest need not look for assertions here, nor warn that it comes too late to.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from footfall.api import start as start
    from footfall.api import stop as stop

__all__ = ["start", "stop"]


def __getattr__(name: str) -> object:
    """Load the API when it is asked for: measured processes import this package and pay for nothing else."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from footfall import api

    return getattr(api, name)
