/* The few bytes of bytecode that make up a probe, in a running frame. No exceptions are set, nothing is owned. Callers
 * hold the GIL. */
#ifndef FOOTFALL_ENGINES_PROBES_SITE_H
#define FOOTFALL_ENGINES_PROBES_SITE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdint.h>

typedef struct probe_site {
    PyCodeObject *code; /* borrowed: alive while its frame runs */
    uint32_t unit;      /* of the probe's first instruction */
    uint16_t original;  /* that instruction, to restore */
    uint16_t jump;      /* the instruction that skips the probe */
} probe_site;

/* Find the statement probe `mark == number` that the running frame is comparing right now. 1 and *site filled, or 0 if
 * it is no such probe or must not be changed: its bytes are not the expected ones (changed by a debugger, part of an
 * expression, or a superinstruction). */
int probe_site_find(PyObject *mark, PyObject *number, probe_site *site);

/* Return whether the running frame's bytecode, and not something that it called, is comparing the mark with the
 * constant right now. */
int probe_site_compares(PyObject *mark, PyObject *constant);

/* The instruction that is there. */
uint16_t probe_site_read(PyCodeObject *code, uint32_t unit);

/* Write one instruction over the probe's first. */
void probe_site_write(PyCodeObject *code, uint32_t unit, uint16_t instruction);

/* Restore the original there; if a debugger's instruction is there, make it be followed by the original. */
void probe_site_put_back(PyCodeObject *code, uint32_t unit, uint16_t original);

#endif
