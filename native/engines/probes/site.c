/* engines/probes/site.c knows the bytecode of a probe on CPython 3.11 to 3.13 and how to jump past it. A probe is
 * LOAD_CONST mark, LOAD_CONST number, COMPARE_OP, POP_TOP, where each LOAD_CONST may have EXTENDED_ARG before it. Other
 * versions also have these functions, but they find nothing. */
#include "engines/probes/site.h"

#include "compat/versions.h"
#include "engines/frames.h"

#if HAS_PROBES

#define Py_BUILD_CORE
#include <internal/pycore_frame.h>
#undef Py_BUILD_CORE
#include <opcode.h>

#if FRAMES_HAVE_EXECUTABLE
#define LAST_INSTRUCTION(frame) ((const uint16_t *)(frame)->instr_ptr)
#else
#define LAST_INSTRUCTION(frame) ((const uint16_t *)(frame)->prev_instr)
#endif

#define MAX_EXTENDED_ARGS 3
#define MAX_JUMP 255

static inline unsigned
opcode_at(const uint16_t *units, Py_ssize_t index)
{
    return ((const unsigned char *)(units + index))[0];
}

static inline unsigned
argument_at(const uint16_t *units, Py_ssize_t index)
{
    return ((const unsigned char *)(units + index))[1];
}

static uint16_t
instruction(unsigned opcode, unsigned argument)
{
    unsigned char bytes[2] = {(unsigned char)opcode, (unsigned char)argument};
    uint16_t unit;
    memcpy(&unit, bytes, sizeof unit);
    return unit;
}

static PyCodeObject *
code_of(_PyInterpreterFrame *frame)
{
#if FRAMES_HAVE_EXECUTABLE
    return PyCode_Check(frame->f_executable) ? (PyCodeObject *)frame->f_executable : NULL;
#else
    return frame->f_code;
#endif
}

/* First unit of the instruction at `unit` that loads `constant`, its EXTENDED_ARGs included; -1 if it does not. A cache
 * entry before it may look like EXTENDED_ARG, so the fewest that fit are used. */
static Py_ssize_t
load_start(PyCodeObject *code, const uint16_t *units, Py_ssize_t unit, PyObject *constant)
{
    if (unit < 0 || opcode_at(units, unit) != LOAD_CONST) {
        return -1;
    }
    Py_ssize_t n_constants = PyTuple_GET_SIZE(code->co_consts);
    Py_ssize_t index = argument_at(units, unit);
    for (int n_extended = 0;; n_extended++) {
        if (index < n_constants && PyTuple_GET_ITEM(code->co_consts, index) == constant) {
            return unit - n_extended;
        }
        Py_ssize_t before = unit - n_extended - 1;
        if (n_extended == MAX_EXTENDED_ARGS || before < 0 || opcode_at(units, before) != EXTENDED_ARG) {
            return -1;
        }
        index |= (Py_ssize_t)argument_at(units, before) << (8 * (n_extended + 1));
    }
}

/* A comparison in the running frame's bytecode. */
typedef struct comparison {
    PyCodeObject *code; /* borrowed */
    Py_ssize_t first;   /* unit of the instruction that loads its left side */
    Py_ssize_t after;   /* unit of the instruction after it */
} comparison;

/* Find the comparison of two constants that the frame is at. 1, or 0 if it is at anything else. */
static int
find_comparison(PyObject *left, PyObject *right, comparison *found)
{
    _PyInterpreterFrame *frame = frame_running();
    PyCodeObject *code = frame == NULL ? NULL : code_of(frame);
    if (code == NULL) {
        return 0;
    }
    const uint16_t *units = (const uint16_t *)_PyCode_CODE(code);
    Py_ssize_t compare = LAST_INSTRUCTION(frame) - units;
    Py_ssize_t after = compare + 1 + COMPARE_CACHE_UNITS;
    if (compare < 2 || after >= Py_SIZE(code)) {
        return 0; /* called from somewhere other than this frame's bytecode */
    }
    unsigned opcode = opcode_at(units, compare);
    int is_compare = opcode == COMPARE_OP;
#ifdef COMPARE_OP_ADAPTIVE
    is_compare = is_compare || opcode == COMPARE_OP_ADAPTIVE;
#endif
    Py_ssize_t second = is_compare ? load_start(code, units, compare - 1, right) : -1;
    Py_ssize_t first = second < 0 ? -1 : load_start(code, units, second - 1, left);
    *found = (comparison){code, first, after};
    return first >= 0;
}

