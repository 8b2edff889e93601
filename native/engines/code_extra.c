/* code_extra.c sets co_extra slots, and only our own.
 *
 * Setting one slot creates the slots of all tools that registered so far, and when the code object is freed, the
 * interpreter calls each one's free function, with NULL if nothing was set. A program that registered a function of a
 * library that is unloaded by then, or a ctypes callback, would crash for code objects that it never touched. */
#include "engines/code_extra.h"

#define MOST_SLOTS 255 /* MAX_CO_EXTRA_USERS */

/* What co_extra points to: _PyCodeObjectExtra, the same from 3.11 to 3.15. */
typedef struct code_slots {
    Py_ssize_t size;
    void *slots[];
} code_slots;

/* End the slots with ours if all after it are empty: the size says which there are, and whoever sets one of the others
 * later creates them anew. If the struct is not as we know it, it is left as it is. */
static void
drop_empty_slots(PyCodeObject *code, Py_ssize_t index, const void *extra)
{
    code_slots *all = code->co_extra;
    if (all == NULL || all->size <= index + 1 || all->size > MOST_SLOTS || all->slots[index] != extra) {
        return;
    }
    for (Py_ssize_t i = index + 1; i < all->size; i++) {
        if (all->slots[i] != NULL) {
            return;
        }
    }
    all->size = index + 1;
}

Py_ssize_t
code_extra_slot(Py_ssize_t *kept, freefunc free_extra)
{
    if (*kept == 0) {
        *kept = PyUnstable_Eval_RequestCodeExtraIndex(free_extra) + 1;
    }
    return *kept - 1;
}

int
code_extra_set(PyObject *code, Py_ssize_t index, void *extra)
{
    if (PyUnstable_Code_SetExtra(code, index, extra) < 0) {
        return -1;
    }
#ifndef Py_GIL_DISABLED
    drop_empty_slots((PyCodeObject *)code, index, extra);
#endif
    return 0;
}
