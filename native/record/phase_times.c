/* phase_times.c is the type PhaseTimes: it reads the wall clock and the calling thread's CPU clock where a phase of a
 * test begins and ends, and keeps the differences as lines of the file of such times until they are taken. Reading is
 * all that lies between a phase and its time, so nothing here calls Python then. Threads: the GIL guards each object. */
#include "record/phase_times.h"
#include "record/clocks.h"

#include <string.h>

/* Two numbers of up to 20 digits, two tabs, "|" and a newline. */
#define MAX_OTHER_BYTES 44
#define MAX_LABEL_BYTES ((Py_ssize_t)1 << 24)

typedef struct {
    uint64_t wall_ns;
    uint64_t cpu_ns;
} reading;

typedef struct {
    PyObject_HEAD
    char *lines; /* owned; NULL at first */
    Py_ssize_t n_bytes;
    Py_ssize_t capacity;
} phase_times;

PyDoc_STRVAR(begin_doc, "begin($self, /)\n--\n\nRead the clocks: bytes for `end`.");

static PyObject *
phase_times_begin(PyObject *Py_UNUSED(self), PyObject *Py_UNUSED(ignored))
{
    PyObject *start = PyBytes_FromStringAndSize(NULL, sizeof(reading)); // owned
    if (start != NULL) {
        reading now = {.wall_ns = monotonic_ns()};
        now.cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID); /* between the looks at the other, as in `end` */
        memcpy(PyBytes_AS_STRING(start), &now, sizeof now);
    }
    return start;
}

