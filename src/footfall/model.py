"""The domain's words, shared by every phase. Imports nothing of footfall and little of the standard library.

Measured processes import this module too, so it stays small and free of heavy imports
(no dataclasses, no typing at run time).
"""

__all__ = [
    "ENGINE_MONITORING",
    "ENGINE_PROBES",
    "ENGINE_SETTRACE",
    "ENGINE_VARIABLE",
    "EVENT_ASYNC_STOP",
    "EVENT_LEFT",
    "EVENT_LINE",
    "EVENT_RAISE",
    "EVENT_RESUMED",
    "EVENT_RIGHT",
    "EVENT_UNWIND",
    "RECORD_BRANCHES",
    "RECORD_LATE",
    "RECORD_OPTIMIZE_SHIFT",
    "RUN_VARIABLE",
    "SESSION_VARIABLE",
    "PLUGIN_DATA",
    "PLUGIN_FILES",
    "UNCOVERED_CONTEXT",
]

RUN_VARIABLE = "FOOTFALL_RUN"
"""The environment variable that names the run directory (absolute) to every measured process."""

SESSION_VARIABLE = "FOOTFALL_PYTEST"
"""The environment variable that tells pytest that it is measured because its own options asked for it."""

PLUGIN_DATA = "plugins.coverage"
"""In a run directory: the beginning of the names of the files with what plugins of coverage.py add to its data."""

PLUGIN_FILES = "plugin-files.coverage"
"""In a run directory, in place of the data file's name: where plugins write data files of their own."""

UNCOVERED_CONTEXT = "footfall: uncovered"
"""The label of a context whose events are left out: tests marked `no_cover`."""

ENGINE_VARIABLE = "FOOTFALL_ENGINE"
"""The environment variable that asks for an engine by its name in every measured process."""

TEST_TIMES_ENDING = ".tests"
"""The ending of the files in a run directory in which the pytest plugin writes how long tests take."""

ENGINE_MONITORING = 1
ENGINE_PROBES = 2
ENGINE_SETTRACE = 3

# Flags in the header of a record.
RECORD_BRANCHES = 1
RECORD_LATE = 2
"""Measuring began while the program was already running."""
RECORD_OPTIMIZE_SHIFT = 2
"""With RECORD_LATE: the two bits from here on are sys.flags.optimize (at most 2), the level that modules were compiled
with.
"""

# One byte for each code unit (2 bytes of bytecode) of a measured code object holds these flags.
EVENT_LINE = 1
"""A LINE event fired at this code unit."""
EVENT_LEFT = 2
"""The branch instruction at this unit went left (sys.monitoring BRANCH_LEFT: it fell through), or the jump or return
there was executed (JUMP, PY_RETURN).
"""
EVENT_RIGHT = 4
"""The branch instruction at this unit went right (BRANCH_RIGHT: it jumped). At a JUMP_BACKWARD_NO_INTERRUPT: the jump
was watched, and has EVENT_LEFT if it was executed.
"""
EVENT_RAISE = 8
"""An exception went from this unit to a handler in the same frame (EXCEPTION_HANDLED, the frame's offset)."""
EVENT_ASYNC_STOP = 16
"""The same for a StopAsyncIteration."""
EVENT_UNWIND = 32
"""An exception from this unit left the frame (PY_UNWIND, the frame's offset)."""
EVENT_RESUMED = 64
"""A frame continued from this unit: a generator was resumed there, or the frame was there when its context began."""
