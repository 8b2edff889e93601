/* capture_functions.c has the functions that Python calls to capture by probes: to begin and end series,
 * and to choose modules. What a probe does for them is in captures.c, blocks are in blocks.c. Threads: all under the
 * GIL. */
#include "engines/probes/captures/capture_functions.h"

#include "engines/probes/captures/captures.h"
#include "engines/probes/events.h"
#include "engines/probes/marks.h"
#include "engines/probes/removed.h"

PyDoc_STRVAR(captures_begin_doc,
             "captures_begin($module, news, is_full, /)\n--\n\n"
             "Begin a series of captures: what its blocks reach is appended to the list `news` as (Events, number), once.\n\n"
             "With `is_full` it is appended again after captures_forget. Returns the series' number, -1 when all are\n"
             "taken.");

static PyObject *
captures_begin(PyObject *module, PyObject *args)
{
    struct probes *probes = get_state(module)->probes;
    PyObject *news; // borrowed
    int is_full;
    if (!PyArg_ParseTuple(args, "O!p:captures_begin", &PyList_Type, &news, &is_full)) {
        return NULL;
    }
    int series = 0;
    while (probes != NULL && series < MAX_CAPTURES && probes->captures.news[series] != NULL) {
        series++;
    }
    if (probes == NULL || series == MAX_CAPTURES) {
        return PyLong_FromLong(-1);
    }
    probes->captures.news[series] = Py_NewRef(news);
    if (is_full) {
        probes->captures.full |= (uint32_t)1 << series;
    }
    return PyLong_FromLong(series);
}

/* Return the number of a series, checked: -1 with an exception. */
static int
read_series(struct probes *probes, PyObject *number)
{
    long series = PyLong_AsLong(number);
    if (series == -1 && PyErr_Occurred()) {
        return -1;
    }
    if (probes == NULL || series < 0 || series >= MAX_CAPTURES || probes->captures.news[series] == NULL) {
        PyErr_SetString(PyExc_ValueError, "no such series");
        return -1;
    }
    return (int)series;
}

PyDoc_STRVAR(captures_end_doc, "captures_end($module, series, /)\n--\n\n"
                               "End a series: its number is free again.");

static PyObject *
captures_end(PyObject *module, PyObject *number)
{
    struct probes *probes = get_state(module)->probes;
    int series = read_series(probes, number);
    if (series < 0) {
        return NULL;
    }
    PyObject *events; // borrowed
    Py_ssize_t at = 0;
    while (PyDict_Next(probes->armed, &at, NULL, &events)) {
        captured_module_remove(&((events_object *)events)->captured, series);
    }
    probes->captures.open &= ~((uint32_t)1 << series);
    probes->captures.full &= ~((uint32_t)1 << series);
    Py_CLEAR(probes->captures.news[series]);
    Py_RETURN_NONE;
}

PyDoc_STRVAR(captures_forget_doc, "captures_forget($module, series, /)\n--\n\n"
                                  "Let all probes that are in the news of a series be new for it again.");

static PyObject *
captures_forget(PyObject *module, PyObject *number)
{
    struct probes *probes = get_state(module)->probes;
    int series = read_series(probes, number);
    if (series < 0) {
        return NULL;
    }
    PyObject *news = probes->captures.news[series]; // borrowed
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(news); i++) {
        PyObject *entry = PyList_GET_ITEM(news, i); // borrowed
        if (!PyTuple_CheckExact(entry) || Py_TYPE(PyTuple_GET_ITEM(entry, 0)) != probes->events_type) {
            continue; /* an entry of a traced file */
        }
        captured_module *captured = &((events_object *)PyTuple_GET_ITEM(entry, 0))->captured;
        unsigned long probe = PyLong_AsUnsignedLongMask(PyTuple_GET_ITEM(entry, 1));
        if (probe < captured->n_probes) {
            captured->seen[probe] &= ~((uint32_t)1 << series);
        }
    }
    Py_RETURN_NONE;
}

PyDoc_STRVAR(captures_modules_doc,
             "captures_modules($module, on_module, /)\n--\n\n"
             "Return (Events, header, co_filename) of each module with probes; `on_module` is called with these three for\n"
             "each new one, in place of what was called before. It raises nothing.");

