"""An extension module whose C functions spin for known shares of its time, as programs have: optimized, and without
frame pointers."""

import subprocess
import sysconfig
from pathlib import Path

__all__ = ["INNER", "OUTER", "build_extension"]

OUTER, INNER = 30_000, 90_000
"""Steps of the same length that `spin_outer` and `spin_inner` take in a call of `spinning.spin(OUTER, INNER)`."""

_SOURCE = r"""
#define _GNU_SOURCE
#include <Python.h>
#include <signal.h>

static volatile double sink;

/* Each step waits for the one before it, so all take the same time. */
#define SPIN(value, steps) for (long i = 0; i < (steps); i++) (value) = (value) * 0.9999999 + 1e-9

__attribute__((noinline)) double
spin_inner(double value, long steps)
{
    SPIN(value, steps);
    sink = value;
    return value;
}

__attribute__((noinline)) double
spin_outer(double value, long steps, long inner)
{
    SPIN(value, steps);
    value += spin_inner(value, inner);
    sink = value;
    return value + 1;
}

static inline __attribute__((always_inline)) double
inlined_deeper(double value, long steps)
{
    SPIN(value, steps);
    return value;
}

static inline __attribute__((always_inline)) double
inlined(double value, long steps, long deeper)
{
    SPIN(value, steps);
    return inlined_deeper(value, deeper);
}

__attribute__((noinline)) double
spin_around(double value, long outer, long inner)
{
    value = inlined(value, outer, inner);
    sink = value;
    return value;
}

static PyObject *
spin_inlined(PyObject *module, PyObject *args)
{
    long outer, inner;
    return PyArg_ParseTuple(args, "ll", &outer, &inner) ? PyFloat_FromDouble(spin_around(1.5, outer, inner)) : NULL;
}

static PyObject *
spin(PyObject *module, PyObject *args)
{
    long outer, inner;
    return PyArg_ParseTuple(args, "ll", &outer, &inner) ? PyFloat_FromDouble(spin_outer(1.5, outer, inner)) : NULL;
}

static PyObject *
spin_without_gil(PyObject *module, PyObject *args)
{
    long outer, inner;
    double value;
    if (!PyArg_ParseTuple(args, "ll", &outer, &inner)) {
        return NULL;
    }
    Py_BEGIN_ALLOW_THREADS
    value = spin_outer(1.5, outer, inner);
    Py_END_ALLOW_THREADS
    return PyFloat_FromDouble(value);
}

__attribute__((noinline)) PyObject *
call_function(PyObject *function, volatile long *n_calls)
{
    PyObject *result = PyObject_CallNoArgs(function);
    (*n_calls)++;
    return result;
}

static PyObject *
call(PyObject *module, PyObject *function)
{
    volatile long n_calls = 0;
    PyObject *result = call_function(function, &n_calls);
    n_calls++;
    return result;
}

static void
on_signal(int number)
{
    spin_outer(1.5, 100000, 100000);
}

/* Spin on another stack, with the size given in the middle of this one. */
static PyObject *
spin_elsewhere(PyObject *module, PyObject *ignored)
{
    static char low[1 << 16];
    char near[1 << 16];
    for (int i = 0; i < 2; i++) {
        stack_t stack = {.ss_sp = i ? near : low, .ss_size = sizeof low};
        struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_ONSTACK};
        sigaltstack(&stack, NULL);
        sigaction(SIGUSR1, &action, NULL);
        raise(SIGUSR1);
        stack.ss_flags = SS_DISABLE;
        sigaltstack(&stack, NULL);
    }
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"spin", spin, METH_VARARGS, ""},
    {"spin_inlined", spin_inlined, METH_VARARGS, ""},
    {"spin_without_gil", spin_without_gil, METH_VARARGS, ""},
    {"call", call, METH_O, ""},
    {"spin_elsewhere", spin_elsewhere, METH_NOARGS, ""},
    {NULL, NULL, 0, NULL},
};
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "spinning", "", -1, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC
PyInit_spinning(void)
{
    return PyModule_Create(&definition);
}
"""


def build_extension(directory: Path) -> Path:
    """Compile the module `spinning` for this Python into a directory; return its file."""
    source, library = directory / "spinning.c", directory / "spinning.so"
    source.write_text(_SOURCE)
    flags = ["-g", "-O2", "-fomit-frame-pointer", "-fPIC", "-shared", "-I" + sysconfig.get_path("include")]
    subprocess.run(["cc", *flags, source, "-o", library], check=True, timeout=60)
    return library
