/* engines/probes/removed.c keeps track of the probes that were removed, and hides that they were. What shows
 * bytecode shows it as compiled, before and after (Objects/codeobject.c):
 * - co_code, marshal, code.replace() and a debugger's jumps use one copy that the interpreter makes when it is first
 *   needed. It is requested before the first probe is removed.
 * - A code object's hash (since 3.12) and equality read the live bytecode, and a program may keep code objects in sets.
 *   Both are computed with the probes put back for the moment, also as `code.__hash__()` and `code.__eq__(other)`.
 * - `_co_code_adaptive`, which `dis` reads beside co_code, is a copy of the live bytecode: the copy is corrected.
 * The type's slots carry no data of ours, hence the variables at file scope, set once by the main interpreter's
 * list. The main interpreter's GIL guards them; others only read them, and find nothing of their own. */
#include "engines/probes/removed.h"
#include "engines/code_extra.h"

#include <string.h>

typedef struct removed_site {
    uint32_t unit;
    uint16_t original;
    uint16_t live; /* what was there, while the original is shown */
} removed_site;

typedef struct removed_probes {
    struct removed_probes *next;
    struct removed_probes *previous;
    removed_list *list; /* NULL once the list is closed */
    PyCodeObject *code; /* borrowed: freed with the code object */
    int is_linked; /* in the list: has sites */
    int n_shows; /* how many callers are being shown the originals right now */
    uint32_t n_sites;
    uint32_t room;
    removed_site *sites; /* owned */
} removed_probes;

static removed_list *open_list; /* borrowed; NULL when none is open */
static PyInterpreterState *open_interpreter; /* the interpreter of its co_extra slot */
static hashfunc original_hash;
static richcmpfunc original_compare;
static getter original_adaptive;

static void
free_removed(void *extra)
{
    removed_probes *removed = extra;
    if (removed == NULL) {
        return; /* the interpreter also calls for slots that were never set */
    }
    if (removed->list != NULL && removed->is_linked) {
        if (removed->previous == NULL) {
            removed->list->first = removed->next;
        }
        else {
            removed->previous->next = removed->next;
        }
        if (removed->next != NULL) {
            removed->next->previous = removed->previous;
        }
    }
    PyMem_RawFree(removed->sites);
    PyMem_RawFree(removed);
}

/* The code object's list, or NULL. */
static removed_probes *
find_removed(const removed_list *list, PyObject *code)
{
    void *extra = NULL;
    if (list->extra_index < 0 || PyUnstable_Code_GetExtra(code, list->extra_index, &extra) < 0) {
        PyErr_Clear(); /* a bad index only */
        return NULL;
    }
    return extra;
}

/* Make the interpreter create its copy of the bytecode, which it keeps. 0, or -1. */
static int
keep_as_compiled(PyCodeObject *code)
{
    PyObject *copy = PyCode_GetCode(code); // owned
    if (copy == NULL) {
        PyErr_Clear(); /* out of memory */
        return -1;
    }
    Py_DECREF(copy);
    return 0;
}

static removed_probes *
make_removed(removed_list *list, PyCodeObject *code)
{
    if (list->extra_index < 0 || keep_as_compiled(code) < 0) {
        return NULL;
    }
    removed_probes *removed = PyMem_RawCalloc(1, sizeof *removed);
    if (removed == NULL) {
        return NULL;
    }
    if (code_extra_set((PyObject *)code, list->extra_index, removed) < 0) {
        PyErr_Clear(); /* out of memory */
        PyMem_RawFree(removed);
        return NULL;
    }
    removed->list = list;
    removed->code = code;
    return removed;
}

static void
link_removed(removed_list *list, removed_probes *removed)
{
    if (removed->is_linked) {
        return;
    }
    removed->is_linked = 1;
    removed->previous = NULL;
    removed->next = list->first;
    if (removed->next != NULL) {
        removed->next->previous = removed;
    }
    list->first = removed;
}

int
removed_list_add(removed_list *list, const probe_site *site)
{
    removed_probes *removed = find_removed(list, (PyObject *)site->code);
    if (removed == NULL) {
        removed = make_removed(list, site->code);
    }
    if (removed == NULL || removed->n_shows > 0) {
        return -1;
    }
    if (removed->n_sites == removed->room) {
        uint32_t room = removed->room == 0 ? 8 : removed->room * 2;
        removed_site *sites = PyMem_RawRealloc(removed->sites, room * sizeof *sites);
        if (sites == NULL) {
            return -1;
        }
        removed->sites = sites;
        removed->room = room;
    }
    link_removed(list, removed);
    removed->sites[removed->n_sites++] = (removed_site){site->unit, site->original, 0};
    probe_site_write(site->code, site->unit, site->jump);
    return 0;
}

size_t
removed_list_put_back(removed_list *list)
{
    size_t count = 0;
    for (removed_probes *at = list->first; at != NULL; at = at->next) {
        for (uint32_t i = 0; i < at->n_sites; i++) {
            probe_site_put_back(at->code, at->sites[i].unit, at->sites[i].original);
        }
        count += at->n_sites;
        at->n_sites = 0;
        at->is_linked = 0;
    }
    list->first = NULL;
    return count;
}

static removed_probes *
removed_in(PyObject *code)
{
    if (open_list == NULL || !PyCode_Check(code) || PyInterpreterState_Get() != open_interpreter) {
        return NULL;
    }
    return find_removed(open_list, code);
}

