/* What differs between the versions of CPython that the C code is built for, by name. Only files in compat/ compare
 * versions; others use `#if HAS_...`. Each fact names the place in CPython that it is taken from. A version newer than
 * all known ones counts as the newest: src/footfall/pythons.py lets only settrace measure versions that are not known
 * yet. */
#ifndef FOOTFALL_COMPAT_VERSIONS_H
#define FOOTFALL_COMPAT_VERSIONS_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#define SINCE_3_12 (PY_VERSION_HEX >= 0x030C0000)
#define SINCE_3_13 (PY_VERSION_HEX >= 0x030D0000)
#define SINCE_3_14 (PY_VERSION_HEX >= 0x030E0000)
#define SINCE_3_15 (PY_VERSION_HEX >= 0x030F0000)

/* ---- Engines ---- */

/* sys.monitoring (PEP 669): Doc/whatsnew/3.12.rst. */
#define HAS_MONITORING SINCE_3_12

/* BRANCH_LEFT and BRANCH_RIGHT, which can be disabled separately: Doc/whatsnew/3.14.rst, sys.monitoring. */
#define HAS_BRANCH_EVENTS SINCE_3_14

/* What CPython knows of LINE events of code is an array of bytes, and its type internal: pycore_instruments.h in
 * Include/internal. Before, it is in Include/cpython/code.h. */
#define HAS_PACKED_LINE_PLACES SINCE_3_14

/* Where a call of Python code returns, the instruction before, for LINE events, is the call's last CACHE, which has no
 * line: so an event is sent though the line is the same (Python/bytecodes.c, CALL_PY_EXACT_ARGS). */
#define SENDS_LINES_BEHIND_CALLS (SINCE_3_12 && !SINCE_3_13)

/* EXCEPTION_HANDLED, PY_UNWIND and PY_THROW can be enabled for one code object: Include/cpython/monitoring.h, where
 * they are below _PY_MONITORING_LOCAL_EVENTS from 3.15 on. */
#define HAS_LOCAL_EXCEPTION_EVENTS SINCE_3_15

/* Branches come from probes, whose instructions are removed from the live bytecode under the GIL. */
#ifdef Py_GIL_DISABLED
#define HAS_PROBES 0
#else
#define HAS_PROBES (!HAS_BRANCH_EVENTS)
#endif

/* PyEval_SetTraceAllThreads: Include/cpython/ceval.h. */
#define HAS_TRACE_ALL_THREADS SINCE_3_12

/* The thread's trace function can be set for single frames: whether the interpreter calls it is in the _PyCFrame of each
 * run of its loop, use_tracing in Include/cpython/pystate.h. Later versions instrument code for it. */
#define TRACES_SINGLE_FRAMES (!HAS_MONITORING)

/* When a frame returns, the tracer may find that it is on a line that had no event: sys_trace_return in
 * Python/legacy_tracing.c reads the frame's line again. */
#define RETURNS_ON_UNTOLD_LINES SINCE_3_14

/* A frame that yields is at the RESUME after its YIELD_VALUE, in 3.13 only, not at the YIELD_VALUE: that instruction
 * sets instr_ptr so in Python/bytecodes.c. */
#define YIELDS_STAND_AT_RESUME (SINCE_3_13 && !SINCE_3_14)

/* bdb may use sys.monitoring or sys.settrace to debug, and has Bdb.set_stepinstr and Bdb.start_trace: Lib/bdb.py. */
#define HAS_INSTRUCTION_DEBUGGER SINCE_3_13

/* ---- Code objects and frames ---- */

/* PyCode_AddWatcher notifies when a code object is freed: Include/cpython/code.h. */
#define HAS_CODE_WATCHERS SINCE_3_12

/* A function whose __code__ was set never gets a func_version again, without which calls of it are not specialized; before
 * 3.13 it gets a new one when it is next called: _PyFunction_GetVersionForCurrentState in Objects/funcobject.c. */
#define LOSES_FUNCTION_VERSIONS (SINCE_3_13 && !SINCE_3_14)

/* The functions for co_extra are named PyUnstable_*: Include/cpython/code.h (PEP 689). */
#define HAS_UNSTABLE_NAMES SINCE_3_12

/* The thread state points to its frame through a _PyCFrame: Include/cpython/pystate.h. */
#define HAS_CFRAME (!SINCE_3_13)

/* _PyInterpreterFrame has f_executable, which may be something other than code, and instr_ptr, instead of f_code and
 * prev_instr: Include/internal/pycore_frame.h. */
#define FRAMES_HAVE_EXECUTABLE SINCE_3_13

/* Frames contain _PyStackRef, and their struct is in a separate header: Include/internal/pycore_interpframe.h. */
#define FRAMES_HAVE_STACK_REFS SINCE_3_14

/* A walk over frames meets the evaluation loop's own frames, which have no code: Include/internal/pycore_frame.h,
 * FRAME_OWNED_BY_CSTACK. */
#define HAS_SHIM_FRAMES SINCE_3_12

/* RETURN_CONST returns a constant in one instruction: Include/opcode.h. */
#define HAS_RETURN_CONST (SINCE_3_12 && !SINCE_3_14)

/* Units of inline cache after COMPARE_OP: _PyCompareOpCache in Include/internal/pycore_code.h. */
#define COMPARE_CACHE_UNITS (SINCE_3_12 ? 1 : 2)

/* ---- The rest of the interpreter ---- */

/* Modules declare whether each interpreter may have a GIL of its own (PEP 684): Py_mod_multiple_interpreters. */
#define HAS_INTERPRETER_GILS SINCE_3_12

/* Calls in Python have a separate limit (py_recursion_remaining): Include/cpython/pystate.h. */
#define HAS_PYTHON_RECURSION_LIMIT SINCE_3_12

/* Calls in C are counted against c_recursion_remaining; before that they share Python's limit, later the stack itself
 * is the limit: Include/cpython/pystate.h. */
#define COUNTS_C_RECURSION (SINCE_3_12 && !SINCE_3_14)

/* How much evaluating a frame counts there: PY_EVAL_C_STACK_UNITS in Python/ceval.c. */
#define EVALUATION_C_UNITS 2

/* os.fork counts the threads that it warns about after the parent's hooks: os_fork_impl in Modules/posixmodule.c. */
#define COUNTS_THREADS_AFTER_FORK_HOOKS (SINCE_3_12 && !SINCE_3_14)

/* The globals and locals of exec and eval may be passed by keyword: Python/clinic/bltinmodule.c.h. */
#define EXEC_TAKES_KEYWORDS SINCE_3_13

/* marshal.loads has the argument allow_code: Python/clinic/marshal.c.h. */
#define HAS_MARSHAL_ALLOW_CODE SINCE_3_13

#endif
