/* The offsets of the fields in CPython's structures, as data. Plain C: no Python.h. 3.13 and later publish them at run
 * time (_Py_DebugOffsets, the first member of _PyRuntime); for 3.11 and 3.12 there are tables, which are right for
 * x86-64 and other LP64 builds with the GIL and without Py_DEBUG. */
#ifndef FOOTFALL_WALK_FIELDS_H
#define FOOTFALL_WALK_FIELDS_H

#include <stddef.h>
#include <stdint.h>

/* No field that we read has a larger offset; such an offset means a wrong or damaged table. */
#define MAX_RUNTIME_OFFSET (1u << 20)
#define MAX_INTERPRETER_OFFSET (1u << 20)
#define MAX_GC_OFFSET 4096u
#define MAX_THREAD_OFFSET 1024u
#define MAX_FRAME_OFFSET 128u
#define MAX_CODE_OFFSET 512u
#define MAX_OBJECT_OFFSET 128u
#define MAX_TYPE_OFFSET 512u

typedef enum walk_status {
    WALK_OK = 0,
    WALK_UNREADABLE, /* memory could not be read */
    WALK_TORN,       /* what was read is not a whole stack */
    WALK_UNKNOWN,    /* an interpreter with an unknown layout, or a free-threaded one */
    WALK_NO_MEMORY,
} walk_status;

/* How to recognize the outermost frame of a whole stack. */
typedef enum walk_root {
    ROOT_BY_THREAD_OWNER, /* 3.11: a frame in the thread's data stack, without a previous one */
    ROOT_BY_SHIM,         /* 3.12-3.14: the evaluation loop's own frame, without a previous one */
    ROOT_BY_BASE_FRAME,   /* 3.15: the frame that the thread state names */
} walk_root;

typedef struct walk_offsets {
    uint32_t version; /* PY_VERSION_HEX of the target */
    walk_root root;
    int has_cframe;           /* thread_frame holds a _PyCFrame * (3.11, 3.12) */
    uint32_t runtime_finalizing; /* 0 if it is not known */
    uint32_t runtime_interpreters;
    uint32_t interp_next;
    uint32_t interp_id;
    uint32_t interp_threads;
    int gil_in_runtime; /* the two below are relative to _PyRuntime (3.11), else to the interpreter */
    uint32_t gil_holder;
    uint32_t gil_locked;
    uint32_t interp_gil; /* a pointer to the GIL that the interpreter uses; 0 = there is only one (3.11) */
    uint32_t interp_gc_collecting; /* an int: whether the garbage collector runs; 0 = not known. Counts are before it */
    uint32_t interp_gc_frame; /* a pointer to the frame that it runs in (3.15), 0 = there is no such field */
    uint32_t interp_code_generation; /* a number that changes when a code object is freed; 0 = there is no such field */
    uint32_t thread_next;
    uint32_t thread_interp;
    uint32_t thread_frame;
    uint32_t thread_base_frame; /* ROOT_BY_BASE_FRAME only */
    uint32_t thread_native_id;
    uint32_t thread_gil_requested; /* an int: whether it waits for the GIL (3.15); 0 = there is no such field */
    uint32_t thread_chunk; /* datastack_chunk, followed by datastack_top and datastack_limit */
    uint32_t thread_bytes; /* size of the part of the thread state that is read */
    uint32_t cframe_frame;
    uint32_t frame_code;
    uint32_t frame_previous;
    uint32_t frame_instr;
    uint32_t frame_owner;
    uint32_t frame_bytes; /* up to the locals */
    int instr_is_before; /* prev_instr: a unit before the code means "not begun" (3.11, 3.12) */
    uint64_t code_tag_mask; /* the bits of the code pointer that are a tag */
    uint32_t code_filename;
    uint32_t code_qualname;
    uint32_t code_linetable;
    uint32_t code_firstlineno;
    uint32_t code_adaptive;
    uint32_t code_version; /* co_version: no two code objects have the same; 0 = there is no such field (3.11) */
    uint32_t code_header_bytes; /* up to the end of the fields that identify it */
    uint32_t object_type;
    uint32_t object_size; /* ob_size of variable-size objects */
    uint32_t bytes_data;
    uint32_t text_length;
    uint32_t text_state;
    uint32_t text_ascii_data; /* sizeof(PyASCIIObject) */
    uint32_t text_compact_data; /* sizeof(PyCompactUnicodeObject) */
} walk_offsets;

/* What is needed in addition for a waiting coroutine and for the sets that its task may be in (3.12 and later). */
typedef struct coroutine_offsets {
    uint32_t frame_stackpointer;
    int is_stack_counted; /* that field is an int, the number of entries from the first local on (3.12, 3.13) */
    int waits_at_resume; /* of a frame that has yielded, the next instruction tells whether it waits (3.12) */
    int awaited_depth; /* how deep in a waiting frame's stack the awaited object is; 1 = on top */
    int state_waits[2]; /* gi_frame_state of a frame that waits for another, which may have two values */
    int state_runs;
    int state_ended; /* and all higher values */
    uint32_t gen_frame; /* gi_iframe */
    uint32_t gen_state;
    uint32_t list_next; /* in a node of a linked list */
    uint32_t list_previous;
    uint32_t set_used;
    uint32_t set_table;
    uint32_t set_mask;
    uint32_t type_flags;
    uint32_t long_tag;
    uint32_t long_digits;
} coroutine_offsets;

/* Owners of a frame, by number; from 3 on the frame is a shim of the evaluation loop, which runs no code. */
#define OWNER_THREAD 0
#define OWNER_GENERATOR 1
#define OWNER_SHIM_FIRST 3
#define OWNER_SHIM_LAST 4

#endif
