/* engines/probes/removed.c owns the memory of probes that were taken out, and that nobody sees it: a code object's
 * hash and equality cover its bytecode (Objects/codeobject.c: code_hash since 3.12, code_richcompare), and a
 * program may keep code objects in sets. So both are computed with the probes put back for the moment.
 * The type's slots carry no data of ours, hence the variables of file scope, set once by the main interpreter's
 * list. The main interpreter's
 * GIL guards them; others only read them, and find that nothing is theirs. */
#include "engines/probes/removed.h"
#include "engines/code_extra.h"

#include <stdlib.h>

typedef struct removed_site {
    uint32_t unit;
    uint16_t original;
    uint16_t jump;
} removed_site;

typedef struct removed_probes {
    struct removed_probes *next;
    struct removed_probes *previous;
    removed_list *list; /* NULL once the list is closed */
    PyCodeObject *code; /* borrowed: freed with the code object */
    int is_linked; /* in the list: has sites */
    uint32_t n_sites;
    uint32_t room;
    removed_site *sites; /* owned */
} removed_probes;

static removed_list *open_list;             /* borrowed; NULL when none is open */
static PyInterpreterState *open_interpreter; /* whose co_extra slot it is */
static hashfunc original_hash;
static richcmpfunc original_compare;

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
    if (list->extra_index < 0 ||
        PyUnstable_Code_GetExtra(code, list->extra_index, &extra) < 0) {
        PyErr_Clear(); /* a bad index only */
        return NULL;
    }
    return extra;
}

static removed_probes *
make_removed(removed_list *list, PyCodeObject *code)
{
    removed_probes *removed = list->extra_index < 0 ? NULL : PyMem_RawCalloc(1, sizeof *removed);
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
    if (removed == NULL) {
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
    removed->sites[removed->n_sites++] = (removed_site){site->unit, site->original, site->jump};
    probe_site_write(site->code, site->unit, site->jump);
    return 0;
}

static void
write_originals(const removed_probes *removed)
{
    for (uint32_t i = 0; removed != NULL && i < removed->n_sites; i++) {
        probe_site_write(removed->code, removed->sites[i].unit, removed->sites[i].original);
    }
}

static void
write_jumps(const removed_probes *removed)
{
    for (uint32_t i = 0; removed != NULL && i < removed->n_sites; i++) {
        probe_site_write(removed->code, removed->sites[i].unit, removed->sites[i].jump);
    }
}

size_t
removed_list_put_back(removed_list *list)
{
    size_t count = 0;
    for (removed_probes *at = list->first; at != NULL; at = at->next) {
        write_originals(at);
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

static Py_hash_t
hash_as_compiled(PyObject *code)
{
    write_originals(removed_in(code));
    Py_hash_t hash = original_hash(code);
    write_jumps(removed_in(code));
    return hash;
}

static PyObject *
compare_as_compiled(PyObject *self, PyObject *other, int operation)
{
    write_originals(removed_in(self));
    write_originals(removed_in(other));
    PyObject *result = original_compare(self, other, operation);
    write_jumps(removed_in(self));
    write_jumps(removed_in(other));
    return result;
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
        return; /* the slots are every interpreter's, perhaps under another GIL: here the probes stay in */
    }
    list->extra_index = PyUnstable_Eval_RequestCodeExtraIndex(free_removed);
    if (open_list != NULL || list->extra_index < 0) {
        return; /* another copy of this module has the slots: this one's code objects show their jumps */
    }
    open_list = list;
    open_interpreter = PyInterpreterState_Get();
    if (PyCode_Type.tp_hash != hash_as_compiled) {
        original_hash = PyCode_Type.tp_hash;
        PyCode_Type.tp_hash = hash_as_compiled;
    }
    if (PyCode_Type.tp_richcompare != compare_as_compiled) {
        original_compare = PyCode_Type.tp_richcompare;
        PyCode_Type.tp_richcompare = compare_as_compiled;
    }
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
    /* Somebody who wrapped them after us still calls us: then they stay, and do nothing. */
    if (PyCode_Type.tp_hash == hash_as_compiled) {
        PyCode_Type.tp_hash = original_hash;
    }
    if (PyCode_Type.tp_richcompare == compare_as_compiled) {
        PyCode_Type.tp_richcompare = original_compare;
    }
}
