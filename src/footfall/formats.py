"""The numbers used in record files and sample logs (docs/formats.md), the same as in native/record/format.h.

The readers in `record.run`, `attach.inject` and PyPy's recorder import them from here. A test compares each one with
the constant of the same name in the header. The flags that the engines and their analysis share are in footfall.model.
"""

MAGIC = b"FOOTFALL"
ENTRY_HEAD_BYTES = 8
"""An entry's kind and size, before its payload."""
ENTRY_END = 0
ENTRY_PADDING = 0xFFFFFFFF
FIRST_SEGMENT_BYTES = 1 << 13
"""The file doubles until segments have their full size: most processes of a large run record little."""
SEGMENT_BYTES = 1 << 18

RECORD_FORMAT = 1
MAX_RECORDS_PER_PID = 100_000
IMPLEMENTATION_CPYTHON = 1
IMPLEMENTATION_PYPY = 2

RECORD_HEADER = 1
RECORD_FILE = 2
RECORD_CODE = 3
RECORD_EVENTS = 4
RECORD_CONTEXT = 5
RECORD_PROBES = 6
RECORD_MESSAGE = 7
RECORD_TRACE = 8
RECORD_IMPORTED = 9
RECORD_SWITCH = 10
RECORD_PROBE_EVENTS = 11
RECORD_TRACER = 12

RECORD_HEADER_BYTES = 56
"""Without its strings; the sizes of other entries also stop at the first part of variable size."""
RECORD_STOPPED_AT = 28
"""In the header's payload: why recording ended early."""
EVENTS_HEAD_BYTES = 16
PROBES_HEAD_BYTES = 32
TRACE_HEAD_BYTES = 16

TRACE_HAS_ARCS = 1
TRACE_IS_FINAL = 2
"""The pairs belong to the entry's own context."""

SAMPLE_LOG_FORMAT = 1

SAMPLE_HEADER = 1
SAMPLE_CODE = 2
SAMPLE_THREAD = 3
SAMPLE_NODE = 4
SAMPLE_SAMPLE = 5
SAMPLE_WAITING = 6
SAMPLE_CALLS = 7
SAMPLE_MAPPINGS = 8
SAMPLE_C_STACK = 9

COUNT_TICKS = 0
COUNT_SAMPLES = 1
COUNT_TORN = 2
COUNT_UNREADABLE = 3
COUNT_LATE = 4
COUNT_CODES = 5
COUNT_NODES = 6
COUNT_FULL = 7
COUNT_CPU = 8
N_COUNTERS = 16

COUNTERS_AT = 48
"""In the header's payload."""
LEASE_AT = 176
SAMPLE_HEADER_BYTES = 184
NODE_BYTES = 16
SAMPLE_BYTES = 32
SAMPLE_TIME_AT = 8
SAMPLE_REPEAT_AT = 30
WAITING_BYTES = 32

C_STACK_HEAD_BYTES = 24
N_REGISTERS = 17

SAMPLE_HOLDS_GIL = 1
SAMPLE_WAITS_FOR_GIL = 2
SAMPLE_TELLS_WAITING = 4
SAMPLE_HAS_C_STACK = 8
"""The last C stack of its thread in the log is this sample's."""
SAMPLE_IS_ASLEEP = 16
"""The kernel said that the thread did not want a CPU."""
UNIT_UNKNOWN = 0xFFFFFFFF

COLLECTOR_PATH = "<gc>"
"""Path and name of the frame that represents the garbage collector; it has no lines."""
TASKS_PATH = "<asyncio>"
"""The path of the frames that represent tasks."""
LEFT_OUT_PATH = "<frames left out>"
"""Path and name of the frame that replaces the frames in the middle of a very deep stack."""
NOT_READ_PATH = "<not read>"
"""Path and name of the frame that replaces a stack that could not be read."""