/* Make room for `more` bytes. 0, or -1 with an exception. */
static int
reserve(phase_times *times, Py_ssize_t more)
{
    if (times->capacity - times->n_bytes >= more) {
        return 0;
    }
    if (more > PY_SSIZE_T_MAX / 2 - times->n_bytes) {
        PyErr_NoMemory();
        return -1;
    }
    Py_ssize_t capacity = 2 * (times->n_bytes + more);
    char *lines = PyMem_Realloc(times->lines, (size_t)capacity);
    if (lines == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    times->lines = lines;
    times->capacity = capacity;
    return 0;
}

/* Write a number, and what follows it. Returns its end. */
static char *
write_number(char *at, uint64_t number, char after)
{
    char digits[20];
    int n = 0;
    do {
        digits[n++] = (char)('0' + number % 10);
        number /= 10;
    } while (number != 0);
    while (n > 0) {
        *at++ = digits[--n];
    }
    *at++ = after;
    return at;
}

/* Write the text, which a null byte ends, on one line, as `footfall.settings.escape` does: at most two bytes for one.
 * Null bytes are in it as well. Returns its end. */
static char *
write_escaped(char *at, const char *text, Py_ssize_t n_bytes)
{
    Py_ssize_t i = 0;
    while (i < n_bytes) {
        size_t n_plain = strcspn(text + i, "\\\n\t");
        memcpy(at, text + i, n_plain);
        at += n_plain;
        i += (Py_ssize_t)n_plain;
        if (i < n_bytes) {
            char c = text[i++];
            if (c != '\0') {
                *at++ = '\\';
            }
            *at++ = (char)(c == '\n' ? 'n' : c == '\t' ? 't' : c);
        }
    }
    return at;
}

/* Return the name in UTF-8, with escapes for what is not in it; it lives as long as the name and `*encoded`, an owned
 * reference or NULL. NULL with an exception. */
static const char *
name_as_utf8(PyObject *name, Py_ssize_t *n_bytes, PyObject **encoded)
{
    const char *text = PyUnicode_AsUTF8AndSize(name, n_bytes);
    if (text != NULL || !PyErr_ExceptionMatches(PyExc_UnicodeEncodeError)) {
        return text;
    }
    PyErr_Clear(); /* a lone surrogate, of a file name that is not UTF-8 */
    *encoded = PyUnicode_AsEncodedString(name, "utf-8", "backslashreplace");
    if (*encoded == NULL) {
        return NULL;
    }
    *n_bytes = PyBytes_GET_SIZE(*encoded);
    return PyBytes_AS_STRING(*encoded);
}

/* Add a line. 0, or -1 with an exception. */
static int
add_line(phase_times *times, reading taken, PyObject *name, PyObject *phase)
{
    PyObject *encoded = NULL; // owned
    Py_ssize_t n_name = 0;
    Py_ssize_t n_phase = 0;
    const char *phase_text = PyUnicode_AsUTF8AndSize(phase, &n_phase);
    const char *text = phase_text == NULL ? NULL : name_as_utf8(name, &n_name, &encoded);
    int status = -1;
    if (text == NULL) {
        goto done;
    }
    if (n_name > MAX_LABEL_BYTES || n_phase > MAX_LABEL_BYTES) {
        PyErr_SetString(PyExc_ValueError, "the name of a test is too long");
        goto done;
    }
    if (reserve(times, 2 * n_name + n_phase + MAX_OTHER_BYTES) < 0) {
        goto done;
    }
    char *at = times->lines + times->n_bytes;
    at = write_number(at, taken.wall_ns, '\t');
    at = write_number(at, taken.cpu_ns, '\t');
    at = write_escaped(at, text, n_name);
    *at++ = '|';
    memcpy(at, phase_text, (size_t)n_phase);
    at += n_phase;
    *at++ = '\n';
    times->n_bytes = at - times->lines;
    status = 0;
done:
    Py_XDECREF(encoded);
    return status;
}

PyDoc_STRVAR(end_doc, "end($self, start, name, phase, /)\n--\n\n"
                      "Add a line with the time since `begin` returned `start`, in this thread.");

static PyObject *
phase_times_end(PyObject *self, PyObject *const *args, Py_ssize_t n_args)
{
    reading now = {.cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID)};
    now.wall_ns = monotonic_ns();
    if (n_args != 3 || !PyBytes_Check(args[0]) || PyBytes_GET_SIZE(args[0]) != sizeof(reading)
        || !PyUnicode_Check(args[1]) || !PyUnicode_Check(args[2])) {
        PyErr_SetString(PyExc_TypeError, "end() takes what begin() returned, and two strings");
        return NULL;
    }
    reading start;
    memcpy(&start, PyBytes_AS_STRING(args[0]), sizeof start);
    /* another thread's clock may be behind */
    reading taken = {.wall_ns = now.wall_ns - start.wall_ns,
                     .cpu_ns = now.cpu_ns > start.cpu_ns ? now.cpu_ns - start.cpu_ns : 0};
    if (add_line((phase_times *)self, taken, args[1], args[2]) < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

PyDoc_STRVAR(take_doc, "take($self, /)\n--\n\nReturn the lines and forget them.");

static PyObject *
phase_times_take(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    phase_times *times = (phase_times *)self;
    PyObject *lines = PyBytes_FromStringAndSize(times->lines, times->n_bytes); // owned
    if (lines != NULL) {
        times->n_bytes = 0;
    }
    return lines;
}

static PyObject *
phase_times_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    if (PyTuple_GET_SIZE(args) != 0 || (kwargs != NULL && PyDict_GET_SIZE(kwargs) != 0)) {
        PyErr_SetString(PyExc_TypeError, "PhaseTimes() takes no arguments");
        return NULL;
    }
    return type->tp_alloc(type, 0);
}

static void
phase_times_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyMem_Free(((phase_times *)self)->lines);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMethodDef phase_times_methods[] = {
    {"begin", phase_times_begin, METH_NOARGS, begin_doc},
    {"end", (PyCFunction)(void (*)(void))phase_times_end, METH_FASTCALL, end_doc},
    {"take", phase_times_take, METH_NOARGS, take_doc},
    {NULL, NULL, 0, NULL},
};

PyDoc_STRVAR(phase_times_doc, "PhaseTimes()\n--\n\nThe times of phases of tests, as lines.");

static PyType_Slot phase_times_slots[] = {
    {Py_tp_doc, (void *)phase_times_doc},
    {Py_tp_new, phase_times_new},
    {Py_tp_dealloc, phase_times_dealloc},
    {Py_tp_methods, phase_times_methods},
    {0, NULL},
};

static PyType_Spec phase_times_spec = {
    .name = "footfall._core.PhaseTimes",
    .basicsize = sizeof(phase_times),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = phase_times_slots,
};

int
phase_times_exec(PyObject *module)
{
    PyObject *type = PyType_FromModuleAndSpec(module, &phase_times_spec, NULL); // owned
    int status = type == NULL ? -1 : PyModule_AddType(module, (PyTypeObject *)type);
    Py_XDECREF(type);
    return status;
}
