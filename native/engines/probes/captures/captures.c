/* captures.c keeps which probes each series of `footfall.capture()` has seen. It knows only the numbers
 * of probes; probes.c calls it and has the functions that Python calls. Threads: all under the GIL. */
#include "engines/probes/captures/captures.h"

int
captured_module_add(captured_module *module, int series, uint32_t n_probes)
{
    if (module->seen == NULL) {
        module->seen = PyMem_Calloc(n_probes == 0 ? 1 : n_probes, sizeof *module->seen);
        if (module->seen == NULL) {
            return -1;
        }
        module->n_probes = n_probes;
    }
    module->wanted |= (uint32_t)1 << series;
    return 0;
}

void
captured_module_remove(captured_module *module, int series)
{
    uint32_t others = ~((uint32_t)1 << series);
    module->wanted &= others;
    for (uint32_t i = 0; module->seen != NULL && i < module->n_probes; i++) {
        module->seen[i] &= others;
    }
}

void
captured_module_free(captured_module *module)
{
    PyMem_Free(module->seen);
    module->seen = NULL;
}

/* Append (events, number) to a series' list. */
static void
add_news(PyObject *news, PyObject *events, uint32_t number)
{
    PyObject *entry = Py_BuildValue("OI", events, number); // owned
    if (entry == NULL || PyList_Append(news, entry) < 0) {
        PyErr_Clear(); /* no memory: the program itself will run into that */
    }
    Py_XDECREF(entry);
}

int
captures_take(captures *all, captured_module *module, PyObject *events, uint32_t number)
{
    if (module->wanted == 0) {
        return 1;
    }
    if (number >= module->n_probes) {
        return 0;
    }
    uint32_t fresh = module->wanted & all->open & ~module->seen[number];
    module->seen[number] |= fresh;
    for (int i = 0; fresh != 0; i++, fresh >>= 1) {
        if ((fresh & 1) != 0 && all->news[i] != NULL) {
            add_news(all->news[i], events, number);
        }
    }
    return (module->wanted & ~module->seen[number]) == 0 && (module->wanted & all->full) == 0;
}

int
captures_traverse(captures *all, visitproc visit, void *arg)
{
    for (int i = 0; i < MAX_CAPTURES; i++) {
        Py_VISIT(all->news[i]);
    }
    Py_VISIT(all->on_module);
    return 0;
}

void
captures_clear(captures *all)
{
    all->open = 0;
    for (int i = 0; i < MAX_CAPTURES; i++) {
        Py_CLEAR(all->news[i]);
    }
    Py_CLEAR(all->on_module);
}
