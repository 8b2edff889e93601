/* The numbers used in record files and sample logs (docs/formats.md). The Python code that reads them, and PyPy's
 * recorder, have them in src/footfall/formats.py under the same names; a test compares the two. Plain C: no
 * Python.h. */
#ifndef FOOTFALL_RECORD_FORMAT_H
#define FOOTFALL_RECORD_FORMAT_H

/* Both kinds of file: entries in segments, each preceded by its kind and size. */
#define MAGIC "FOOTFALL"
#define ENTRY_HEAD_BYTES 8
#define ENTRY_END 0
#define ENTRY_PADDING 0xFFFFFFFFu
#define FIRST_SEGMENT_BYTES (1u << 13) /* the file doubles until segments have their full size */
#define SEGMENT_BYTES (1u << 18)

/* Record files. */
#define RECORD_FORMAT 1
#define MAX_RECORDS_PER_PID 100000
#define IMPLEMENTATION_CPYTHON 1
#define IMPLEMENTATION_PYPY 2

enum record_kind {
    RECORD_HEADER = 1,
    RECORD_FILE = 2,
    RECORD_CODE = 3,
    RECORD_EVENTS = 4,
    RECORD_CONTEXT = 5,
    RECORD_PROBES = 6,
    RECORD_MESSAGE = 7,
    RECORD_TRACE = 8,
    RECORD_IMPORTED = 9,
    RECORD_SWITCH = 10,
    RECORD_PROBE_EVENTS = 11,
    RECORD_TRACER = 12,
};

/* Sizes of entries, up to the first part of variable size; and offsets in the header's payload. */
#define RECORD_HEADER_BYTES 56
#define RECORD_STOPPED_AT 28
#define EVENTS_HEAD_BYTES 16
#define PROBES_HEAD_BYTES 32
#define TRACE_HEAD_BYTES 16

/* The header's flags. */
#define RECORD_BRANCHES 1
#define RECORD_LATE 2
#define RECORD_OPTIMIZE_SHIFT 2

/* A TRACE entry's mode. */
#define TRACE_HAS_ARCS 1
#define TRACE_IS_FINAL 2 /* the pairs belong to the entry's own context */

/* The flags of a code unit's events; footfall.model says what they mean. */
#define EVENT_LINE 1
#define EVENT_LEFT 2
#define EVENT_RIGHT 4
#define EVENT_RAISE 8
#define EVENT_ASYNC_STOP 16
#define EVENT_UNWIND 32
#define EVENT_RESUMED 64

/* Sample logs. */
#define SAMPLE_LOG_FORMAT 1

enum sample_kind {
    SAMPLE_HEADER = 1,
    SAMPLE_CODE = 2,
    SAMPLE_THREAD = 3,
    SAMPLE_NODE = 4,
    SAMPLE_SAMPLE = 5,
    SAMPLE_WAITING = 6,
    SAMPLE_CALLS = 7,
    SAMPLE_MAPPINGS = 8,
    SAMPLE_C_STACK = 9,
};

/* Counters, in the header. */
enum sample_counter {
    COUNT_TICKS = 0,
    COUNT_SAMPLES = 1,
    COUNT_TORN = 2,
    COUNT_UNREADABLE = 3,
    COUNT_LATE = 4,
    COUNT_CODES = 5,
    COUNT_NODES = 6,
    COUNT_FULL = 7, /* errno of the failure that ended the log, 0 while it continues */
    COUNT_CPU = 8, /* nanoseconds of CPU time that the sampling thread had used a moment ago */
    N_COUNTERS = 16,
};

#define COUNTERS_AT 48
#define LEASE_AT 176 /* after the counters */
#define SAMPLE_HEADER_BYTES 184
#define NODE_BYTES 16
#define SAMPLE_BYTES 32
#define SAMPLE_TIME_AT 8
#define SAMPLE_REPEAT_AT 30
#define WAITING_BYTES 32

#define C_STACK_HEAD_BYTES 24
#define N_REGISTERS 17

/* Flags of a sample. */
#define SAMPLE_HOLDS_GIL 1
#define SAMPLE_WAITS_FOR_GIL 2
#define SAMPLE_TELLS_WAITING 4 /* whether it waits for the GIL is known */
#define SAMPLE_HAS_C_STACK 8 /* the last one of its thread in the log */
#define SAMPLE_IS_ASLEEP 16 /* the kernel said that the thread did not want a CPU */
#define UNIT_UNKNOWN 0xFFFFFFFFu

/* Paths of frames that have no file. */
#define COLLECTOR_PATH "<gc>"
#define TASKS_PATH "<asyncio>"
#define LEFT_OUT_PATH "<frames left out>"
#define NOT_READ_PATH "<not read>"

#endif
