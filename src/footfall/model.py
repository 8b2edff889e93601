"""The domain's words, shared by every phase. Imports nothing of footfall and little of the standard library.

Measured processes import this module too, so it stays small and free of heavy imports
(no dataclasses, no typing at run time).
"""


__all__ = [
    "ENGINE_MONITORING",
    "ENGINE_PROBES",
    "ENGINE_SETTRACE",
    "HIT_LEFT",
    "HIT_LINE",
    "HIT_RIGHT",
    "RUN_VARIABLE",
]

RUN_VARIABLE = "FOOTFALL_RUN"
"""The environment variable that names the run directory (absolute) to every measured process."""

ENGINE_MONITORING = 1
ENGINE_PROBES = 2
ENGINE_SETTRACE = 3

# One byte for each code unit (2 bytes of bytecode) of a measured code object holds these flags.
HIT_LINE = 1
"""A LINE event fired at this code unit."""
HIT_LEFT = 2
"""The branch instruction at this unit went left (sys.monitoring BRANCH_LEFT: fell through)."""
HIT_RIGHT = 4
"""The branch instruction at this unit went right (BRANCH_RIGHT: jumped)."""