int
probe_site_compares(PyObject *mark, PyObject *constant)
{
    comparison found;
    return find_comparison(mark, constant, &found);
}

int
probe_site_find(PyObject *mark, PyObject *number, probe_site *site)
{
    comparison found;
    if (!find_comparison(mark, number, &found)) {
        return 0;
    }
    PyCodeObject *code = found.code;
    const uint16_t *units = (const uint16_t *)_PyCode_CODE(code);
    Py_ssize_t first = found.first;
    Py_ssize_t after = found.after;
    if (opcode_at(units, after) != POP_TOP || after - first > MAX_JUMP) {
        return 0;
    }
#ifdef LOAD_FAST__LOAD_CONST
    /* This one instruction would run the probe's first instruction as its second half, whatever is written there. */
    if (first > 0 && opcode_at(units, first - 1) == LOAD_FAST__LOAD_CONST) {
        return 0;
    }
#endif
    site->code = code;
    site->unit = (uint32_t)first;
    site->original = units[first];
    site->jump = instruction(JUMP_FORWARD, (unsigned)(after - first));
    return 1;
}

uint16_t
probe_site_read(PyCodeObject *code, uint32_t unit)
{
    return ((const uint16_t *)_PyCode_CODE(code))[unit];
}

void
probe_site_write(PyCodeObject *code, uint32_t unit, uint16_t instruction_unit)
{
    /* Samplers read bytecode without the GIL: one store, so that they see one instruction or the other, never a mix. */
    uint16_t *units = (uint16_t *)_PyCode_CODE(code);
    __atomic_store_n(&units[unit], instruction_unit, __ATOMIC_RELAXED);
}

#ifdef INSTRUMENTED_LINE

/* Where the interpreter keeps which instruction follows a debugger's at the unit; borrowed, NULL if there is no
 * debugger's. */
static uint8_t *
find_instrumented(PyCodeObject *code, uint32_t unit)
{
    _PyCoMonitoringData *data = code->_co_monitoring;
    unsigned opcode = opcode_at((const uint16_t *)_PyCode_CODE(code), unit);
    uint8_t *kept = NULL;
    if (opcode == INSTRUMENTED_LINE && data != NULL && data->lines != NULL) {
        kept = &data->lines[unit].original_opcode;
        opcode = *kept;
    }
    if (opcode == INSTRUMENTED_INSTRUCTION && data != NULL && data->per_instruction_opcodes != NULL) {
        kept = &data->per_instruction_opcodes[unit];
    }
    return kept;
}

#else

static uint8_t *
find_instrumented(PyCodeObject *Py_UNUSED(code), uint32_t Py_UNUSED(unit))
{
    return NULL;
}

#endif

void
probe_site_put_back(PyCodeObject *code, uint32_t unit, uint16_t original)
{
    uint8_t *kept = find_instrumented(code, unit);
    if (kept != NULL) {
        *kept = (uint8_t)opcode_at(&original, 0);
        unsigned opcode = opcode_at((const uint16_t *)_PyCode_CODE(code), unit);
        original = instruction(opcode, argument_at(&original, 0));
    }
    probe_site_write(code, unit, original);
}

#else

int
probe_site_compares(PyObject *Py_UNUSED(mark), PyObject *Py_UNUSED(constant))
{
    return 0;
}

int
probe_site_find(PyObject *Py_UNUSED(mark), PyObject *Py_UNUSED(number), probe_site *Py_UNUSED(site))
{
    return 0;
}

uint16_t
probe_site_read(PyCodeObject *Py_UNUSED(code), uint32_t Py_UNUSED(unit))
{
    return 0;
}

void
probe_site_write(PyCodeObject *Py_UNUSED(code), uint32_t Py_UNUSED(unit), uint16_t Py_UNUSED(instruction_unit))
{
}

void
probe_site_put_back(PyCodeObject *Py_UNUSED(code), uint32_t Py_UNUSED(unit), uint16_t Py_UNUSED(original))
{
}

#endif
