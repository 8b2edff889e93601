"""footfall: what ran and where the time went, from one run of any command.

PYTEST_DONT_REWRITE: pytest need not rewrite assertions here, nor warn that this package was imported too early.
"""

if __doc__ is None:  # under -OO; pytest would warn about us, which some projects treat as an error
    __doc__ = "PYTEST_DONT_REWRITE"

TYPE_CHECKING = False
if TYPE_CHECKING:
    from footfall.api.measuring import Capture as Capture
    from footfall.api.measuring import Captured as Captured
    from footfall.api.measuring import Measurement as Measurement
    from footfall.api.measuring import capture as capture
    from footfall.api.measuring import context as context
    from footfall.api.measuring import measure as measure
    from footfall.api.measuring import start as start
    from footfall.api.measuring import stop as stop
    from footfall.api.measuring import switch_context as switch_context

__all__ = [
    "Capture",
    "Captured",
    "Measurement",
    "capture",
    "context",
    "measure",
    "start",
    "stop",
    "switch_context",
]


def __getattr__(name: str) -> object:
    """Load the API on first use: measured processes import this package and must pay for nothing else."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from footfall.api import measuring as api

    return getattr(api, name)