static PyObject *
captures_modules(PyObject *module, PyObject *on_module)
{
    struct probes *probes = get_state(module)->probes;
    PyObject *found = PyList_New(0); // owned
    if (found == NULL || probes == NULL) {
        return found;
    }
    Py_XSETREF(probes->captures.on_module, Py_NewRef(on_module));
    PyObject *events; // borrowed
    Py_ssize_t at = 0;
    while (PyDict_Next(probes->armed, &at, NULL, &events)) {
        PyObject *entry =
            PyTuple_Pack(3, events, ((events_object *)events)->header, ((events_object *)events)->path); // owned
        if (entry == NULL || PyList_Append(found, entry) < 0) {
            Py_XDECREF(entry);
            Py_DECREF(found);
            return NULL;
        }
        Py_DECREF(entry);
    }
    return found;
}

PyDoc_STRVAR(captures_want_doc, "captures_want($module, series, events, /)\n--\n\n"
                                "Let a series know of a module's probes, those that were taken out too. True when it will.");

static PyObject *
captures_want(PyObject *module, PyObject *args)
{
    struct probes *probes = get_state(module)->probes;
    PyObject *number; // borrowed
    PyObject *op; // borrowed
    if (!PyArg_ParseTuple(args, "OO:captures_want", &number, &op)) {
        return NULL;
    }
    int series = read_series(probes, number);
    if (series < 0) {
        return NULL;
    }
    unsigned mode = 0;
    unsigned n_probes = 0;
    unsigned char digest[DIGEST_BYTES];
    events_object *events = (events_object *)op;
    if (Py_TYPE(op) != probes->events_type || marks_read_header(events->header, &mode, &n_probes, digest) < 0
        || captured_module_add(&events->captured, series, n_probes) < 0) {
        Py_RETURN_FALSE;
    }
    removed_list_put_back(&probes->removed);
    Py_RETURN_TRUE;
}

PyDoc_STRVAR(captures_arm_doc,
             "captures_arm($module, code, /)\n--\n\n"
             "Let the probes in a module's code be seen by captures; nothing is recorded. True when it has some.");

static PyObject *
captures_arm(PyObject *module, PyObject *code)
{
    module_state *state = get_state(module);
    if (!PyCode_Check(code)) {
        PyErr_SetString(PyExc_TypeError, "captures_arm() needs a code object");
        return NULL;
    }
    PyObject *header = state->probes == NULL ? NULL : marks_find_header((PyCodeObject *)code); // borrowed
    if (header == NULL) {
        Py_RETURN_FALSE;
    }
    removed_list_open(&state->probes->removed);
    PyObject *events = events_of(state, header, ((PyCodeObject *)code)->co_filename, Py_None); // owned
    if (events == NULL) {
        return NULL;
    }
    marks_replace((PyCodeObject *)code, events, 0);
    Py_DECREF(events);
    Py_RETURN_TRUE;
}

PyDoc_STRVAR(captures_events_doc, "captures_events($module, code, /)\n--\n\n"
                                      "Return the Events object of the probes in code, None when it has none.");

static PyObject *
captures_events(PyObject *module, PyObject *code)
{
    struct probes *probes = get_state(module)->probes;
    if (probes == NULL || !PyCode_Check(code)) {
        Py_RETURN_NONE;
    }
    PyObject *constants = ((PyCodeObject *)code)->co_consts; // borrowed
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(constants); i++) {
        PyObject *constant = PyTuple_GET_ITEM(constants, i); // borrowed
        if (Py_TYPE(constant) == probes->events_type) {
            return Py_NewRef(constant);
        }
    }
    Py_RETURN_NONE;
}

static PyMethodDef capture_methods[] = {
    {"captures_arm", captures_arm, METH_O, captures_arm_doc},
    {"captures_begin", captures_begin, METH_VARARGS, captures_begin_doc},
    {"captures_end", captures_end, METH_O, captures_end_doc},
    {"captures_forget", captures_forget, METH_O, captures_forget_doc},
    {"captures_events", captures_events, METH_O, captures_events_doc},
    {"captures_modules", captures_modules, METH_O, captures_modules_doc},
    {"captures_want", captures_want, METH_VARARGS, captures_want_doc},
    {NULL, NULL, 0, NULL},
};

int
capture_functions_exec(PyObject *module)
{
    return PyModule_AddFunctions(module, capture_methods);
}