/* Restore the originals until hide_originals. */
static void
show_originals(removed_probes *removed)
{
    if (removed == NULL || removed->n_shows++ > 0) {
        return; /* a code object is compared with itself */
    }
    for (uint32_t i = 0; i < removed->n_sites; i++) {
        /* Not always the jump past the probe: a debugger's instruction may be in its place. */
        removed->sites[i].live = probe_site_read(removed->code, removed->sites[i].unit);
        probe_site_write(removed->code, removed->sites[i].unit, removed->sites[i].original);
    }
}

static void
hide_originals(removed_probes *removed)
{
    if (removed == NULL || --removed->n_shows > 0) {
        return;
    }
    for (uint32_t i = 0; i < removed->n_sites; i++) {
        probe_site_write(removed->code, removed->sites[i].unit, removed->sites[i].live);
    }
}

static Py_hash_t
hash_as_compiled(PyObject *code)
{
    removed_probes *removed = removed_in(code); // freed with the code object, which the caller keeps alive
    show_originals(removed);
    Py_hash_t hash = original_hash(code);
    hide_originals(removed);
    return hash;
}

static PyObject *
compare_as_compiled(PyObject *self, PyObject *other, int operation)
{
    removed_probes *removed[] = {removed_in(self), removed_in(other)}; // as above
    show_originals(removed[0]);
    show_originals(removed[1]);
    PyObject *result = original_compare(self, other, operation);
    hide_originals(removed[0]);
    hide_originals(removed[1]);
    return result;
}

/* The value of `_co_code_adaptive`. */
static PyObject *
adaptive_as_compiled(PyObject *code, void *closure)
{
    PyObject *copy = original_adaptive(code, closure); // owned, and new: nobody else has it
    const removed_probes *removed = copy == NULL ? NULL : removed_in(code);
    for (uint32_t i = 0; removed != NULL && i < removed->n_sites; i++) {
        const removed_site *site = &removed->sites[i];
        memcpy(PyBytes_AS_STRING(copy) + site->unit * sizeof site->original, &site->original, sizeof site->original);
    }
    return copy;
}

/* The type's getter of `_co_code_adaptive`, which its descriptors call; NULL when there is none. */
static PyGetSetDef *
find_adaptive(void)
{
    PyGetSetDef *at = PyCode_Type.tp_getset;
    while (at != NULL && at->name != NULL && strcmp(at->name, "_co_code_adaptive") != 0) {
        at++;
    }
    return at == NULL || at->name == NULL ? NULL : at;
}

/* Make the type's method of that name, which was created from a slot, call `now` instead of `before`. */
static void
change_method(const char *name, void *before, void *now)
{
    PyObject *method = PyObject_GetAttrString((PyObject *)&PyCode_Type, name); // owned
    if (method == NULL) {
        PyErr_Clear(); /* out of memory */
        return;
    }
    if (Py_TYPE(method) == &PyWrapperDescr_Type && ((PyWrapperDescrObject *)method)->d_wrapped == before) {
        ((PyWrapperDescrObject *)method)->d_wrapped = now;
    }
    Py_DECREF(method);
}

static void
take_slots(void)
{
    if (PyCode_Type.tp_hash != hash_as_compiled) {
        original_hash = PyCode_Type.tp_hash;
        PyCode_Type.tp_hash = hash_as_compiled;
        change_method("__hash__", original_hash, hash_as_compiled);
    }
    if (PyCode_Type.tp_richcompare != compare_as_compiled) {
        original_compare = PyCode_Type.tp_richcompare;
        PyCode_Type.tp_richcompare = compare_as_compiled;
        change_method("__eq__", original_compare, compare_as_compiled);
        change_method("__ne__", original_compare, compare_as_compiled);
    }
    PyGetSetDef *adaptive = find_adaptive();
    if (adaptive != NULL && adaptive->get != adaptive_as_compiled) {
        original_adaptive = adaptive->get;
        adaptive->get = adaptive_as_compiled;
    }
}

/* If somebody who wrapped them after us still calls us, they stay, and do nothing. */
static void
give_slots_back(void)
{
    if (PyCode_Type.tp_hash == hash_as_compiled) {
        PyCode_Type.tp_hash = original_hash;
        change_method("__hash__", hash_as_compiled, original_hash);
    }
    if (PyCode_Type.tp_richcompare == compare_as_compiled) {
        PyCode_Type.tp_richcompare = original_compare;
        change_method("__eq__", compare_as_compiled, original_compare);
        change_method("__ne__", compare_as_compiled, original_compare);
    }
    PyGetSetDef *adaptive = find_adaptive();
    if (adaptive != NULL && adaptive->get == adaptive_as_compiled) {
        adaptive->get = original_adaptive;
    }
}

void
removed_list_open(removed_list *list)
{
    if (list->is_open) {
        return;
    }
    list->is_open = 1;
    list->extra_index = -1;
    if (PyInterpreterState_Get() != PyInterpreterState_Main()) {
        return; /* the slots belong to every interpreter, perhaps under another GIL: here the probes stay in */
    }
    list->extra_index = PyUnstable_Eval_RequestCodeExtraIndex(free_removed);
    if (open_list != NULL || list->extra_index < 0) {
        return; /* another copy of this module has the slots: this one's code objects show their jumps */
    }
    open_list = list;
    open_interpreter = PyInterpreterState_Get();
    take_slots();
}

void
removed_list_close(removed_list *list)
{
    for (removed_probes *at = list->first; at != NULL; at = at->next) {
        at->list = NULL;
    }
    list->first = NULL;
    if (open_list != list) {
        return;
    }
    open_list = NULL;
    give_slots_back();
}
